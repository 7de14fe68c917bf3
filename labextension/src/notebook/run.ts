import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { Cell, CodeCell } from '@jupyterlab/cells';
import { NotebookActions, NotebookPanel } from '@jupyterlab/notebook';

import { IApi } from '../api';
import { messageOf } from '../request';
import { IMagic, lineOf, magicOf, valuesOf } from './magicline';
import { OptionsForm } from './OptionsForm';
import { loadsMagics, sendTags } from './tags';

type Action = 'backtest' | 'deploy';

/** Where the magic goes, and what is there already. */
interface IPlace {
  /** The active cell is rewritten, or a new one below it takes the line. */
  where: 'here' | 'below';
  cell: boolean;
  line: string;
  body: string;
}

/**
 * What a button means for a cell: the magic that is there is edited, plain code becomes the
 * magic's cell, and the other action of a cell that has one goes below it, about the same model.
 */
export function placeFor(action: Action, source: string, magic: IMagic | null): IPlace {
  if (magic && magic.name === action) {
    return { where: 'here', cell: magic.cell, line: magic.line, body: magic.body };
  }
  if (magic || !source.trim() || /^\s*%/.test(source)) {
    return { where: magic || source.trim() ? 'below' : 'here', cell: false, line: '', body: '' };
  }
  return { where: 'here', cell: true, line: '', body: source };
}

/** Ask for the options of a magic, and put it into the notebook, run on request. */
export async function askAndRun(api: IApi, panel: NotebookPanel, action: Action): Promise<void> {
  const active = panel.content.activeCell;
  if (!active) {
    return;
  }
  const source = active.model.type === 'code' ? active.model.sharedModel.getSource() : '%';
  const place = placeFor(action, source, magicOf(source));
  const magic = `${place.cell ? '%%' : '%'}${action}`;
  let options;
  try {
    options = await api.options(action);
  } catch (error) {
    await showErrorMessage(`The options of ${magic} cannot be had`, messageOf(error));
    return;
  }
  const form = new OptionsForm(magic, options, valuesOf(place.line, options.options));
  const title = action === 'backtest' ? 'Backtest' : 'Deploy';
  const answer = await showDialog({
    title: place.where === 'below' ? `${title} the model of this cell` : title,
    body: form,
    buttons: [
      Dialog.cancelButton(),
      Dialog.createButton({ label: 'Insert', actions: ['insert'], className: 'dm-Neutral' }),
      Dialog.okButton({ label: `${title} now`, actions: ['run'] })
    ],
    defaultButton: 2,
    focusNodeSelector: 'input, select, textarea'
  });
  if (!answer.button.accept || !answer.value) {
    return;
  }
  const { values, rest } = answer.value;
  const line = `${magic} ${lineOf(values, options.options, rest)}`.trim();
  await insert(panel, active, place, line);
  if (answer.button.actions.includes('run')) {
    await run(panel);
  }
}

async function insert(
  panel: NotebookPanel,
  active: Cell,
  place: IPlace,
  line: string
): Promise<void> {
  if (place.where === 'below') {
    NotebookActions.insertBelow(panel.content);
    panel.content.activeCell?.model.sharedModel.setSource(line);
  } else {
    active.model.sharedModel.setSource(place.cell ? `${line}\n${place.body}` : line);
  }
}

/** Run the active cell, after the cell that loads the magics where that has not run. */
async function run(panel: NotebookPanel): Promise<void> {
  const { content, sessionContext } = panel;
  const target = content.activeCellIndex;
  const loader = content.widgets.find(loadsMagics);
  let shift = 0;
  if (!loader) {
    content.activeCellIndex = 0;
    NotebookActions.insertAbove(content);
    content.activeCell?.model.sharedModel.setSource('%load_ext deploy_magics');
    await NotebookActions.run(content, sessionContext);
    shift = 1;
  } else if (!hasRun(loader)) {
    content.activeCellIndex = content.widgets.indexOf(loader);
    await NotebookActions.run(content, sessionContext);
  }
  content.activeCellIndex = target + shift;
  await sendTags(panel);
  const cell = content.activeCell;
  const done = NotebookActions.run(content, sessionContext);
  await showOutput(cell);
  await done;
  await showOutput(cell);
}

/** Bring what a cell prints into sight; below a long strategy it would be out of it. */
async function showOutput(cell: Cell | null): Promise<void> {
  if (cell instanceof CodeCell && !cell.isDisposed) {
    await new Promise(requestAnimationFrame);
    cell.outputArea.node.scrollIntoView({ block: 'nearest' });
  }
}

function hasRun(cell: Cell): boolean {
  const { sharedModel } = cell.model;
  return sharedModel.cell_type === 'code' && 'execution_count' in sharedModel
    ? sharedModel.execution_count !== null
    : false;
}
