import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';

import { api } from '../api';
import { backtestIcon, deployIcon, modelIcon } from '../icons';
import { OverviewModel } from '../model';
import { Channel } from '../notebook/channel';
import { ProgressModel, ProgressStatus } from '../notebook/progress';
import { askAndRun } from '../notebook/run';
import { Badges, isMarked, toggleMark } from '../notebook/tags';
import { COMMANDS } from '../tokens';
import { IOverviewModel } from './panel';

const CATEGORY = 'Deploy Magics';

/** Buttons on the notebook and its cells, badges, and progress in the status bar. */
export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: 'deploy-magics:notebook',
  description: 'Backtest and deploy from the notebook; marks on cells; progress in the status bar.',
  autoStart: true,
  requires: [INotebookTracker, IOverviewModel],
  optional: [ICommandPalette, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    overview: OverviewModel,
    palette: ICommandPalette | null,
    statusBar: IStatusBar | null
  ) => {
    const badges = new Badges(tracker);
    const progress = new ProgressModel();
    new Channel(tracker).announced.connect((_, { panel, announcement }) => {
      if (announcement.kind === 'progress') {
        progress.report(panel, announcement);
      } else if (announcement.kind === 'marks') {
        badges.showShipped(panel, announcement.cells);
      } else {
        void overview.refresh();
      }
    });
    statusBar?.registerStatusItem('deploy-magics:progress', {
      item: new ProgressStatus(progress),
      align: 'middle',
      isActive: () => progress.current !== null,
      activeStateChanged: progress.changed
    });
    addCommands(app, tracker, progress);
    for (const command of [
      COMMANDS.backtest,
      COMMANDS.deploy,
      COMMANDS.toggleModelTag,
      COMMANDS.stopProgress
    ]) {
      palette?.addItem({ command, category: CATEGORY });
    }
  }
};

function addCommands(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  progress: ProgressModel
): void {
  const { commands } = app;
  const isEnabled = () => tracker.activeCell !== null;
  const ask = (action: 'backtest' | 'deploy') => async () => {
    if (tracker.currentWidget) {
      await askAndRun(api, tracker.currentWidget, action);
    }
  };
  commands.addCommand(COMMANDS.backtest, {
    label: 'Backtest This Cell…',
    caption: 'Backtest the model of this cell',
    icon: backtestIcon,
    isEnabled,
    execute: ask('backtest')
  });
  commands.addCommand(COMMANDS.deploy, {
    label: 'Deploy This Cell…',
    caption: 'Deploy the model of this cell',
    icon: deployIcon,
    isEnabled,
    execute: ask('deploy')
  });
  commands.addCommand(COMMANDS.toggleModelTag, {
    label: 'Cell Belongs to the Model',
    caption: 'Mark this cell as part of the model',
    icon: modelIcon,
    isEnabled: () => tracker.activeCell?.model.type === 'code',
    isToggled: () => tracker.activeCell !== null && isMarked(tracker.activeCell),
    execute: () => {
      if (tracker.activeCell) {
        toggleMark(tracker.activeCell);
        commands.notifyCommandChanged(COMMANDS.toggleModelTag);
      }
    }
  });
  commands.addCommand(COMMANDS.stopProgress, {
    label: 'Stop the Running Backtest',
    isEnabled: () => progress.current?.state === 'running',
    execute: () => progress.stop()
  });
  tracker.activeCellChanged.connect(() => commands.notifyCommandChanged());
  progress.changed.connect(() => commands.notifyCommandChanged(COMMANDS.stopProgress));
}
