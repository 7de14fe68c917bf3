import { act } from 'react';

import { box, fill, press, show } from './box';
import { account, fakeApi, overview } from './data';

describe('the panel and its accounts', () => {
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
    const before = overview.mock.calls.length;
    await press('Try again');
    expect(overview).toHaveBeenCalledTimes(before + 1);
  });

  it('shows the first steps when nothing is deployed', async () => {
    const empty = overview(account({ projects: [] }));
    const { actions } = await show(fakeApi({ overview: jest.fn().mockResolvedValue(empty) }));
    await press('Open an example notebook');
    expect(actions.newExample).toHaveBeenCalled();
    await press('create a project');
    expect(box.querySelector('form[aria-label="New project"]')).not.toBeNull();
  });

  it('leads from nothing to an example, and to another server', async () => {
    const api = fakeApi({ overview: jest.fn().mockResolvedValue({ accounts: [], local: [] }) });
    const { actions } = await show(api);
    await press('Open an example notebook');
    expect(actions.newExample).toHaveBeenCalled();
    await press('Sign in to another server');
    await fill('input[type=url]', 'https://deploy.example');
    await fill('input[type=password]', 'secret');
    await press('Sign in');
    expect(api.signIn).toHaveBeenCalledWith('https://deploy.example', 'secret', 'blankly');
  });

  it('shows the backtests of this machine to who has no server yet', async () => {
    const local = [{ id: 'a', model: 'RSI', createdAt: 1000, description: '', summary: '+3 %' }];
    const api = fakeApi({ overview: jest.fn().mockResolvedValue({ accounts: [], local }) });
    await show(api);
    expect(box.querySelector('[role=tree]')?.textContent).toContain('RSI');
    await press('Start the server on this machine');
    expect(api.signIn).toHaveBeenCalledWith('', '');
    await press('Sign in to another server');
    expect(box.querySelector('form[aria-label="Sign in"]')).not.toBeNull();
  });

  it('asks to sign in again where a token is not taken any more', async () => {
    const gone = account({ id: 'b', embedded: false, state: 'signed-out', server: 'https://b' });
    const api = fakeApi({ overview: jest.fn().mockResolvedValue(overview(account(), gone)) });
    await show(api);
    expect(box.textContent).toContain('b does not take its token any more.');
    await press('Sign in again');
    expect(box.querySelector<HTMLInputElement>('input[type=url]')?.value).toBe('https://b');
    await press('Sign out');
    expect(api.signOut).toHaveBeenCalledWith('b');
  });

  it('asks a server again that does not answer', async () => {
    const off = account({ embedded: false, state: 'offline', server: 'https://b' });
    const api = fakeApi({ overview: jest.fn().mockResolvedValue(overview(off)) });
    await show(api);
    const before = api.overview.mock.calls.length;
    await press('Ask again');
    expect(api.overview).toHaveBeenCalledTimes(before + 1);
  });

  it('has a button for each thing about an account', async () => {
    const api = fakeApi();
    const { model } = await show(api);
    await act(async () => {
      model.selection = { kind: 'account', account: 'embedded', id: 'embedded' };
    });
    await press('Sign in to another server');
    expect(box.querySelector('form[aria-label="Sign in"]')).not.toBeNull();
    await press('Cancel');
    expect(box.querySelector('form')).toBeNull();
    await press('Stop the server');
    expect(api.signOut).toHaveBeenCalledWith('embedded');
    const before = api.overview.mock.calls.length;
    await press('Refresh');
    expect(api.overview).toHaveBeenCalledTimes(before + 1);
    await press('New project');
    await press('Cancel');
    expect(box.querySelector('form')).toBeNull();
    await press('New project');
    await fill('form input', 'Mine');
    await press('Create project');
    expect(api.createProject).toHaveBeenCalledWith('embedded', 'Mine', '');
  });

  it('offers to start a server on this machine that does not answer', async () => {
    const off = overview(account({ state: 'offline' }));
    const api = fakeApi({ overview: jest.fn().mockResolvedValue(off) });
    await show(api);
    expect(box.textContent).toContain('The server on this machine does not answer.');
    await press('Start the server');
    expect(api.signIn).toHaveBeenCalledWith('', '');
  });
});
