import * as React from 'react';

import { host, moment, percent, restartsOf, soon, stateLabel } from '../format';
import { IFound, OverviewModel } from '../model';
import { runOf } from '../tree';
import { ENDED, ILocalRun, IRun } from '../types';
import { AccountButtons, Choose, RunButtons, VersionButtons } from './Buttons';
import { IPanelActions } from './Panel';
import { Revisions } from './Revisions';
import { State } from './State';

interface IDetailsProps {
  model: OverviewModel;
  actions: IPanelActions;
  onSignIn(): void;
}

/** What is selected, and what can be done with it. */
export function Details({ model, actions, onSignIn }: IDetailsProps): JSX.Element {
  const { selection, overview } = model;
  const local = overview?.local.find(run => selection?.kind === 'local' && run.id === selection.id);
  if (local) {
    return <LocalDetails run={local} model={model} actions={actions} />;
  }
  const found = model.find(selection);
  if (!found?.account) {
    return <></>;
  }
  const run = runOf(found);
  return (
    <section className="dm-Details" aria-label="Selected">
      <h2>{titleOf(found)}</h2>
      <p className="dm-Description">{descriptionOf(found)}</p>
      {run && (found.version || found.model) && <RunLine run={run} />}
      <div className="dm-Buttons">
        <RunButtons found={found} run={run} model={model} actions={actions} />
        <VersionButtons found={found} model={model} actions={actions} />
        {selection?.kind === 'account' && (
          <AccountButtons found={found} model={model} onSignIn={onSignIn} />
        )}
      </div>
      <Revisions found={found} model={model} />
    </section>
  );
}

function titleOf(found: IFound): string {
  const { account, project, model, version, run } = found;
  if (run) {
    const kind = run.kind === 'live' ? 'Live run' : 'Backtest';
    return `${kind} of ${model?.name} ${version?.name}`;
  }
  if (version) {
    return `${model?.name} ${version.name}`;
  }
  return model?.name ?? project?.name ?? host(account?.server ?? '');
}

function descriptionOf({ account, project, model, version, run }: IFound): string {
  if (run || version) {
    const made = version?.createdAt ? `Deployed ${moment(version.createdAt)}` : '';
    const plan = version?.plan ? `plan ${version.plan}` : '';
    return [run?.description || version?.description, made, plan].filter(Boolean).join(' · ');
  }
  if (model || project) {
    return (model ?? project)?.description ?? '';
  }
  return [account?.platform, account?.server, account?.user].filter(Boolean).join(' · ');
}

function RunLine({ run }: { run: IRun }): JSX.Element {
  const since = run.endedAt ?? run.startedAt ?? run.createdAt;
  const live = run.real ? 'Live run with real orders' : 'Live run on paper';
  const kind = [run.kind === 'live' ? live : 'Backtest', restartsOf(run)].filter(Boolean);
  const before = run.error && run.restarts > 0 && !ENDED.has(run.state) ? 'Last error: ' : '';
  return (
    <>
      <p className="dm-RunLine">
        <State state={run.state} text={stateLabel(run)} />
        <span>
          {kind.join(', ')}, {run.endedAt ? 'ended' : 'since'} {moment(since)}
        </span>
      </p>
      {run.state === 'running' && run.progress !== null && run.kind === 'backtest' && (
        <progress max={1} value={run.progress} aria-label="Progress of the backtest">
          {percent(run.progress)}
        </progress>
      )}
      {run.facts.length > 0 && (
        <dl className="dm-Facts">
          {run.facts.map(([name, text]) => (
            <React.Fragment key={name}>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </React.Fragment>
          ))}
        </dl>
      )}
      {run.error && (
        <p className="dm-Problem">
          {before}
          {run.error}
        </p>
      )}
      {run.nextTry !== null && <p>The next try: {soon(run.nextTry)}.</p>}
    </>
  );
}

interface ILocalDetailsProps {
  run: ILocalRun;
  model: OverviewModel;
  actions: IPanelActions;
}

function LocalDetails({ run, model, actions }: ILocalDetailsProps): JSX.Element {
  const item = { account: null, run: run.id };
  return (
    <section className="dm-Details" aria-label="Selected">
      <h2>Backtest of {run.model}</h2>
      <p className="dm-Description">
        {[run.description, run.summary, moment(run.createdAt)].filter(Boolean).join(' · ')}
      </p>
      <div className="dm-Buttons">
        <button
          className="jp-mod-styled jp-mod-accept"
          onClick={() => actions.openResult(null, run.id)}
        >
          Open result
        </button>
        <Choose model={model} item={item} />
      </div>
    </section>
  );
}
