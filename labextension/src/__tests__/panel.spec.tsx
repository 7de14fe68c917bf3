import { act } from 'react';

import { IAccount, IRevision, IRun, RunStep } from '../types';
import { box, press, show } from './box';
import { account, fakeApi, overview, run, version } from './data';

function ubiops(): IAccount {
  const versions = [
    version(1, [], '', {
      id: 'demo:rsi:v1',
      name: 'v1',
      state: 'succeeded',
      status: 'available',
      steps: ['revisions', 'activity', 'make-default']
    })
  ];
  const models = [{ id: 'demo:rsi', name: 'rsi', description: '', versions }];
  return account({
    id: 'ubiops x',
    platform: 'ubiops',
    embedded: false,
    steps: [],
    projects: [{ id: 'demo', name: 'demo', description: '', models }]
  });
}

function revision(id: string, changes: Partial<IRevision>): IRevision {
  return {
    id: `demo:rsi:v1:${id}`,
    name: id,
    state: 'succeeded',
    status: 'success',
    serves: false,
    createdAt: 1000,
    by: 'me',
    error: null,
    steps: ['activate'],
    ...changes
  };
}

const labels = () => [...box.querySelectorAll('.dm-Details button')].map(each => each.textContent);

describe('the panel', () => {
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

  it('offers on UbiOps what there is, and nothing else', async () => {
    const revisions = jest.fn().mockResolvedValue([
      revision('bbbb', { state: 'failed', status: 'failed', error: 'No module' }),
      revision('aaaa', { serves: true, steps: [] })
    ]);
    const overviewOf = jest.fn().mockResolvedValue(overview(ubiops()));
    const api = fakeApi({ overview: overviewOf, revisions });
    const { model, actions } = await show(api);
    await act(async () => {
      model.selection = { kind: 'version', account: 'ubiops x', id: 'demo:rsi:v1' };
    });
    expect(labels()).toEqual(['Make default', 'Activity', 'Serve again']);
    expect(box.querySelector('[aria-label="New project"]')).toBeNull();
    expect(box.querySelector('.dm-Revisions')?.textContent).toContain('No module');
    await press('Serve again');
    expect(api.activate).toHaveBeenCalledWith('ubiops x', 'demo:rsi:v1:bbbb');
    await press('Make default');
    expect(api.makeDefault).toHaveBeenCalledWith('ubiops x', 'demo:rsi:v1');
    await press('Activity');
    expect(actions.openActivity).toHaveBeenCalledWith('ubiops x', 'demo:rsi:v1', 'rsi');
  });

  it('says that a run fell, why, and when it is tried again', async () => {
    const nextTry = Date.now() / 1000 + 30;
    const fallen: Partial<IRun> = {
      state: 'queued',
      restarts: 1,
      error: 'No answer',
      nextTry,
      facts: [['holds', '3 BTC']]
    };
    const models = [
      { id: 'm', name: 'M', description: '', versions: [version(1, [run('r', fallen)])] }
    ];
    const projects = [{ id: 'p', name: 'P', description: '', models }];
    const overviewOf = jest.fn().mockResolvedValue(overview(account({ projects })));
    const { model } = await show(fakeApi({ overview: overviewOf }));
    await act(async () => {
      model.selection = { kind: 'run', account: 'embedded', id: 'r' };
    });
    const details = box.querySelector('.dm-Details')?.textContent;
    expect(details).toContain('restarting');
    expect(details).toContain('Live run on paper, 1 restart');
    expect(details).toContain('holds3 BTC');
    expect(details).toContain('Last error: No answer');
    expect(details).toMatch(/The next try: in \d+ s/);
  });

  it('opens logs and results, of this machine too', async () => {
    const local = [{ id: 'a', model: 'RSI', createdAt: 1000, description: '', summary: '+3 %' }];
    const overviewOf = jest.fn().mockResolvedValue({ accounts: [account()], local });
    const { model, actions } = await show(fakeApi({ overview: overviewOf }));
    await act(async () => {
      model.selection = { kind: 'run', account: 'embedded', id: 'run-2' };
    });
    await press('Logs');
    expect(actions.openLogs).toHaveBeenCalledWith('embedded', 'run-2', 'RSI Model');
    await act(async () => {
      model.selection = { kind: 'local', account: null, id: 'a' };
    });
    await press('Open result');
    expect(actions.openResult).toHaveBeenCalledWith(null, 'a');
    await press('Add to comparison');
    expect(model.chosen).toEqual([{ account: null, run: 'a' }]);
    await press('Leave comparison');
    expect(model.chosen).toEqual([]);
  });

  it('opens results and compares them', async () => {
    const steps: RunStep[] = ['result', 'compare', 'logs'];
    const done = { kind: 'backtest', state: 'succeeded', steps } as const;
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
    await press('Clear');
    expect(model.chosen).toEqual([]);
  });

  it('folds a branch at its caret', async () => {
    await show(fakeApi());
    const rows = () => box.querySelectorAll('[role=treeitem]').length;
    const before = rows();
    await act(async () => box.querySelector<HTMLElement>('.dm-Caret')?.click());
    expect([before, rows()]).toEqual([6, 1]);
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
