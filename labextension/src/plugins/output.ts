import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { RANK, rendererFactory } from '../view/renderer';

/** Results in the outputs of cells, interactive in saved notebooks too. */
export const outputPlugin: JupyterFrontEndPlugin<void> = {
  id: 'deploy-magics:output',
  description: 'Draws the results of backtests in the outputs of cells.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (_: JupyterFrontEnd, rendermime: IRenderMimeRegistry) => {
    rendermime.addFactory(rendererFactory, RANK);
  }
};
