import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { IApi } from '../api';
import { IChosen } from '../model';
import { ResultTab } from '../tabs/ResultTab';
import './charts';
import { fakeApi } from './data';

const LOCAL: IChosen = { account: null, run: 'a' };
const REMOTE: IChosen = { account: 'embedded', run: 'b' };

async function opened(api: IApi, ...runs: IChosen[]): Promise<ResultTab> {
  const tab = new ResultTab(api, runs);
  Widget.attach(tab, document.body);
  MessageLoop.flush();
  await settle();
  return tab;
}

const settle = () => new Promise(resolve => setTimeout(resolve, 0));

describe('ResultTab', () => {
  it('shows one result, and is named after it', async () => {
    const api = fakeApi();
    const tab = await opened(api, LOCAL);
    expect(api.result).toHaveBeenCalledWith(null, 'a');
    expect(tab.title.label).toBe('Backtest: RSI Model');
    tab.dispose();
  });

  it('asks for several at once, in the order in which they were chosen', async () => {
    const api = fakeApi();
    const tab = await opened(api, REMOTE, LOCAL);
    expect(api.compare).toHaveBeenCalledWith([REMOTE, LOCAL]);
    expect(tab.node.querySelector('h2')?.textContent).toBe('2 backtests side by side');
    tab.dispose();
  });

  it('says why there is nothing to see, and tries again', async () => {
    const api = fakeApi();
    api.result.mockRejectedValueOnce(new Error('The run is gone.'));
    const tab = await opened(api, LOCAL);
    expect(tab.node.querySelector('[role=alert]')?.textContent).toBe('The run is gone.');
    tab.node.querySelector('button')?.click();
    await settle();
    expect(tab.node.querySelector('h2')?.textContent).toBe('RSI Model');
    tab.dispose();
  });
});
