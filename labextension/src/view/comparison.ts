import { IComparison, ITable } from '../types';
import { comparisonChart } from './chart';
import { h, table } from './dom';
import { IView, scrolling, themed } from './result';
import { colorsOf } from './theme';

/** Backtests side by side: equity on one axis, metrics with differences, what changed. */
export function showComparison(element: HTMLElement, comparison: IComparison): IView {
  const { names, results, metrics, changed, code } = comparison;
  const box = h('div', {
    class: 'dm-Chart',
    role: 'figure',
    'aria-label': 'Equity curves as change from the start; the table says the same in numbers'
  });
  const legend = h('ol', { class: 'dm-Legend', 'aria-label': 'Curves' });
  element.classList.add('dm-Result');
  element.replaceChildren(
    h('h2', {}, `${results.length} backtests side by side`),
    legend,
    box,
    scrolling('Metrics', tableOf('Metrics; Δ is the difference from the first', metrics)),
    ...(changed.rows.length > 0
      ? [scrolling('What differs', tableOf('Arguments, data and versions that differ', changed))]
      : []),
    ...code.map(({ name, diff }) => codeChange(name, diff))
  );
  if (changed.rows.length === 0 && code.length === 0) {
    element.append(h('p', { class: 'dm-Hint' }, 'The same code, arguments and data.'));
  }
  return themed(() => {
    const colors = colorsOf(box);
    legend.replaceChildren(
      ...names.map((name, index) => {
        const mark = h('span', { class: 'dm-Swatch', 'aria-hidden': 'true' });
        mark.style.background = colors.lines[index % colors.lines.length];
        return h('li', {}, mark, `${index + 1} ${name}: ${results[index].subtitle}`);
      })
    );
    return comparisonChart(box, results, colors);
  });
}

function tableOf(caption: string, { head, rows }: ITable): HTMLElement {
  const made = table(caption, head, rows);
  made.classList.add('dm-mod-figures');
  return made;
}

const KINDS: { [first: string]: string } = { '+': 'added', '-': 'removed', '@': 'place' };

function codeChange(name: string, diff: string): HTMLElement {
  const lines = diff.split('\n').map(line => {
    const kind = KINDS[line.charAt(0)];
    return h('span', kind ? { class: `dm-Diff-${kind}` } : {}, `${line}\n`);
  });
  const label = `Code of ${name}`;
  const text = h('pre', { class: 'dm-Diff', tabindex: '0', role: 'region', 'aria-label': label });
  text.append(...lines);
  return h('details', { open: '' }, h('summary', {}, label), text);
}
