/** Every command of the extension, in one namespace. */
export const COMMANDS = {
  openPanel: 'deploy-magics:open-panel',
  refresh: 'deploy-magics:refresh',
  signIn: 'deploy-magics:sign-in',
  createProject: 'deploy-magics:create-project',
  example: 'deploy-magics:new-example',
  backtest: 'deploy-magics:backtest-cell',
  deploy: 'deploy-magics:deploy-cell',
  toggleModelTag: 'deploy-magics:toggle-model-tag',
  stopProgress: 'deploy-magics:stop-progress',
  compare: 'deploy-magics:compare'
} as const;

/** The cell tag that says: this cell belongs to the model. The magics honour it. */
export const MODEL_TAG = 'model';

export const PANEL_ID = 'deploy-magics-panel';

export const PANEL_PLUGIN = 'deploy-magics:panel';
