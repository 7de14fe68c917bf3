import { OverviewModel } from '../model';
import { IOverview } from '../types';
import { account, fakeApi, overview } from './data';

describe('OverviewModel', () => {
  it('keeps the last overview when Jupyter does not answer, and says why', async () => {
    const api = fakeApi();
    const model = new OverviewModel(api);
    await model.refresh();
    api.overview.mockRejectedValueOnce(new Error('gone'));
    await model.refresh();
    expect(model.overview).toEqual(overview());
    expect(model.error).toBe('gone');
    await model.refresh();
    expect(model.error).toBeNull();
  });

  it('does not let a late answer undo a newer one', async () => {
    let late: (value: IOverview) => void = () => undefined;
    const api = fakeApi();
    api.overview.mockReturnValueOnce(new Promise(resolve => (late = resolve)));
    const model = new OverviewModel(api);
    const slow = model.refresh();
    await model.refresh();
    late(overview(account({ state: 'offline' })));
    await slow;
    expect(model.overview?.accounts[0].state).toBe('online');
  });

  it('says what is under way, then asks for news', async () => {
    const api = fakeApi();
    const model = new OverviewModel(api);
    let during = '';
    await model.perform('Stopping it', async () => {
      during = model.pending;
    });
    expect(during).toBe('Stopping it');
    expect(model.pending).toBe('');
    expect(api.overview).toHaveBeenCalledTimes(1);
  });

  it('keeps why an action failed until the next one', async () => {
    const model = new OverviewModel(fakeApi());
    await model.perform('Stopping it', () => Promise.reject(new Error('It has ended.')));
    expect(model.problem).toBe('It has ended.');
    await model.perform('Starting it', () => Promise.resolve());
    expect(model.problem).toBeNull();
  });

  it('finds what is selected, with all that is above it', async () => {
    const model = new OverviewModel(fakeApi());
    await model.refresh();
    const found = model.find({ kind: 'run', account: 'embedded', id: 'run-1' });
    expect(found?.run?.id).toBe('run-1');
    expect(found?.version?.number).toBe(1);
    expect(found?.project?.name).toBe('RSI Models');
    expect(model.find({ kind: 'run', account: 'embedded', id: 'gone' })).toBeNull();
  });

  it('asks by itself only while the panel is in sight', async () => {
    const api = fakeApi();
    const model = new OverviewModel(api, 0.5);
    expect(api.overview).not.toHaveBeenCalled();
    const heard = new Promise<void>(resolve => model.changed.connect(() => resolve()));
    model.active = true;
    await heard;
    expect(api.overview).toHaveBeenCalled();
    model.dispose();
  });
});
