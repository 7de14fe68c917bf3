import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Widget } from '@lumino/widgets';

import { panelIcon } from './icons';

const panel: JupyterFrontEndPlugin<void> = {
  id: 'deploy-magics:panel',
  description: 'Projects, versions and runs in the left bar.',
  autoStart: true,
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, restorer: ILayoutRestorer | null) => {
    const widget = new Widget();
    widget.id = 'deploy-magics-panel';
    widget.addClass('dm-Panel');
    widget.title.icon = panelIcon;
    widget.title.caption = 'Deploy Magics';
    app.shell.add(widget, 'left', { rank: 550 });
    restorer?.add(widget, widget.id);
  }
};

export default [panel];
