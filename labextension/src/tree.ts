import { ago, host, restartsOf, stateLabel } from './format';
import { IFound, ISelection } from './model';
import { IAccount, IModel, IOverview, IProject, IRun, IVersion, RunState } from './types';

/** One visible row of the tree. */
export interface IRow {
  key: string;
  selection: ISelection;
  level: number;
  label: string;
  detail: string;
  state: RunState | null;
  stateText: string;
  time: string;
  /** Null for a leaf. */
  expanded: boolean | null;
  position: number;
  siblings: number;
}

interface INode {
  selection: ISelection;
  label: string;
  detail: string;
  state?: RunState | null;
  stateText?: string;
  time?: string;
  /** What a search looks at. */
  words: string;
  children: INode[];
}

const LOCAL: ISelection = { kind: 'local', account: null, id: '' };

/** A key that is the same for the same thing in every overview. */
export function keyOf(selection: ISelection): string {
  return [selection.kind, selection.account ?? '', selection.id].join('|');
}

/**
 * The rows to show: what matches `query` (all words, anywhere on the way down), with what is
 * above and below a match; folded away is what `toggled` says, older versions by themselves.
 */
export function rowsOf(
  overview: IOverview,
  query: string,
  toggled: ReadonlySet<string>,
  now?: number
): IRow[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const nodes = nodesOf(overview, now).flatMap(node => filtered(node, words, ''));
  const rows: IRow[] = [];
  flatten(nodes, 1, toggled, words.length > 0, rows);
  return rows;
}

/** Of more models than this in a project only the names are shown at first. */
const MANY_MODELS = 20;

/** Whether a node is open before the user has said anything. */
function opensByItself({ kind }: ISelection, position: number, siblings: number): boolean {
  return kind === 'version' ? position === 1 : kind !== 'model' || siblings <= MANY_MODELS;
}

function flatten(
  nodes: INode[],
  level: number,
  toggled: ReadonlySet<string>,
  all: boolean,
  rows: IRow[]
): void {
  nodes.forEach((node, index) => {
    const key = keyOf(node.selection);
    const leaf = node.children.length === 0;
    const open = all || opensByItself(node.selection, index + 1, nodes.length) !== toggled.has(key);
    rows.push({
      key,
      selection: node.selection,
      level,
      label: node.label,
      detail: node.detail,
      state: node.state ?? null,
      stateText: node.stateText ?? '',
      time: node.time ?? '',
      expanded: leaf ? null : open,
      position: index + 1,
      siblings: nodes.length
    });
    if (open) {
      flatten(node.children, level + 1, toggled, all, rows);
    }
  });
}

function filtered(node: INode, words: string[], above: string): INode[] {
  const text = `${above} ${node.words}`.toLowerCase();
  if (words.every(word => text.includes(word))) {
    return [node];
  }
  const children = node.children.flatMap(child => filtered(child, words, text));
  return children.length > 0 ? [{ ...node, children }] : [];
}

function nodesOf(overview: IOverview, now?: number): INode[] {
  const signedIn = overview.accounts.filter(account => account.state !== 'signed-out');
  const nodes = signedIn.map(account => accountNode(account, now));
  if (overview.local.length > 0) {
    nodes.push({
      selection: LOCAL,
      label: 'Backtests on this machine',
      detail: '',
      words: 'local backtest',
      children: overview.local.map(run => ({
        selection: { kind: 'local', account: null, id: run.id },
        label: run.model,
        detail: run.summary || run.description,
        time: ago(run.createdAt, now),
        words: `${run.model} ${run.description} ${run.summary}`,
        children: []
      }))
    });
  }
  return nodes;
}

function accountNode(account: IAccount, now?: number): INode {
  const label = account.embedded ? 'This machine' : host(account.server);
  return {
    selection: { kind: 'account', account: account.id, id: account.id },
    label,
    detail: account.state === 'offline' ? 'does not answer' : account.user,
    words: `${label} ${account.platform}`,
    children: account.projects.map(project => projectNode(account, project, now))
  };
}

function projectNode(account: IAccount, project: IProject, now?: number): INode {
  return {
    selection: { kind: 'project', account: account.id, id: project.id },
    label: project.name,
    detail: project.description,
    words: `${project.name} ${project.description}`,
    children: project.models.map(model => modelNode(account, model, now))
  };
}

function modelNode(account: IAccount, model: IModel, now?: number): INode {
  const live = liveRun(model);
  return {
    selection: { kind: 'model', account: account.id, id: model.id },
    label: model.name,
    detail: model.description,
    state: live?.state,
    stateText: live ? stateLabel(live) : '',
    words: `${model.name} ${model.description}`,
    children: model.versions.map(version => versionNode(account, version, now))
  };
}

function versionNode(account: IAccount, version: IVersion, now?: number): INode {
  return {
    selection: { kind: 'version', account: account.id, id: version.id },
    label: version.name,
    detail: [version.default ? 'default' : '', version.description].filter(Boolean).join(' · '),
    state: version.status ? version.state : null,
    stateText: version.status,
    time: ago(version.createdAt, now),
    words: `${version.name} ${version.description} ${version.plan}`,
    children: version.runs.map(run => runNode(account, version, run, now))
  };
}

function runNode(account: IAccount, version: IVersion, run: IRun, now?: number): INode {
  const word = stateLabel(run);
  // a run made with its version says the same
  const description = run.description === version.description ? '' : run.description;
  return {
    selection: { kind: 'run', account: account.id, id: run.id },
    label: run.kind === 'live' ? 'Live run' : 'Backtest',
    detail: [restartsOf(run), description].filter(Boolean).join(' · '),
    state: run.state,
    stateText: word,
    time: ago(run.startedAt ?? run.createdAt, now),
    words: `${run.kind} ${word} ${run.description}`,
    children: []
  };
}

/** The live run that stands for a model: the one that goes on, or else the newest. */
export function liveRun(model: IModel): IRun | undefined {
  const runs = model.versions.flatMap(version => version.runs).filter(run => run.kind === 'live');
  const going = runs.find(run => ['running', 'building', 'queued'].includes(run.state));
  return going ?? runs[0];
}

/** The run that a selection is about: itself, or the latest one of its version or model. */
export function runOf(found: IFound | null): IRun | undefined {
  if (!found) {
    return undefined;
  }
  if (found.run) {
    return found.run;
  }
  if (found.version) {
    return found.version.runs[0];
  }
  return found.model ? liveRun(found.model) : undefined;
}
