import { IApi } from '../api';
import { IAccount, IComparison, IOption, IOverview, IResult, IRun, IVersion } from '../types';

export function run(id: string, changes: Partial<IRun> = {}): IRun {
  return {
    id,
    kind: 'live',
    state: 'running',
    createdAt: 1000,
    startedAt: 1010,
    endedAt: null,
    description: '',
    error: null,
    progress: null,
    restarts: 0,
    nextTry: null,
    real: false,
    facts: [],
    steps: ['logs', 'stop'],
    ...changes
  };
}

export function version(
  number: number,
  runs: IRun[] = [],
  description = '',
  changes: Partial<IVersion> = {}
): IVersion {
  return {
    id: `version-${number}`,
    number,
    name: `v${number}`,
    description,
    createdAt: 900 + number,
    plan: 'nano',
    state: null,
    status: '',
    default: false,
    revision: '',
    steps: [],
    runs,
    ...changes
  };
}

export function account(changes: Partial<IAccount> = {}): IAccount {
  const versions = [
    version(2, [run('run-2')], 'Improve buy logic', { steps: ['stop'] }),
    version(
      1,
      [run('run-1', { state: 'cancelled', endedAt: 1020, steps: ['logs', 'start'] })],
      'First',
      { steps: ['run', 'rollback'] }
    )
  ];
  return {
    id: 'embedded',
    platform: 'blankly',
    server: 'http://127.0.0.1:1',
    embedded: true,
    user: '',
    state: 'online',
    error: null,
    steps: ['create-project'],
    projects: [
      {
        id: 'project-1',
        name: 'RSI Models',
        description: 'Bots that buy < 30',
        models: [{ id: 'model-1', name: 'RSI Model', description: 'Buys low', versions }]
      }
    ],
    ...changes
  };
}

export function overview(...accounts: IAccount[]): IOverview {
  return { accounts: accounts.length > 0 ? accounts : [account()], local: [] };
}

export function option(name: string, changes: Partial<IOption> = {}): IOption {
  return {
    name,
    flag: `--${name.replace(/_/g, '-')}`,
    shape: 'one',
    kind: 'text',
    default: null,
    choices: [],
    help: `Help of ${name}.`,
    required: false,
    ...changes
  };
}

export function result(title = 'RSI Model'): IResult {
  return {
    id: 'run-9',
    title,
    subtitle: 'EUR-USD',
    quote: 'USD',
    equity: [
      { time: 1000, value: 100 },
      { time: 2000, value: 110 }
    ],
    drawdown: [
      { time: 1000, value: 0 },
      { time: 2000, value: -0.1 }
    ],
    prices: {},
    trades: [
      { time: 1500, side: 'buy', symbol: 'EUR-USD', size: 2, price: 1.123456789 }
    ],
    metrics: [{ key: 'return_pct', name: 'Return (%)', value: '10.00' }],
    notes: ['One gap was filled.']
  };
}

export function comparison(...titles: string[]): IComparison {
  const names = titles.length > 0 ? titles : ['A', 'B'];
  return {
    names,
    results: names.map(name => result(name)),
    metrics: { head: ['Metric', 'A', 'B', 'Δ B'], rows: [['Return (%)', '10.00', '12.00', '+2.00']] },
    changed: { head: ['What differs', 'A', 'B'], rows: [['to', '1y', '2y']] },
    code: [{ name: 'B', diff: '@@ -1 +1 @@\n-LOW = <30>\n+LOW = 25' }]
  };
}

/** An API whose calls are all recorded, and answer nothing unless told to. */
export function fakeApi(changes: Partial<IApi> = {}): jest.Mocked<IApi> {
  const nothing = () => jest.fn().mockResolvedValue(undefined);
  return {
    overview: jest.fn().mockResolvedValue(overview()),
    signIn: nothing(),
    signOut: nothing(),
    createProject: nothing(),
    run: nothing(),
    rollback: nothing(),
    revisions: jest.fn().mockResolvedValue([]),
    activate: nothing(),
    makeDefault: nothing(),
    activity: jest.fn().mockResolvedValue({ text: '', offset: 0, state: 'succeeded' }),
    stop: nothing(),
    start: nothing(),
    logs: jest.fn().mockResolvedValue({ text: '', offset: 0, state: 'succeeded' }),
    result: jest.fn().mockResolvedValue(result()),
    compare: jest.fn().mockResolvedValue(comparison()),
    options: jest.fn().mockResolvedValue({ summary: '', options: [] }),
    ...changes
  } as jest.Mocked<IApi>;
}
