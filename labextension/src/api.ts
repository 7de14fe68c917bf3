import { request } from './request';
import { IChosen } from './model';
import {
  IComparison,
  ILogs,
  IOptions,
  IOverview,
  IResult,
  IRevision,
  IRun,
  IVersion
} from './types';

/** The routes of the server extension, one function each. */
export interface IApi {
  overview(): Promise<IOverview>;
  signIn(server: string, token: string, platform?: string): Promise<void>;
  signOut(account: string): Promise<void>;
  createProject(account: string, name: string, description: string): Promise<void>;
  run(account: string, version: string): Promise<IRun>;
  rollback(account: string, version: string): Promise<IVersion>;
  revisions(account: string, version: string): Promise<IRevision[]>;
  activate(account: string, revision: string): Promise<void>;
  makeDefault(account: string, version: string): Promise<void>;
  /** What was done to a version's model, as a log. */
  activity(account: string, version: string, offset: number, signal?: AbortSignal): Promise<ILogs>;
  stop(account: string, run: string): Promise<void>;
  start(account: string, run: string): Promise<void>;
  logs(
    account: string,
    run: string,
    offset: number,
    wait: number,
    signal?: AbortSignal
  ): Promise<ILogs>;
  /** `account` is null for a backtest that ran on this machine. */
  result(account: string | null, run: string): Promise<IResult>;
  compare(runs: ReadonlyArray<IChosen>): Promise<IComparison>;
  options(action: string): Promise<IOptions>;
}

export const api: IApi = {
  overview: () => request('overview'),
  signIn: (server, token, platform = 'blankly') =>
    request('accounts', 'POST', { server, token, platform }),
  signOut: account => request(`accounts${query({ account })}`, 'DELETE'),
  createProject: (account, name, description) =>
    request(`projects${query({ account })}`, 'POST', { name, description }),
  run: (account, version) => request(`versions/${id(version)}/run${query({ account })}`, 'POST', {}),
  rollback: (account, version) =>
    request(`versions/${id(version)}/rollback${query({ account })}`, 'POST', {}),
  revisions: (account, version) =>
    request(`versions/${id(version)}/revisions${query({ account })}`),
  activate: (account, revision) =>
    request(`versions/${id(revision)}/activate${query({ account })}`, 'POST', {}),
  makeDefault: (account, version) =>
    request(`versions/${id(version)}/make-default${query({ account })}`, 'POST', {}),
  activity: (account, version, offset, signal) =>
    request(
      `versions/${id(version)}/activity${query({ account, offset })}`,
      'GET',
      undefined,
      signal
    ),
  stop: (account, run) => request(`runs/${id(run)}/stop${query({ account })}`, 'POST', {}),
  start: (account, run) => request(`runs/${id(run)}/start${query({ account })}`, 'POST', {}),
  logs: (account, run, offset, wait, signal) =>
    request(`runs/${id(run)}/logs${query({ account, offset, wait })}`, 'GET', undefined, signal),
  result: (account, run) =>
    account === null
      ? request(`local/${id(run)}/result`)
      : request(`runs/${id(run)}/result${query({ account })}`),
  compare: runs => request('compare', 'POST', { runs }),
  options: action => request(`options/${id(action)}`)
};

function id(value: string): string {
  return encodeURIComponent(value);
}

function query(values: { [key: string]: string | number }): string {
  const pairs = Object.entries(values).map(([key, value]) => [key, String(value)]);
  return `?${new URLSearchParams(pairs)}`;
}
