import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { KernelMessage } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

/** How far something that runs in a kernel has come. */
export interface IProgress {
  kind: 'progress';
  id: string;
  label: string;
  /** What is being done right now. */
  note?: string;
  done: number;
  total: number | null;
  state: 'running' | 'succeeded' | 'failed' | 'cancelled';
}

/** The cells that a model is made of. */
export interface IMarks {
  kind: 'marks';
  cells: string[];
}

/** Something on a platform is different now. */
export interface IChanged {
  kind: 'changed';
}

export type Announcement = IProgress | IMarks | IChanged;

/**
 * What the magics tell the front end besides their output.
 *
 * It comes as the update of a display that nobody shows (`deploy_magics.display.announce`),
 * so that no front end and no file keeps anything of it.
 */
export class Channel {
  constructor(tracker: INotebookTracker) {
    tracker.forEach(panel => this._listen(panel));
    tracker.widgetAdded.connect((_, panel) => this._listen(panel));
  }

  get announced(): ISignal<this, { panel: NotebookPanel; announcement: Announcement }> {
    return this._announced;
  }

  private _listen(panel: NotebookPanel): void {
    panel.sessionContext.iopubMessage.connect((_, message) => {
      const announcement = announcementIn(message);
      if (announcement) {
        this._announced.emit({ panel, announcement });
      }
    });
  }

  private readonly _announced = new Signal<
    this,
    { panel: NotebookPanel; announcement: Announcement }
  >(this);
}

/** The announcement that a message carries, null for every other message. */
export function announcementIn(message: KernelMessage.IMessage): Announcement | null {
  if (message.header.msg_type !== 'update_display_data') {
    return null;
  }
  const content = message.content as { transient?: { deploy_magics?: Announcement } };
  return content.transient?.deploy_magics ?? null;
}
