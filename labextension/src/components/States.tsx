import * as React from 'react';

import { host } from '../format';
import { panelIcon } from '../icons';
import { OverviewModel } from '../model';
import { IAccount } from '../types';
import { IAddress, SignIn } from './SignIn';

/** Before the first answer. */
export function Loading(): JSX.Element {
  return (
    <div className="dm-Loading" role="status">
      <div className="dm-Skeleton" />
      <div className="dm-Skeleton" />
      <div className="dm-Skeleton" />
      Looking for your projects…
    </div>
  );
}

/** The server extension itself is not there. */
export function Unavailable({ model }: { model: OverviewModel }): JSX.Element {
  return (
    <section className="dm-State">
      <h2>The panel cannot reach its server side</h2>
      <p role="alert">{model.error}</p>
      <button className="jp-mod-styled jp-mod-accept" onClick={() => void model.refresh()}>
        Try again
      </button>
    </section>
  );
}

const STARTING = 'Starting the server on this machine';

function StartServer({ model, label }: { model: OverviewModel; label: string }): JSX.Element {
  return (
    <button
      className="jp-mod-styled jp-mod-accept"
      disabled={model.pending !== ''}
      onClick={() => void model.perform(STARTING, () => model.api.signIn('', ''))}
    >
      {label}
    </button>
  );
}

interface IWelcomeProps {
  model: OverviewModel;
  server: string;
  onExample(): void;
}

/** Nobody is signed in and nothing was run yet: what this is about, and the whole way. */
export function Welcome({ model, server, onExample }: IWelcomeProps): JSX.Element {
  const [form, setForm] = React.useState(server !== '');
  return (
    <section className="dm-State" aria-label="Welcome">
      <panelIcon.react tag="div" className="dm-Hero" aria-hidden="true" />
      <h2>From a cell to a running model</h2>
      <p>Your projects, their models, versions and runs will appear here. The way there:</p>
      <Way onExample={onExample}>
        <li>
          Start a deployment server: the one that comes with deploy_magics runs here, with no
          account.
          <div className="dm-Buttons">
            <StartServer model={model} label="Start the server on this machine" />
          </div>
        </li>
      </Way>
      <button className="dm-Link" aria-expanded={form} onClick={() => setForm(!form)}>
        Sign in to another server
      </button>
      {form && (
        <SignIn
          model={model}
          start={{ server, platform: 'blankly' }}
          onDone={() => setForm(false)}
        />
      )}
    </section>
  );
}

/** The steps from a notebook to a running model, after those that are given. */
function Way({
  onExample,
  children
}: {
  onExample(): void;
  children?: React.ReactNode;
}): JSX.Element {
  return (
    <ol>
      {children}
      <li>
        <button className="dm-Link" onClick={onExample}>
          Open an example notebook
        </button>
        , or your own, and run the cells above the strategy.
      </li>
      <li>
        Click on the strategy’s cell and press <strong>Backtest</strong> above the notebook.
      </li>
      <li>
        Press <strong>Deploy</strong> beside it: the model goes live on paper money and shows up
        here, with its state, logs and versions.
      </li>
    </ol>
  );
}

interface INoServerProps {
  model: OverviewModel;
  onSignIn(): void;
}

/** There are backtests of this machine, and no server yet that models could run on. */
export function NoServer({ model, onSignIn }: INoServerProps): JSX.Element {
  return (
    <section className="dm-State" aria-label="Next step">
      <h2>Deploy one of them</h2>
      <p>
        A deployed model runs on a server: start the one that comes with deploy_magics, or sign in
        to your team’s. Then press <strong>Deploy</strong> above the notebook.
      </p>
      <div className="dm-Buttons">
        <StartServer model={model} label="Start the server on this machine" />
        <button className="jp-mod-styled" onClick={onSignIn}>
          Sign in to another server
        </button>
      </div>
    </section>
  );
}

interface IAccountNoticeProps {
  account: IAccount;
  model: OverviewModel;
  onSignIn(address: IAddress): void;
}

/** A server that does not answer, or does not take the token any more; nothing for the others. */
export function AccountNotice({ account, model, onSignIn }: IAccountNoticeProps): JSX.Element {
  if (account.state === 'online') {
    return <></>;
  }
  const { id, platform, server, embedded, state } = account;
  const name = embedded ? 'The server on this machine' : host(server);
  const away = state === 'offline';
  const next = embedded
    ? 'What was deployed is kept; start the server to go on.'
    : away
      ? 'Check the address and your network. The panel keeps asking.'
      : 'Sign in again with a new token.';
  return (
    <section className="dm-Offline" role="alert">
      <strong>
        {name} {away ? 'does not answer.' : 'does not take its token any more.'}
      </strong>{' '}
      {next}
      <div className="dm-Buttons">
        {embedded && <StartServer model={model} label="Start the server" />}
        {!embedded && away && (
          <button className="jp-mod-styled" onClick={() => void model.refresh()}>
            Ask again
          </button>
        )}
        {!embedded && !away && (
          <>
            <button
              className="jp-mod-styled jp-mod-accept"
              onClick={() => onSignIn({ server, platform })}
            >
              Sign in again
            </button>
            <button
              className="jp-mod-styled"
              onClick={() => void model.perform('Signing out', () => model.api.signOut(id))}
            >
              Sign out
            </button>
          </>
        )}
      </div>
    </section>
  );
}

interface INoProjectsProps {
  onExample(): void;
  onCreate(): void;
}

/** Signed in, and nothing is deployed: the way from a notebook to a running model. */
export function NoProjects({ onExample, onCreate }: INoProjectsProps): JSX.Element {
  return (
    <section className="dm-State" aria-label="First steps">
      <h2>Nothing is deployed yet</h2>
      <Way onExample={onExample} />
      <p>
        Models are kept in projects:{' '}
        <button className="dm-Link" onClick={onCreate}>
          create a project
        </button>{' '}
        of your own, or use the one that is there.
      </p>
    </section>
  );
}
