import * as React from 'react';

import { host } from '../format';
import { OverviewModel } from '../model';
import { IAccount } from '../types';

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

interface IOfflineProps {
  account: IAccount;
  model: OverviewModel;
}

/** A server that was there and does not answer now. */
export function Offline({ account, model }: IOfflineProps): JSX.Element {
  const name = account.embedded ? 'The server on this machine' : host(account.server);
  const start = () =>
    void model.perform('Starting the server on this machine', () => model.api.signIn('', ''));
  return (
    <section className="dm-Offline" role="alert">
      <strong>{name} does not answer.</strong>{' '}
      {account.embedded
        ? 'What was deployed is kept; start the server to go on.'
        : 'Check the address and your network. The panel keeps asking.'}
      <div className="dm-Buttons">
        {account.embedded ? (
          <button
            className="jp-mod-styled jp-mod-accept"
            disabled={model.pending !== ''}
            onClick={start}
          >
            Start the server
          </button>
        ) : (
          <button className="jp-mod-styled" onClick={() => void model.refresh()}>
            Ask again
          </button>
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
      <ol>
        <li>
          Write a strategy in a notebook, or{' '}
          <button className="dm-Link" onClick={onExample}>
            open an example
          </button>{' '}
          and run its cells.
        </li>
        <li>
          Select the strategy’s cell and press <strong>Backtest</strong> above the notebook.
        </li>
        <li>
          Press <strong>Deploy</strong>: it goes live on paper money and shows up here, with its
          state, logs and versions.
        </li>
      </ol>
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
