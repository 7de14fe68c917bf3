import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  ICommandPalette,
  InputDialog,
  MainAreaWidget,
  showErrorMessage
} from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Token } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';

import { api } from '../api';
import { IPanelActions } from '../components/Panel';
import { deployIcon, panelIcon } from '../icons';
import { IChosen, OverviewModel } from '../model';
import { makeExample } from '../notebook/example';
import { PanelWidget } from '../panel';
import { messageOf } from '../request';
import { LogsTab } from '../tabs/LogsTab';
import { ResultTab } from '../tabs/ResultTab';
import { COMMANDS, PANEL_ID, PANEL_PLUGIN } from '../tokens';

export const IOverviewModel = new Token<OverviewModel>('deploy-magics:IOverviewModel');

const CATEGORY = 'Deploy Magics';

/** The panel in the left bar, its tabs and its commands. */
export const panelPlugin: JupyterFrontEndPlugin<OverviewModel> = {
  id: PANEL_PLUGIN,
  description: 'Projects, versions and runs in the left bar.',
  autoStart: true,
  optional: [ICommandPalette, ILayoutRestorer, ISettingRegistry, ILauncher],
  provides: IOverviewModel,
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    launcher: ILauncher | null
  ): OverviewModel => {
    const model = new OverviewModel(api);
    const widget = new PanelWidget(model, actionsFor(app, model));
    app.shell.add(widget, 'left', { rank: 550, type: 'Deploy Magics' });
    restorer?.add(widget, PANEL_ID);
    addCommands(app, model, widget);
    for (const command of [
      COMMANDS.openPanel,
      COMMANDS.refresh,
      COMMANDS.signIn,
      COMMANDS.createProject,
      COMMANDS.example,
      COMMANDS.compare
    ]) {
      palette?.addItem({ command, category: CATEGORY, args: { isPalette: true } });
    }
    for (const [rank, command] of [COMMANDS.example, COMMANDS.openPanel].entries()) {
      launcher?.add({ command, category: CATEGORY, rank });
    }
    void settings?.load(PANEL_PLUGIN).then(loaded => {
      const apply = () => {
        widget.server = String(loaded.get('server').composite ?? '');
        model.interval = Number(loaded.get('refresh').composite ?? 2);
      };
      apply();
      loaded.changed.connect(apply);
    });
    return model;
  }
};

function actionsFor(app: JupyterFrontEnd, model: OverviewModel): IPanelActions {
  const open = (id: string, title: string, make: () => Widget) => {
    const known = [...app.shell.widgets('main')].find(each => each.id === id);
    if (!known) {
      const content = make();
      content.title.label = title;
      content.title.icon = panelIcon;
      content.title.closable = true;
      const tab = new MainAreaWidget({ content });
      tab.id = id;
      tab.toolbar.hide();
      app.shell.add(tab, 'main');
    }
    app.shell.activateById(id);
  };
  const results = (runs: ReadonlyArray<IChosen>, title: string) => {
    const names = runs.map(each => `${each.account ?? 'local'}-${each.run}`);
    open(`dm-result-${names.join('+')}`, title, () => new ResultTab(api, runs));
  };
  return {
    openLogs: (account, run, title) =>
      open(
        `dm-logs-${account}-${run}`,
        `Logs: ${title}`,
        () =>
          new LogsTab({
            heading: `Logs of ${title}`,
            empty: 'The run printed nothing.',
            read: (offset, wait, signal) => api.logs(account, run, offset, wait, signal)
          })
      ),
    openActivity: (account, version, title) =>
      open(
        `dm-activity-${account}-${version}`,
        `Activity: ${title}`,
        () =>
          new LogsTab({
            heading: `What was done to ${title}`,
            empty: 'Nothing yet.',
            read: (offset, _, signal) => api.activity(account, version, offset, signal)
          })
      ),
    openResult: (account, run) => results([{ account, run }], 'Backtest'),
    compare: () => results(model.chosen, `Compare ${model.chosen.length} backtests`),
    newExample: () => void app.commands.execute(COMMANDS.example)
  };
}

function addCommands(app: JupyterFrontEnd, model: OverviewModel, widget: PanelWidget): void {
  const { commands, shell } = app;
  const actions = actionsFor(app, model);
  const openPanel = () => shell.activateById(PANEL_ID);
  commands.addCommand(COMMANDS.openPanel, {
    label: args => (args.isPalette ? 'Projects, Versions and Runs' : 'Projects, Versions, Runs'),
    caption: 'Open the Deploy Magics panel',
    icon: panelIcon,
    execute: openPanel
  });
  commands.addCommand(COMMANDS.refresh, {
    label: 'Refresh Projects',
    execute: () => model.refresh()
  });
  commands.addCommand(COMMANDS.signIn, {
    label: 'Start the Deployment Server on This Machine',
    execute: async () => {
      openPanel();
      await model.perform('Starting the server on this machine', () => api.signIn('', ''));
    }
  });
  commands.addCommand(COMMANDS.createProject, {
    label: 'New Project…',
    isEnabled: () => online(model) !== undefined,
    execute: async () => {
      const account = online(model);
      const { value } = await InputDialog.getText({ title: 'Name of the new project' });
      if (account && value) {
        openPanel();
        await model.perform(`Creating ${value}`, () => api.createProject(account, value, ''));
      }
    }
  });
  commands.addCommand(COMMANDS.example, {
    label: args => (args.isPalette ? 'New Notebook with an Example Strategy' : 'Example Strategy'),
    caption: 'A notebook that leads from a strategy to a running model',
    icon: deployIcon,
    execute: async () => {
      try {
        const { contents, kernelspecs } = app.serviceManager;
        const path = await makeExample(contents, kernelspecs.specs, '');
        await commands.execute('docmanager:open', { path, factory: 'Notebook' });
      } catch (error) {
        await showErrorMessage('The example cannot be made', messageOf(error));
      }
    }
  });
  commands.addCommand(COMMANDS.compare, {
    label: 'Compare the Chosen Backtests',
    isEnabled: () => model.chosen.length > 1,
    execute: () => actions.compare()
  });
  model.changed.connect(() => {
    commands.notifyCommandChanged(COMMANDS.compare);
    commands.notifyCommandChanged(COMMANDS.createProject);
  });
  widget.disposed.connect(() => model.dispose());
}

function online(model: OverviewModel): string | undefined {
  return model.overview?.accounts.find(
    account => account.state === 'online' && account.steps.includes('create-project')
  )?.id;
}
