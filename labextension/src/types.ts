/** What the server extension answers; `deploy_magics/labserver` and `actions/overview.py` write it. */

export type RunState = 'queued' | 'building' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface IRun {
  id: string;
  kind: 'backtest' | 'live';
  state: RunState;
  createdAt: number | null;
  startedAt: number | null;
  endedAt: number | null;
  description: string;
  error: string | null;
  /** Between 0 and 1, null where the run does not say. */
  progress: number | null;
  /** How often a live run was started again after its model fell. */
  restarts: number;
  /** When a queued run is started at the earliest. */
  nextTry: number | null;
  /** Orders go to a real exchange, and not to paper. */
  real: boolean;
  /** What a live run says of itself, by name. */
  facts: [name: string, text: string][];
  steps: RunStep[];
}

/** What can be done about a thing; `actions/overview_shape.py` decides it. */
export type RunStep = 'logs' | 'stop' | 'start' | 'result' | 'compare';

export type VersionStep = 'run' | 'stop' | 'rollback' | 'revisions' | 'activity' | 'make-default';

export interface IVersion {
  id: string;
  number: number;
  name: string;
  description: string;
  createdAt: number | null;
  plan: string;
  state: RunState | null;
  /** The state in the platform's own word, where it has versions without runs. */
  status: string;
  /** Requests that name no version go here. */
  default: boolean;
  /** Something else when there is a new revision, or another one serves. */
  revision: string;
  steps: VersionStep[];
  runs: IRun[];
}

/** One upload of a version, where a platform keeps them apart. */
export interface IRevision {
  id: string;
  name: string;
  state: RunState;
  status: string;
  serves: boolean;
  createdAt: number | null;
  by: string;
  error: string | null;
  steps: 'activate'[];
}

export interface IModel {
  id: string;
  name: string;
  description: string;
  versions: IVersion[];
}

export interface IProject {
  id: string;
  name: string;
  description: string;
  models: IModel[];
}

export interface IAccount {
  /** Names the account in every request: platform and server address. */
  id: string;
  platform: string;
  server: string;
  /** The server that this machine starts by itself. */
  embedded: boolean;
  user: string;
  state: 'online' | 'offline' | 'signed-out';
  error: string | null;
  steps: 'create-project'[];
  projects: IProject[];
}

/** A backtest that ran on this machine, kept in the run store. */
export interface ILocalRun {
  id: string;
  model: string;
  createdAt: number | null;
  description: string;
  summary: string;
}

export interface IOverview {
  accounts: IAccount[];
  local: ILocalRun[];
}

export interface ILogs {
  text: string;
  offset: number;
  state: RunState;
}

export interface IMetric {
  key: string;
  name: string;
  value: string;
}

export interface IPoint {
  /** Seconds since the epoch, UTC. */
  time: number;
  value: number;
}

export interface ITrade {
  time: number;
  side: 'buy' | 'sell';
  symbol: string;
  size: number;
  price: number;
}

export interface IResult {
  id: string;
  title: string;
  /** What the backtest was asked for, as short text. */
  subtitle: string;
  quote: string;
  equity: IPoint[];
  /** Fractions, zero or less. */
  drawdown: IPoint[];
  prices: { [symbol: string]: IPoint[] };
  trades: ITrade[];
  metrics: IMetric[];
  notes: string[];
}

export interface ITable {
  head: string[];
  rows: string[][];
}

/** Backtests side by side; differences are against the first one. */
export interface IComparison {
  names: string[];
  results: IResult[];
  metrics: ITable;
  /** Arguments, data and versions that are not the same in all. */
  changed: ITable;
  /** Unified diffs against the first one's code, where it is another. */
  code: { name: string; diff: string }[];
}

/** What a tab, a widget or an output shows: one of the two. */
export interface IShown {
  result?: IResult;
  comparison?: IComparison;
}

/** An option of a magic, read from the signature and docstring of its action. */
export interface IOption {
  name: string;
  flag: string;
  /** `many` and `pairs` (`NAME=value`) may be given several times. */
  shape: 'one' | 'many' | 'pairs' | 'switch';
  kind: 'text' | 'number' | 'integer';
  /** As it would be typed; null where there is none. */
  default: string | null;
  choices: string[];
  help: string;
  required: boolean;
}

/** What a magic takes. */
export interface IOptions {
  summary: string;
  options: IOption[];
}

export const ENDED: ReadonlySet<RunState> = new Set<RunState>([
  'succeeded',
  'failed',
  'cancelled'
]);
