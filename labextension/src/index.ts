import { notebookPlugin } from './plugins/notebook';
import { panelPlugin } from './plugins/panel';

export default [panelPlugin, notebookPlugin];
