import { notebookPlugin } from './plugins/notebook';
import { outputPlugin } from './plugins/output';
import { panelPlugin } from './plugins/panel';

export default [panelPlugin, notebookPlugin, outputPlugin];
