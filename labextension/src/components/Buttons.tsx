import * as React from 'react';

import { IChosen, IFound, OverviewModel } from '../model';
import { ENDED, IRun } from '../types';
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
  const item = { account, run: run.id };
  const going = !ENDED.has(run.state);
  const result = run.kind === 'backtest' && run.state === 'succeeded';
  return (
    <>
      {result && (
        <button
          className="jp-mod-styled jp-mod-accept"
          onClick={() => actions.openResult(account, run.id)}
        >
          Open result
        </button>
      )}
      {result && found.run && <Choose model={model} item={item} />}
      <button className="jp-mod-styled" onClick={() => actions.openLogs(account, run.id, name)}>
        Logs
      </button>
      {going && (
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
      {!going && run.kind === 'live' && found.run && (
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

export function VersionButtons({ found, model }: { found: IFound; model: OverviewModel }): JSX.Element {
  const { account, version, run } = found;
  const siblings = found.model?.versions ?? [];
  if (!account || !version || run || account.platform !== 'blankly') {
    return <></>;
  }
  const name = `${found.model?.name} ${version.name}`;
  const newest = siblings.every(each => each.number <= version.number);
  const going = version.runs.some(each => each.kind === 'live' && !ENDED.has(each.state));
  return (
    <>
      {!going && (
        <button
          className="jp-mod-styled jp-mod-accept"
          disabled={account.state !== 'online'}
          title="Runs this version live, on paper money"
          onClick={() =>
            void model.perform(`Deploying ${name}`, () => model.api.run(account.id, version.id))
          }
        >
          Deploy
        </button>
      )}
      {!newest && (
        <button
          className="jp-mod-styled"
          disabled={account.state !== 'online'}
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
