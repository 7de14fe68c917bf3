import * as React from 'react';

import { IChosen, IFound, OverviewModel } from '../model';
import { IRun, RunStep, VersionStep } from '../types';
import { IPanelActions } from './Panel';

/** Put a backtest into the comparison, or take it out. */
export function Choose({ model, item }: { model: OverviewModel; item: IChosen }): JSX.Element {
  return (
    <button
      className="jp-mod-styled"
      aria-pressed={model.isChosen(item)}
      onClick={() => model.toggleChosen(item)}
    >
      {model.isChosen(item) ? 'Leave comparison' : 'Add to comparison'}
    </button>
  );
}

interface IRunButtonsProps {
  found: IFound;
  run: IRun | undefined;
  model: OverviewModel;
  actions: IPanelActions;
}

export function RunButtons({ found, run, model, actions }: IRunButtonsProps): JSX.Element {
  const account = found.account?.id;
  const away = found.account?.state !== 'online';
  if (!run || !account) {
    return <></>;
  }
  const name = `${found.model?.name}`;
  const can = (step: RunStep) => run.steps.includes(step);
  return (
    <>
      {can('result') && (
        <button
          className="jp-mod-styled jp-mod-accept"
          onClick={() => actions.openResult(account, run.id)}
        >
          Open result
        </button>
      )}
      {can('compare') && found.run && <Choose model={model} item={{ account, run: run.id }} />}
      {can('logs') && (
        <button className="jp-mod-styled" onClick={() => actions.openLogs(account, run.id, name)}>
          Logs
        </button>
      )}
      {can('stop') && (
        <button
          className="jp-mod-styled jp-mod-warn"
          disabled={away}
          onClick={() =>
            void model.perform(`Stopping ${name}`, () => model.api.stop(account, run.id))
          }
        >
          Stop
        </button>
      )}
      {can('start') && found.run && (
        <button
          className="jp-mod-styled"
          disabled={away}
          onClick={() =>
            void model.perform(`Starting ${name}`, () => model.api.start(account, run.id))
          }
        >
          Start
        </button>
      )}
    </>
  );
}

interface IVersionButtonsProps {
  found: IFound;
  model: OverviewModel;
  actions: IPanelActions;
}

export function VersionButtons({ found, model, actions }: IVersionButtonsProps): JSX.Element {
  const { account, version, run } = found;
  if (!account || !version || run) {
    return <></>;
  }
  const name = `${found.model?.name} ${version.name}`;
  const can = (step: VersionStep) => version.steps.includes(step);
  const away = account.state !== 'online';
  return (
    <>
      {can('run') && (
        <button
          className="jp-mod-styled jp-mod-accept"
          disabled={away}
          title="Runs this version live, on paper money"
          onClick={() =>
            void model.perform(`Deploying ${name}`, () => model.api.run(account.id, version.id))
          }
        >
          Deploy
        </button>
      )}
      {can('rollback') && (
        <button
          className="jp-mod-styled"
          disabled={away}
          title="Makes a new version that equals this one"
          onClick={() =>
            void model.perform(`Rolling back to ${name}`, () =>
              model.api.rollback(account.id, version.id)
            )
          }
        >
          Roll back to this
        </button>
      )}
      {can('make-default') && (
        <button
          className="jp-mod-styled"
          disabled={away}
          title="Requests that name no version go to this one from then on"
          onClick={() =>
            void model.perform(`Making ${name} the default`, () =>
              model.api.makeDefault(account.id, version.id)
            )
          }
        >
          Make default
        </button>
      )}
      {can('activity') && (
        <button
          className="jp-mod-styled"
          title="Who changed what, and when"
          onClick={() => actions.openActivity(account.id, version.id, `${found.model?.name}`)}
        >
          Activity
        </button>
      )}
    </>
  );
}

interface IAccountButtonsProps {
  found: IFound;
  model: OverviewModel;
  onSignIn(): void;
}

export function AccountButtons({ found, model, onSignIn }: IAccountButtonsProps): JSX.Element {
  const { id, embedded, state } = found.account ?? { id: '', embedded: false, state: 'offline' };
  const leaving = embedded ? 'Stopping the server on this machine' : 'Signing out';
  return (
    <>
      <button className="jp-mod-styled" onClick={onSignIn}>
        Sign in to another server
      </button>
      {(!embedded || state === 'online') && (
        <button
          className="jp-mod-styled jp-mod-warn"
          title={embedded ? 'Ends the server and every run on it; what was deployed is kept' : ''}
          onClick={() => void model.perform(leaving, () => model.api.signOut(id))}
        >
          {embedded ? 'Stop the server' : 'Sign out'}
        </button>
      )}
    </>
  );
}
