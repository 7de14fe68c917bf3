import * as React from 'react';

import { panelIcon } from '../icons';
import { OverviewModel } from '../model';

interface ISignInProps {
  model: OverviewModel;
  server: string;
  /** Say what this is all about: nobody is signed in yet. */
  welcome?: boolean;
  onDone?(): void;
}

export function SignIn({ model, server, welcome, onDone }: ISignInProps): JSX.Element {
  const [address, setAddress] = React.useState(server);
  const [token, setToken] = React.useState('');
  const [platform, setPlatform] = React.useState('blankly');
  const [other, setOther] = React.useState(!welcome || server !== '');
  const busy = model.pending !== '';

  const signIn = async (to: string, secret: string) => {
    const label = to ? `Signing in to ${to}` : 'Starting the server on this machine';
    await model.perform(label, () =>
      secret ? model.api.signIn(to, secret, platform) : model.api.signIn(to, secret)
    );
    if (model.problem === null) {
      setToken('');
      onDone?.();
    }
  };
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    void signIn(address.trim(), token);
  };
  return (
    <section className="dm-SignIn" aria-label="Sign in">
      {welcome && (
        <>
          <panelIcon.react tag="div" className="dm-Hero" aria-hidden="true" />
          <h2>From a cell to a running model</h2>
          <p>
            Your projects, their models, versions and runs appear here. Models run on a deployment
            server: start the one that comes with deploy_magics, or sign in to your team’s.
          </p>
        </>
      )}
      <button
        className="jp-mod-styled jp-mod-accept dm-Wide"
        disabled={busy}
        onClick={() => void signIn('', '')}
      >
        Start the server on this machine
      </button>
      <button
        className="dm-Link"
        aria-expanded={other}
        aria-controls="dm-sign-in-form"
        onClick={() => setOther(!other)}
      >
        Sign in to another server
      </button>
      <form id="dm-sign-in-form" className="dm-Form" hidden={!other} onSubmit={submit}>
        <label>
          Platform
          <select
            className="jp-mod-styled"
            value={platform}
            onChange={event => setPlatform(event.target.value)}
          >
            <option value="blankly">deploy_magics or Blankly</option>
            <option value="ubiops">UbiOps</option>
          </select>
        </label>
        <label>
          Server address
          <input
            className="jp-mod-styled"
            type="url"
            required={platform === 'blankly'}
            placeholder={
              platform === 'ubiops' ? 'https://api.ubiops.com/v2.1' : 'https://deploy.example'
            }
            value={address}
            onChange={event => setAddress(event.target.value)}
          />
        </label>
        <label>
          Token
          <input
            className="jp-mod-styled"
            type="password"
            required
            autoComplete="off"
            aria-describedby="dm-token-help"
            value={token}
            onChange={event => setToken(event.target.value)}
          />
        </label>
        <p id="dm-token-help" className="dm-Hint">
          Who runs the server makes one with <code>deploy-magics token create</code>. It is checked
          before it is kept.
        </p>
        <div className="dm-Buttons">
          {onDone && (
            <button type="button" className="jp-mod-styled jp-mod-reject" onClick={onDone}>
              Cancel
            </button>
          )}
          <button type="submit" className="jp-mod-styled jp-mod-accept" disabled={busy}>
            Sign in
          </button>
        </div>
      </form>
    </section>
  );
}
