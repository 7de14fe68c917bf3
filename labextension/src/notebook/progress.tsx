import { NotebookPanel } from '@jupyterlab/notebook';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import { ISignal, Signal } from '@lumino/signaling';
import * as React from 'react';

import { percent } from '../format';
import { IProgress } from './channel';

/** How long the end of a run stays in sight. */
const LINGER_MS = 4000;

/** The runs that go on in the kernels of open notebooks. */
export class ProgressModel {
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The run that was heard of last, null when nothing goes on. */
  get current(): IProgress | null {
    return [...this._runs.values()].pop()?.progress ?? null;
  }

  report(panel: NotebookPanel, progress: IProgress): void {
    this._runs.delete(progress.id);
    this._runs.set(progress.id, { panel, progress });
    this._changed.emit();
    if (progress.state !== 'running') {
      setTimeout(() => this._forget(progress), LINGER_MS);
    }
  }

  /** Interrupt the kernel; the magics stop what they started, here and on platforms. */
  async stop(): Promise<void> {
    const entry = [...this._runs.values()].pop();
    await entry?.panel.sessionContext.session?.kernel?.interrupt();
  }

  private _forget(progress: IProgress): void {
    if (this._runs.get(progress.id)?.progress === progress) {
      this._runs.delete(progress.id);
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _runs = new Map<string, { panel: NotebookPanel; progress: IProgress }>();
}

/** The status-bar item: what runs, how far it is, and a way to stop it. */
export class ProgressStatus extends ReactWidget {
  constructor(private readonly model: ProgressModel) {
    super();
    this.addClass('dm-Status');
  }

  protected render(): JSX.Element {
    return (
      <UseSignal signal={this.model.changed}>
        {() => {
          const progress = this.model.current;
          return progress ? <Bar progress={progress} stop={() => void this.model.stop()} /> : <></>;
        }}
      </UseSignal>
    );
  }
}

function Bar({ progress, stop }: { progress: IProgress; stop(): void }): JSX.Element {
  const { label, note, done, total, state } = progress;
  const share = total ? Math.min(1, done / total) : null;
  if (state !== 'running') {
    return (
      <span role="status">
        {label}: {state}
      </span>
    );
  }
  return (
    <>
      <span>{[label, share === null ? note : ''].filter(Boolean).join(': ')}</span>
      <progress max={1} value={share ?? undefined} aria-label={label} />
      {share !== null && <span>{percent(share)}</span>}
      <button className="dm-StatusStop" title="Stop this run" onClick={stop}>
        Stop
      </button>
    </>
  );
}
