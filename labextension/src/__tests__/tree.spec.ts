import { stateLabel } from '../format';
import { keyOf, liveRun, rowsOf } from '../tree';
import { account, overview, run, version } from './data';

const NONE: ReadonlySet<string> = new Set();

function labels(query = '', toggled = NONE): string[] {
  return rowsOf(overview(), query, toggled, 1070).map(row => `${row.level} ${row.label}`);
}

describe('rowsOf', () => {
  it('shows everything down to the runs of the newest version', () => {
    expect(labels()).toEqual([
      '1 This machine',
      '2 RSI Models',
      '3 RSI Model',
      '4 v2',
      '5 Live run',
      '4 v1'
    ]);
  });

  it('opens and folds what was toggled', () => {
    const first = keyOf({ kind: 'version', account: 'embedded', id: 'version-1' });
    const project = keyOf({ kind: 'project', account: 'embedded', id: 'project-1' });
    expect(labels('', new Set([first]))).toContain('5 Live run');
    expect(labels('', new Set([first])).length).toBe(7);
    expect(labels('', new Set([project]))).toEqual(['1 This machine', '2 RSI Models']);
  });

  it.each([
    ['improve', ['1 This machine', '2 RSI Models', '3 RSI Model', '4 v2', '5 Live run']],
    ['rsi stopped', ['1 This machine', '2 RSI Models', '3 RSI Model', '4 v1', '5 Live run']],
    ['nothing like it', []]
  ])('finds %s with what is above and below it', (query, found) => {
    expect(labels(query)).toEqual(found);
  });

  it('says state, time and place for the eye and for screen readers', () => {
    const row = rowsOf(overview(), '', NONE, 1070)[4];
    expect(row).toMatchObject({
      state: 'running',
      stateText: 'live',
      time: '1 min ago',
      expanded: null,
      position: 1,
      siblings: 1
    });
  });

  it('says whose money moves, and that a run fell', () => {
    const fallen = run('r', { state: 'queued', restarts: 2, real: true });
    const models = [{ id: 'm', name: 'M', description: '', versions: [version(1, [fallen])] }];
    const projects = [{ id: 'p', name: 'P', description: '', models }];
    const rows = rowsOf(overview(account({ projects })), '', NONE);
    expect(rows[4]).toMatchObject({ stateText: 'restarting', detail: '2 restarts' });
    expect(rows[2].stateText).toBe('restarting');
    expect(stateLabel(run('r', { real: true }))).toBe('live, real orders');
  });

  it('folds the models of a large project, until one is looked for', () => {
    const models = Array.from({ length: 21 }, (_, index) => ({
      id: `m${index}`,
      name: `Model ${index}`,
      description: '',
      versions: [version(1, [], '', { id: `v${index}` })]
    }));
    const large = overview(account({ projects: [{ id: 'p', name: 'P', description: '', models }] }));
    expect(rowsOf(large, '', NONE)).toHaveLength(23);
    expect(rowsOf(large, 'model 20', NONE).map(row => row.label).slice(2)).toEqual(['Model 20', 'v1']);
  });

  it('leaves out accounts that nobody is signed in to', () => {
    expect(rowsOf(overview(account({ state: 'signed-out' })), '', NONE)).toEqual([]);
  });

  it('lists the backtests of this machine', () => {
    const local = [{ id: 'a', model: 'RSI', createdAt: 1000, description: '', summary: '+3 %' }];
    const rows = rowsOf({ accounts: [], local }, '', NONE);
    expect(rows.map(row => row.label)).toEqual(['Backtests on this machine', 'RSI']);
  });
});

describe('liveRun', () => {
  it('is the one that goes on, of whatever version', () => {
    const versions = [
      version(2, [run('failed', { state: 'failed' })]),
      version(1, [run('going', { state: 'queued' })])
    ];
    expect(liveRun({ id: 'm', name: 'M', description: '', versions })?.id).toBe('going');
  });
});
