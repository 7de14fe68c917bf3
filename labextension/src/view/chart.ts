import {
  AreaSeries,
  ColorType,
  IChartApi,
  LineSeries,
  SeriesMarker,
  Time,
  UTCTimestamp,
  createChart,
  createSeriesMarkers
} from 'lightweight-charts';

import { IPoint, IResult, ITrade } from '../types';
import { IColors } from './theme';

interface IData {
  time: UTCTimestamp;
  value: number;
}

/** Equity, drawdown and, where they are known, prices with the trades on them: one time axis. */
export function resultChart(element: HTMLElement, result: IResult, colors: IColors): IChartApi {
  const chart = emptyChart(element, colors);
  const equity = chart.addSeries(AreaSeries, {
    lineColor: colors.lines[0],
    topColor: `${colors.lines[0]}55`,
    bottomColor: `${colors.lines[0]}08`,
    lineWidth: 2,
    title: 'Equity',
    priceLineVisible: false
  });
  equity.setData(result.equity.map(datum));
  const drawdown = chart.addSeries(
    AreaSeries,
    {
      lineColor: colors.loss,
      topColor: `${colors.loss}08`,
      bottomColor: `${colors.loss}55`,
      lineWidth: 1,
      title: 'Drawdown',
      priceLineVisible: false,
      priceFormat: { type: 'custom', formatter: (value: number) => `${(value * 100).toFixed(1)}%` }
    },
    1
  );
  drawdown.setData(result.drawdown.map(datum));
  Object.entries(result.prices).forEach(([symbol, points], index) => {
    const prices = chart.addSeries(
      LineSeries,
      {
        color: colors.lines[(index + 1) % colors.lines.length],
        lineWidth: 1,
        title: symbol,
        priceLineVisible: false
      },
      2
    );
    prices.setData(points.map(datum));
    const trades = result.trades.filter(trade => trade.symbol === symbol);
    createSeriesMarkers(prices, trades.map(trade => marker(trade, colors)));
  });
  chart.panes().forEach((pane, index) => pane.setStretchFactor(index === 1 ? 1 : 2));
  return fitted(chart);
}

/** Equity curves on one axis, each as change from its start. */
export function comparisonChart(
  element: HTMLElement,
  results: IResult[],
  colors: IColors
): IChartApi {
  const chart = emptyChart(element, colors);
  results.forEach((result, index) => {
    const start = result.equity[0]?.value || 1;
    const series = chart.addSeries(LineSeries, {
      color: colors.lines[index % colors.lines.length],
      lineWidth: 2,
      title: `${index + 1}`,
      priceLineVisible: false,
      priceFormat: { type: 'custom', formatter: (value: number) => `${(value * 100).toFixed(1)}%` }
    });
    series.setData(
      result.equity.map(({ time, value }) => datum({ time, value: value / start - 1 }))
    );
  });
  return fitted(chart);
}

/** Shows all of the time, as soon as the chart has a width. */
function fitted(chart: IChartApi): IChartApi {
  const scale = chart.timeScale();
  const fit = () => {
    if (scale.width() > 0) {
      scale.unsubscribeSizeChange(fit);
      scale.fitContent();
      requestAnimationFrame(() => {
        const range = scale.getVisibleLogicalRange();
        if (range) {
          // room for the first and last label
          const margin = (range.to - range.from) * 0.02;
          scale.setVisibleLogicalRange({ from: range.from - margin, to: range.to + margin });
        }
      });
    }
  };
  scale.subscribeSizeChange(fit);
  fit();
  return chart;
}

function emptyChart(element: HTMLElement, colors: IColors): IChartApi {
  return createChart(element, {
    autoSize: true,
    layout: {
      attributionLogo: true,
      background: { type: ColorType.Solid, color: colors.background },
      textColor: colors.text,
      panes: { separatorColor: colors.grid }
    },
    grid: { vertLines: { color: colors.grid }, horzLines: { color: colors.grid } },
    timeScale: {
      timeVisible: true,
      minBarSpacing: 0.01,
      lockVisibleTimeRangeOnResize: true,
      borderColor: colors.grid
    },
    rightPriceScale: { borderColor: colors.grid }
  });
}

function datum({ time, value }: IPoint): IData {
  return { time: time as UTCTimestamp, value };
}

function marker(trade: ITrade, colors: IColors): SeriesMarker<Time> {
  const buy = trade.side === 'buy';
  return {
    time: trade.time as UTCTimestamp,
    position: buy ? 'belowBar' : 'aboveBar',
    shape: buy ? 'arrowUp' : 'arrowDown',
    color: buy ? colors.gain : colors.loss
  };
}
