import { request } from './request';
import { ILogs, IOptions, IOverview, IResult, IRun, IVersion } from './types';

/** The routes of the server extension, one function each. */
export interface IApi {
  overview(): Promise<IOverview>;
  signIn(server: string, token: string, platform?: string): Promise<void>;
  signOut(account: string): Promise<void>;
  createProject(account: string, name: string, description: string): Promise<void>;
  run(account: string, version: string): Promise<IRun>;
  rollback(account: string, version: string): Promise<IVersion>;
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
  stop: (account, run) => request(`runs/${id(run)}/stop${query({ account })}`, 'POST', {}),
  start: (account, run) => request(`runs/${id(run)}/start${query({ account })}`, 'POST', {}),
  logs: (account, run, offset, wait, signal) =>
    request(`runs/${id(run)}/logs${query({ account, offset, wait })}`, 'GET', undefined, signal),
  result: (account, run) =>
    account === null
      ? request(`local/${id(run)}/result`)
      : request(`runs/${id(run)}/result${query({ account })}`),
  options: action => request(`options/${id(action)}`)
};

function id(value: string): string {
  return encodeURIComponent(value);
}

function query(values: { [key: string]: string | number }): string {
  const pairs = Object.entries(values).map(([key, value]) => [key, String(value)]);
  return `?${new URLSearchParams(pairs)}`;
}
