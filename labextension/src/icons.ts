import { LabIcon } from '@jupyterlab/ui-components';

import backtestSvg from '../style/icons/backtest.svg';
import deploySvg from '../style/icons/deploy.svg';
import modelSvg from '../style/icons/model.svg';
import panelSvg from '../style/icons/panel.svg';

export const panelIcon = new LabIcon({ name: 'deploy-magics:panel', svgstr: panelSvg });
export const backtestIcon = new LabIcon({ name: 'deploy-magics:backtest', svgstr: backtestSvg });
export const deployIcon = new LabIcon({ name: 'deploy-magics:deploy', svgstr: deploySvg });
export const modelIcon = new LabIcon({ name: 'deploy-magics:model', svgstr: modelSvg });
