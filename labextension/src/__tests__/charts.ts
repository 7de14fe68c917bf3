/** Stands in for lightweight-charts: keeps what would be drawn. */
export interface IDrawn {
  options: { title?: string };
  pane: number;
  data: { time: number; value: number }[];
  markers: { time: number; shape: string }[];
}

export const drawn: IDrawn[] = [];

export const AreaSeries = 'Area';
export const LineSeries = 'Line';
export const ColorType = { Solid: 'solid' };

export function createChart(): object {
  return {
    addSeries: (_: string, options: IDrawn['options'], pane = 0) => {
      const series: IDrawn = { options, pane, data: [], markers: [] };
      drawn.push(series);
      return { ...series, setData: (data: IDrawn['data']) => void (series.data = data), series };
    },
    panes: () => [],
    timeScale: () => ({
      width: () => 100,
      fitContent: () => undefined,
      getVisibleLogicalRange: () => null,
      subscribeSizeChange: () => undefined,
      unsubscribeSizeChange: () => undefined
    }),
    remove: () => void drawn.splice(0)
  };
}

export function createSeriesMarkers(
  { series }: { series: IDrawn },
  markers: IDrawn['markers']
): void {
  series.markers = markers;
}
