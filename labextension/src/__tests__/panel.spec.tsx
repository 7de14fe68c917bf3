import { act } from 'react';
import { createRoot, Root } from 'react-dom/client';
import * as React from 'react';

import { IApi } from '../api';
import { IPanelActions, Panel } from '../components/Panel';
import { OverviewModel } from '../model';
import { account, fakeApi, overview, run, version } from './data';

let root: Root;
let box: HTMLElement;

beforeEach(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  box = document.createElement('div');
  document.body.append(box);
  root = createRoot(box);
});

afterEach(() => {
  act(() => root.unmount());
  box.remove();
});

async function show(api: jest.Mocked<IApi>) {
  const model = new OverviewModel(api);
  const actions: jest.Mocked<IPanelActions> = {
    openLogs: jest.fn(),
    openResult: jest.fn(),
    compare: jest.fn(),
    newExample: jest.fn()
  };
  await act(async () => root.render(<Panel model={model} actions={actions} server="" />));
  await act(() => model.refresh());
  return { model, actions };
}

function button(name: string): HTMLButtonElement {
  const found = [...box.querySelectorAll('button')].find(
    each => each.textContent?.trim() === name || each.getAttribute('aria-label') === name
  );
  if (!found) {
    throw new Error(`no button ${name} in ${box.textContent}`);
  }
  return found;
}

const press = (name: string) => act(async () => button(name).click());

describe('the panel', () => {
  it('says what to do when nobody is signed in', async () => {
    const api = fakeApi({ overview: jest.fn().mockResolvedValue({ accounts: [], local: [] }) });
    await show(api);
    await press('Start the server on this machine');
    expect(api.signIn).toHaveBeenCalledWith('', '');
  });

  it('says what is wrong when the server extension is missing', async () => {
    const overview = jest.fn().mockRejectedValue(new Error('Install deploy_magics'));
    await show(fakeApi({ overview }));
    expect(box.querySelector('[role=alert]')?.textContent).toBe('Install deploy_magics');
  });

  it('shows the first steps when nothing is deployed', async () => {
    const empty = overview(account({ projects: [] }));
    const { actions } = await show(fakeApi({ overview: jest.fn().mockResolvedValue(empty) }));
    await press('open an example');
    expect(actions.newExample).toHaveBeenCalled();
  });

  it('offers to start a server on this machine that does not answer', async () => {
    const off = overview(account({ state: 'offline' }));
    const api = fakeApi({ overview: jest.fn().mockResolvedValue(off) });
    await show(api);
    expect(box.textContent).toContain('The server on this machine does not answer.');
    await press('Start the server');
    expect(api.signIn).toHaveBeenCalledWith('', '');
  });

  it.each([
    ['Stop', 'run-2', 'stop'],
    ['Start', 'run-1', 'start']
  ] as const)('has a button %s that is wired', async (name, id, call) => {
    const api = fakeApi();
    const { model } = await show(api);
    await act(async () => {
      model.selection = { kind: 'run', account: 'embedded', id };
    });
    await press(name);
    expect(api[call]).toHaveBeenCalledWith('embedded', id);
  });

  it.each([
    ['Deploy', 'run'],
    ['Roll back to this', 'rollback']
  ] as const)('has a button %s on an older version', async (name, call) => {
    const api = fakeApi();
    const { model } = await show(api);
    await act(async () => {
      model.selection = { kind: 'version', account: 'embedded', id: 'version-1' };
    });
    await press(name);
    expect(api[call]).toHaveBeenCalledWith('embedded', 'version-1');
  });

  it('opens results and compares them', async () => {
    const done = { kind: 'backtest', state: 'succeeded' } as const;
    const versions = [version(1, [run('a', done), run('b', done)])];
    const models = [{ id: 'm', name: 'M', description: '', versions }];
    const projects = [{ id: 'p', name: 'P', description: '', models }];
    const overviewOf = jest.fn().mockResolvedValue(overview(account({ projects })));
    const { model, actions } = await show(fakeApi({ overview: overviewOf }));
    for (const id of ['a', 'b']) {
      await act(async () => {
        model.selection = { kind: 'run', account: 'embedded', id };
      });
      await press('Add to comparison');
    }
    await press('Open result');
    expect(actions.openResult).toHaveBeenCalledWith('embedded', 'b');
    await press('Compare');
    expect(actions.compare).toHaveBeenCalled();
  });

  it('is a tree that the keyboard walks', async () => {
    const { model, actions } = await show(fakeApi());
    const key = (name: string) =>
      act(async () => {
        box
          .querySelector('[role=tree]')
          ?.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
      });
    for (const name of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown']) {
      await key(name);
    }
    expect(model.selection).toEqual({ kind: 'run', account: 'embedded', id: 'run-2' });
    await key('Enter');
    expect(actions.openLogs).toHaveBeenCalledWith('embedded', 'run-2', 'RSI Model');
    await key('ArrowLeft');
    expect(model.selection?.kind).toBe('version');
    await key('ArrowLeft');
    expect(box.querySelectorAll('[role=treeitem]').length).toBe(5);
  });
});
