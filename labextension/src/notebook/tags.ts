import { Cell } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { MODEL_TAG } from '../tokens';
import { h } from '../view/dom';

/** Where the kernel side listens for tags that change after a cell has run. */
const COMM_TARGET = 'deploy_magics';

/** The tags of a cell, whatever its metadata look like. */
export function tagsOf(cell: Cell): string[] {
  const tags: unknown = cell.model.getMetadata('tags');
  return Array.isArray(tags) ? tags.filter(tag => typeof tag === 'string') : [];
}

export function isMarked(cell: Cell): boolean {
  return tagsOf(cell).includes(MODEL_TAG);
}

/** Mark a cell as part of the model, or take the mark away. */
export function toggleMark(cell: Cell): void {
  const others = tagsOf(cell).filter(tag => tag !== MODEL_TAG);
  const tags = isMarked(cell) ? others : [...others, MODEL_TAG];
  if (tags.length > 0) {
    cell.model.setMetadata('tags', tags);
  } else {
    cell.model.deleteMetadata('tags');
  }
}

/** Shows the badge on each marked cell, and the mark on each cell that would be shipped. */
export class Badges {
  constructor(tracker: INotebookTracker) {
    tracker.forEach(panel => this._follow(panel));
    tracker.widgetAdded.connect((_, panel) => this._follow(panel));
  }

  /** Put the marks of the last `%model` on these cells, and on no others. */
  showShipped(panel: NotebookPanel, ids: string[]): void {
    const shipped = new Set(ids);
    for (const cell of panel.content.widgets) {
      setBadge(cell, 'shipped', shipped.has(cell.model.id));
    }
  }

  private _follow(panel: NotebookPanel): void {
    const update = () => panel.content.widgets.forEach(cell => this._watch(panel, cell));
    void panel.context.ready.then(update);
    panel.content.modelContentChanged.connect(update);
    panel.sessionContext.connectionStatusChanged.connect((_, status) => {
      if (status === 'connected') {
        void sendTags(panel);
      }
    });
  }

  private _watch(panel: NotebookPanel, cell: Cell): void {
    if (this._watched.has(cell)) {
      return;
    }
    this._watched.add(cell);
    const show = () => setBadge(cell, 'model', isMarked(cell));
    show();
    cell.model.metadataChanged.connect((_, change) => {
      if (change.key === 'tags') {
        show();
        void sendTags(panel);
      }
    });
    cell.model.sharedModel.changed.connect((_, change) => {
      if (change.sourceChange) {
        setBadge(cell, 'shipped', false);
      }
    });
  }

  private readonly _watched = new WeakSet<Cell>();
}

const BADGES = {
  model: ['model', 'Marked as part of the model'],
  shipped: ['shipped', 'Would be shipped with the model']
} as const;

function setBadge(cell: Cell, kind: keyof typeof BADGES, shown: boolean): void {
  const name = `dm-CellBadge-${kind}`;
  const badge = cell.node.querySelector(`:scope > .${name}`);
  cell.toggleClass(`dm-mod-${kind}`, shown);
  if (shown && !badge) {
    const [text, title] = BADGES[kind];
    cell.node.append(h('span', { class: `dm-CellBadge ${name}`, title, role: 'note' }, text));
  } else if (!shown) {
    badge?.remove();
  }
}

/** Tell the kernel the tags of all cells; it matters for cells that ran before a toggle. */
export async function sendTags(panel: NotebookPanel): Promise<void> {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel || !panel.content.widgets.some(loadsMagics)) {
    return;
  }
  const tags = Object.fromEntries(panel.content.widgets.map(cell => [cell.model.id, tagsOf(cell)]));
  const comm = kernel.createComm(COMM_TARGET);
  await comm.open({ tags }).done;
  comm.dispose();
}

/** Whether a cell has loaded the magics; a kernel without them does not know the comm. */
export function loadsMagics(cell: Cell): boolean {
  return /^\s*(%load_ext|import|from)\s+deploy_magics/m.test(cell.model.sharedModel.getSource());
}
