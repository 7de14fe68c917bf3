import * as React from 'react';

import { OverviewModel } from '../model';

/** What a sign-in form begins with. */
export interface IAddress {
  server: string;
  platform: string;
}

interface ISignInProps {
  model: OverviewModel;
  start: IAddress;
  onDone(): void;
}

/** Sign in to a server: its address and a token, which is checked before it is kept. */
export function SignIn({ model, start, onDone }: ISignInProps): JSX.Element {
  const [address, setAddress] = React.useState(start.server);
  const [token, setToken] = React.useState('');
  const [platform, setPlatform] = React.useState(start.platform);
  const first = React.useRef<HTMLSelectElement>(null);
  React.useEffect(() => first.current?.focus(), []);

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    const server = address.trim();
    await model.perform(`Signing in to ${server || platform}`, () =>
      model.api.signIn(server, token, platform)
    );
    if (model.problem === null) {
      onDone();
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      onDone();
    }
  };
  return (
    <form
      className="dm-Form"
      aria-label="Sign in"
      onSubmit={event => void submit(event)}
      onKeyDown={onKeyDown}
    >
      <label>
        Platform
        <select
          ref={first}
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
        {platform === 'ubiops' ? (
          <>UbiOps shows a token once, when a service user is made. </>
        ) : (
          <>
            Who runs the server makes one with <code>deploy-magics token create</code>.{' '}
          </>
        )}
        It is checked before it is kept.
      </p>
      <div className="dm-Buttons">
        <button type="button" className="jp-mod-styled jp-mod-reject" onClick={onDone}>
          Cancel
        </button>
        <button
          type="submit"
          className="jp-mod-styled jp-mod-accept"
          disabled={model.pending !== ''}
        >
          Sign in
        </button>
      </div>
    </form>
  );
}
