import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { OverviewModel } from '../model';
import { IRow, keyOf } from '../tree';
import { IPanelActions } from './Panel';
import { State } from './State';
import { activate } from './activate';

interface ITreeProps {
  rows: IRow[];
  model: OverviewModel;
  actions: IPanelActions;
  onToggle(key: string): void;
}

/** The tree of projects, with the keys that trees have (WAI-ARIA, tree view pattern). */
export function Tree({ rows, model, actions, onToggle }: ITreeProps): JSX.Element {
  const list = React.useRef<HTMLUListElement>(null);
  const selected = model.selection ? keyOf(model.selection) : '';
  const found = rows.findIndex(row => row.key === selected);
  const current = found < 0 ? 0 : found;

  const select = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    model.selection = row.selection;
    requestAnimationFrame(() =>
      list.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus()
    );
  };
  const parent = (index: number) => {
    const level = rows[index].level;
    return rows.slice(0, index).reduce((last, row, at) => (row.level < level ? at : last), index);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const row = rows[current];
    const keys: { [key: string]: () => void } = {
      ArrowDown: () => select(current + 1),
      ArrowUp: () => select(current - 1),
      Home: () => select(0),
      End: () => select(rows.length - 1),
      ArrowRight: () => (row.expanded === false ? onToggle(row.key) : select(current + 1)),
      ArrowLeft: () => (row.expanded ? onToggle(row.key) : select(parent(current))),
      Enter: () => activate(row, model, actions, onToggle),
      ' ': () => select(current)
    };
    const action = keys[event.key];
    if (action && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      action();
    }
  };
  return (
    <ul ref={list} role="tree" aria-label="Projects" className="dm-Tree" onKeyDown={onKeyDown}>
      {rows.map((row, index) => (
        <Row
          key={row.key}
          row={row}
          selected={row.key === selected}
          focusable={index === current}
          onSelect={() => select(index)}
          onToggle={() => onToggle(row.key)}
          onActivate={() => activate(row, model, actions, onToggle)}
        />
      ))}
    </ul>
  );
}

interface IRowProps {
  row: IRow;
  selected: boolean;
  focusable: boolean;
  onSelect(): void;
  onToggle(): void;
  onActivate(): void;
}

function Row(props: IRowProps): JSX.Element {
  const { row, selected, focusable, onSelect, onToggle, onActivate } = props;
  const Caret = row.expanded ? caretDownIcon.react : caretRightIcon.react;
  const toggle = (event: React.MouseEvent) => {
    event.stopPropagation();
    onToggle();
  };
  return (
    <li
      role="treeitem"
      className="dm-Row"
      data-kind={row.selection.kind}
      aria-level={row.level}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-expanded={row.expanded ?? undefined}
      aria-selected={selected}
      tabIndex={focusable ? 0 : -1}
      title={[row.label, row.detail, row.stateText, row.time].filter(Boolean).join(' · ')}
      style={{ paddingLeft: `${(row.level - 1) * 12 + 4}px` }}
      onClick={onSelect}
      onDoubleClick={onActivate}
    >
      <span className="dm-Caret" aria-hidden="true" onClick={toggle}>
        {row.expanded !== null && <Caret tag="span" width="14px" height="14px" />}
      </span>
      <span className="dm-Label">{row.label}</span>
      <span className="dm-Detail">{row.detail}</span>
      {row.stateText && <State state={row.state} text={row.stateText} />}
      <span className="dm-Time">{row.time}</span>
    </li>
  );
}
