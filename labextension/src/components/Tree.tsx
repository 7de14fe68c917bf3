import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { OverviewModel } from '../model';
import { IRow, keyOf } from '../tree';
import { IPanelActions } from './Panel';
import { State } from './State';
import { activate } from './activate';

/** As in `panel.css`. */
const ROW_HEIGHT = 24;
const ROWS_AROUND = 30;

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
  const [first, last] = useWindow(list, rows.length);

  const wantsFocus = React.useRef(false);
  React.useLayoutEffect(() => {
    if (wantsFocus.current) {
      wantsFocus.current = false;
      list.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
    }
  });

  const select = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    wantsFocus.current = true;
    model.selection = row.selection;
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
    <ul
      ref={list}
      role="tree"
      aria-label="Projects"
      className="dm-Tree"
      style={{ height: rows.length * ROW_HEIGHT }}
      onKeyDown={onKeyDown}
    >
      {rows.map(
        (row, index) =>
          // the row that has, or would get, the focus is there even when it is out of sight
          ((index >= first && index < last) || index === current) && (
            <Row
              key={row.key}
              row={row}
              top={index * ROW_HEIGHT}
              selected={row.key === selected}
              focusable={index === current}
              onSelect={() => select(index)}
              onToggle={() => onToggle(row.key)}
              onActivate={() => activate(row, model, actions, onToggle)}
            />
          )
      )}
    </ul>
  );
}

/** Which rows are in sight, and some around them; all where that cannot be measured. */
function useWindow(list: React.RefObject<HTMLElement>, count: number): [number, number] {
  const [{ top, height }, setPlace] = React.useState({ top: 0, height: 0 });
  React.useLayoutEffect(() => {
    const box = list.current?.parentElement;
    if (!box) {
      return;
    }
    const measure = () => setPlace({ top: box.scrollTop, height: box.clientHeight });
    measure();
    box.addEventListener('scroll', measure, { passive: true });
    const observer = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(measure);
    observer?.observe(box);
    return () => {
      box.removeEventListener('scroll', measure);
      observer?.disconnect();
    };
  }, []);
  if (height === 0) {
    return [0, count];
  }
  const first = Math.floor(top / ROW_HEIGHT) - ROWS_AROUND;
  return [first, first + Math.ceil(height / ROW_HEIGHT) + 2 * ROWS_AROUND];
}

interface IRowProps {
  row: IRow;
  top: number;
  selected: boolean;
  focusable: boolean;
  onSelect(): void;
  onToggle(): void;
  onActivate(): void;
}

function Row(props: IRowProps): JSX.Element {
  const { row, top, selected, focusable, onSelect, onToggle, onActivate } = props;
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
      style={{ top, paddingLeft: (row.level - 1) * 12 + 4 }}
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
