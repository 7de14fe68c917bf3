import { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { IApi } from './api';
import { messageOf } from './request';
import { IAccount, IOverview, IProject, IRun, IVersion, IModel } from './types';

/** One row of the tree, whatever it stands for. */
export interface ISelection {
  kind: 'account' | 'project' | 'model' | 'version' | 'run' | 'local';
  account: string | null;
  id: string;
}

/** What a selection stands for, with all that is above it. */
export interface IFound {
  account?: IAccount;
  project?: IProject;
  model?: IModel;
  version?: IVersion;
  run?: IRun;
}

/** A backtest in the comparison; `account` is null for one of this machine. */
export interface IChosen {
  account: string | null;
  run: string;
}

/**
 * What the panel knows: the last overview, what is selected, and what is under way.
 *
 * It asks again at each interval while the panel is in sight, and at once after an action.
 */
export class OverviewModel implements IDisposable {
  constructor(
    readonly api: IApi,
    interval = 2
  ) {
    this._poll = new Poll({
      name: 'deploy-magics:overview',
      auto: false,
      frequency: { interval: interval * 1000, backoff: true },
      factory: () => this._fetch(),
      standby: () => (this._active ? 'when-hidden' : true)
    });
  }

  /** The last overview, null before the first answer. */
  get overview(): IOverview | null {
    return this._overview;
  }

  /** Why the last request failed, null when it did not. */
  get error(): string | null {
    return this._error;
  }

  /** What is being done right now, in words; empty when nothing is. */
  get pending(): string {
    return [...this._pending.values()].join(', ');
  }

  /** Why the last action failed, until the next one. */
  get problem(): string | null {
    return this._problem;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  get selection(): ISelection | null {
    return this._selection;
  }

  set selection(value: ISelection | null) {
    this._selection = value;
    this._changed.emit();
  }

  get chosen(): ReadonlyArray<IChosen> {
    return this._chosen;
  }

  /** Put a backtest into the comparison, or take it out. */
  toggleChosen(item: IChosen): void {
    const rest = this._chosen.filter(each => !same(each, item));
    this._chosen = rest.length === this._chosen.length ? [...rest, item] : rest;
    this._changed.emit();
  }

  clearChosen(): void {
    this._chosen = [];
    this._changed.emit();
  }

  isChosen(item: IChosen): boolean {
    return this._chosen.some(each => same(each, item));
  }

  /** Whether the panel is in sight; it asks for news only then. */
  set active(value: boolean) {
    this._active = value;
    if (value && !this.isDisposed) {
      void this._poll.refresh();
    }
  }

  set interval(seconds: number) {
    this._poll.frequency = { ...this._poll.frequency, interval: seconds * 1000 };
  }

  /** Ask now; resolves when the answer is there. */
  async refresh(): Promise<void> {
    await this._fetch().catch(() => undefined);
  }

  /** Do something and ask for news; `label` says what, while it lasts. */
  async perform<T>(label: string, action: () => Promise<T>): Promise<T | undefined> {
    const key = {};
    this._pending.set(key, label);
    this._problem = null;
    this._changed.emit();
    try {
      return await action();
    } catch (error) {
      this._problem = messageOf(error);
      return undefined;
    } finally {
      this._pending.delete(key);
      this._changed.emit();
      await this.refresh();
    }
  }

  /** What the selection stands for in the last overview; null when it is gone. */
  find(selection: ISelection | null): IFound | null {
    const account = this._overview?.accounts.find(each => each.id === selection?.account);
    if (!selection || !account) {
      return null;
    }
    if (selection.kind === 'account') {
      return { account };
    }
    for (const project of account.projects) {
      if (selection.kind === 'project' && project.id === selection.id) {
        return { account, project };
      }
      for (const model of project.models) {
        if (selection.kind === 'model' && model.id === selection.id) {
          return { account, project, model };
        }
        for (const version of model.versions) {
          const above = { account, project, model, version };
          if (selection.kind === 'version' && version.id === selection.id) {
            return above;
          }
          const run = version.runs.find(each => each.id === selection.id);
          if (selection.kind === 'run' && run) {
            return { ...above, run };
          }
        }
      }
    }
    return null;
  }

  dispose(): void {
    this._poll.dispose();
    Signal.clearData(this);
  }

  private async _fetch(): Promise<void> {
    const asked = ++this._asked;
    let overview = this._overview;
    let failure: unknown = null;
    try {
      overview = await this.api.overview();
    } catch (error) {
      failure = error;
    }
    if (asked < this._answered) {
      return; // a later question was answered first
    }
    this._answered = asked;
    this._overview = overview;
    this._error = failure === null ? null : messageOf(failure);
    this._changed.emit();
    if (failure !== null) {
      throw failure;
    }
  }

  private readonly _poll: Poll;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _pending = new Map<object, string>();
  private _overview: IOverview | null = null;
  private _error: string | null = null;
  private _problem: string | null = null;
  private _selection: ISelection | null = null;
  private _chosen: IChosen[] = [];
  private _active = false;
  private _asked = 0;
  private _answered = 0;
}

function same(one: IChosen, other: IChosen): boolean {
  return one.account === other.account && one.run === other.run;
}
