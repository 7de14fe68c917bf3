import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { RequestError } from '../request';
import { ILogSource, LogsTab } from '../tabs/LogsTab';
import { ILogs } from '../types';

const source = (read: ILogSource['read']): ILogSource => ({
  heading: 'Logs of RSI',
  empty: 'Nothing.',
  read
});

async function text(tab: LogsTab, expected: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (tab.node.querySelector('pre')?.textContent !== expected && Date.now() < deadline) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  expect(tab.node.querySelector('pre')?.textContent).toBe(expected);
}

function attached(tab: LogsTab): LogsTab {
  Widget.attach(tab, document.body);
  MessageLoop.flush();
  return tab;
}

describe('LogsTab', () => {
  it('follows a run to its end, each piece from where the last one ended', async () => {
    const parts: ILogs[] = [
      { text: 'one\n', offset: 4, state: 'running' },
      { text: 'two\n', offset: 8, state: 'succeeded' },
      { text: '', offset: 8, state: 'succeeded' }
    ];
    const logs = jest.fn().mockImplementation(async () => parts.shift());
    const tab = attached(new LogsTab(source(logs)));
    await text(tab, 'one\ntwo\n');
    expect(logs.mock.calls.map(call => call[0]).slice(0, 2)).toEqual([0, 4]);
    tab.dispose();
  });

  it('goes to the end only while it is followed', async () => {
    const parts: ILogs[] = [{ text: 'one\n', offset: 4, state: 'running' }];
    const waiting: ((logs: ILogs) => void)[] = [];
    const read = async () => parts.shift() ?? new Promise<ILogs>(go => waiting.push(go));
    const tab = attached(new LogsTab(source(read)));
    await text(tab, 'one\n');
    const pre = tab.node.querySelector('pre') as HTMLElement;
    Object.defineProperty(pre, 'scrollHeight', { value: 100 });
    waiting[0]({ text: 'two\n', offset: 8, state: 'running' });
    await text(tab, 'one\ntwo\n');
    expect(pre.scrollTop).toBe(100);
    tab.node.querySelector<HTMLElement>('input[type=checkbox]')?.click();
    pre.scrollTop = 0;
    waiting[1]({ text: 'three\n', offset: 14, state: 'running' });
    await text(tab, 'one\ntwo\nthree\n');
    expect(pre.scrollTop).toBe(0);
    tab.dispose();
  });

  it('says that a run is gone, and asks no more', async () => {
    const logs = jest.fn().mockRejectedValue(new RequestError('There is no such run.', 404));
    const tab = attached(new LogsTab(source(logs)));
    await text(tab, '');
    await new Promise(resolve => setTimeout(resolve, 0));
    expect(tab.node.querySelector('[role=status]')?.textContent).toBe('There is no such run.');
    expect(logs).toHaveBeenCalledTimes(1);
    tab.dispose();
  });
});
