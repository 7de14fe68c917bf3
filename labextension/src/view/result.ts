import { IChartApi } from 'lightweight-charts';

import { IMetric, IResult, ITrade } from '../types';
import { resultChart } from './chart';
import { h, table } from './dom';
import { colorsOf, onThemeChange } from './theme';

const TRADES_SHOWN = 200;
const METRICS_SHOWN = 6;

/** A view that is drawn into an element; `dispose` lets go of what it holds. */
export interface IView {
  dispose(): void;
}

/** One backtest: metrics, chart, trades. The panel's tab and the notebook's widget show this. */
export function showResult(element: HTMLElement, result: IResult): IView {
  const box = h('div', {
    class: 'dm-Chart',
    role: 'figure',
    'aria-label': `Equity, drawdown and prices of ${result.title}; the tables say the same in numbers`
  });
  element.classList.add('dm-Result');
  element.replaceChildren(
    h('h2', {}, result.title),
    h('p', { class: 'dm-Hint' }, result.subtitle),
    ...result.notes.map(note => h('p', { class: 'dm-Note' }, note)),
    ...metricCards(result),
    box,
    tradesTable(result.trades)
  );
  return themed(() => resultChart(box, result, colorsOf(box)));
}

/** A chart that is drawn again when the theme changes. */
export function themed(draw: () => IChartApi): IView {
  let chart = draw();
  const stop = onThemeChange(() => {
    chart.remove();
    chart = draw();
  });
  return {
    dispose: () => {
      stop();
      chart.remove();
    }
  };
}

/** The most telling metrics as cards, the others folded away. */
function metricCards(result: IResult): HTMLElement[] {
  const first = cards(result.metrics.slice(0, METRICS_SHOWN));
  const others = result.metrics.slice(METRICS_SHOWN);
  return others.length > 0
    ? [first, folded(`${others.length} more metrics`, cards(others))]
    : [first];
}

function cards(metrics: IMetric[]): HTMLElement {
  const items = metrics.map(({ name, value }) =>
    h(
      'div',
      { class: 'dm-Metric', role: 'listitem' },
      h('span', { class: 'dm-MetricName' }, name),
      h('span', { class: 'dm-MetricValue' }, value)
    )
  );
  return h('div', { class: 'dm-Metrics', role: 'list', 'aria-label': 'Metrics' }, ...items);
}

function folded(summary: string, content: HTMLElement): HTMLElement {
  return h('details', {}, h('summary', {}, summary), content);
}

function tradesTable(trades: ITrade[]): HTMLElement {
  if (trades.length === 0) {
    return h('p', { class: 'dm-Hint' }, 'No trades.');
  }
  const shown = trades.slice(0, TRADES_SHOWN);
  const caption =
    shown.length < trades.length
      ? `The first ${shown.length} of ${trades.length} orders`
      : `${trades.length} ${trades.length === 1 ? 'order' : 'orders'}`;
  const rows = shown.map(trade => [
    utc(trade.time),
    trade.side,
    trade.symbol,
    number(trade.size),
    number(trade.price)
  ]);
  const head = ['Time (UTC)', 'Side', 'Symbol', 'Size', 'Price'];
  return folded(caption, scrolling('Orders', table(caption, head, rows)));
}

/** A region that scrolls by itself, and by keyboard. */
export function scrolling(label: string, content: HTMLElement): HTMLElement {
  return h('div', { class: 'dm-Scroll', tabindex: '0', role: 'region', 'aria-label': label }, content);
}

export function utc(time: number): string {
  return new Date(time * 1000).toISOString().slice(0, 16).replace('T', ' ');
}

/** A number with six significant digits, without needless zeros. */
export function number(value: number): string {
  return String(Number(value.toPrecision(6)));
}
