import { UseSignal, addIcon, refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { OverviewModel } from '../model';
import { rowsOf } from '../tree';
import { IAccount } from '../types';
import { CreateProject } from './CreateProject';
import { Details } from './Details';
import { IconButton } from './IconButton';
import { IAddress, SignIn } from './SignIn';
import { AccountNotice, Loading, NoProjects, NoServer, Unavailable, Welcome } from './States';
import { Tree } from './Tree';

/** What the panel asks of the application around it. */
export interface IPanelActions {
  openLogs(account: string, run: string, title: string): void;
  openActivity(account: string, version: string, title: string): void;
  openResult(account: string | null, run: string): void;
  compare(): void;
  newExample(): void;
}

interface IPanelProps {
  model: OverviewModel;
  actions: IPanelActions;
  /** The address that the settings name, empty for this machine's own server. */
  server: string;
}

export function Panel(props: IPanelProps): JSX.Element {
  return <UseSignal signal={props.model.changed}>{() => <Contents {...props} />}</UseSignal>;
}

function Contents({ model, actions, server }: IPanelProps): JSX.Element {
  const [query, setQuery] = React.useState('');
  const [toggled, setToggled] = React.useState<ReadonlySet<string>>(new Set());
  const [form, setForm] = React.useState<'project' | IAddress | null>(null);
  const opener = React.useRef<Element | null>(null);
  const open = (next: 'project' | IAddress) => {
    opener.current = document.activeElement;
    setForm(next);
  };
  const close = () => {
    setForm(null);
    if (opener.current instanceof HTMLElement && opener.current.isConnected) {
      opener.current.focus();
    }
  };
  const overview = model.overview;

  if (!overview) {
    return model.error ? <Unavailable model={model} /> : <Loading />;
  }
  const { accounts, local } = overview;
  if (accounts.length === 0 && local.length === 0) {
    return (
      <>
        <Welcome model={model} server={server} onExample={actions.newExample} />
        <Notices model={model} />
      </>
    );
  }
  const able = accounts.filter(
    account => account.state === 'online' && account.steps.includes('create-project')
  );
  const rows = rowsOf(overview, query, toggled);
  const toggle = (key: string) => {
    const next = new Set(toggled);
    if (!next.delete(key)) {
      next.add(key);
    }
    setToggled(next);
  };
  return (
    <>
      <div className="dm-Header" role="toolbar" aria-label="Projects">
        <input
          type="search"
          className="jp-mod-styled dm-Search"
          placeholder="Search"
          aria-label="Search models, versions and runs"
          value={query}
          onChange={event => setQuery(event.target.value)}
        />
        {able.length > 0 && (
          <IconButton
            icon={addIcon}
            label="New project"
            onClick={() => (form === 'project' ? close() : open('project'))}
          />
        )}
        <IconButton icon={refreshIcon} label="Refresh" onClick={() => void model.refresh()} />
      </div>
      <Notices model={model} />
      {form === 'project' && <CreateProject model={model} accounts={able} onDone={close} />}
      {form !== null && form !== 'project' && (
        <SignIn key={form.server} model={model} start={form} onDone={close} />
      )}
      {accounts.map(account => (
        <AccountNotice key={account.id} account={account} model={model} onSignIn={open} />
      ))}
      <div className="dm-Body">
        {rows.length > 0 && (
          <Tree rows={rows} model={model} actions={actions} onToggle={toggle} />
        )}
        {query && rows.length === 0 && <p className="dm-Hint">Nothing matches “{query}”.</p>}
        {!query && accounts.length === 0 && form === null && (
          <NoServer model={model} onSignIn={() => open({ server, platform: 'blankly' })} />
        )}
        {!query && able.length > 0 && able.every(isEmpty) && (
          <NoProjects onExample={actions.newExample} onCreate={() => open('project')} />
        )}
      </div>
      <CompareBar model={model} actions={actions} />
      <Details
        model={model}
        actions={actions}
        onSignIn={() => open({ server, platform: 'blankly' })}
      />
    </>
  );
}

function isEmpty(account: IAccount): boolean {
  return account.projects.every(project => project.models.length === 0);
}

/** What is under way, and what went wrong; read out by screen readers. */
function Notices({ model }: { model: OverviewModel }): JSX.Element {
  const trouble = model.problem ?? model.error;
  return (
    <>
      <div role="status" className="dm-Pending">
        {model.pending && `${model.pending}…`}
      </div>
      <div role="alert" className="dm-Problem">
        {trouble}
      </div>
    </>
  );
}

function CompareBar({ model, actions }: Pick<IPanelProps, 'model' | 'actions'>): JSX.Element {
  const count = model.chosen.length;
  if (count === 0) {
    return <></>;
  }
  return (
    <div className="dm-CompareBar">
      <span>{count === 1 ? '1 backtest: add another' : `${count} backtests`}</span>
      <button className="jp-mod-styled" onClick={() => model.clearChosen()}>
        Clear
      </button>
      <button
        className="jp-mod-styled jp-mod-accept"
        disabled={count < 2}
        onClick={() => actions.compare()}
      >
        Compare
      </button>
    </div>
  );
}
