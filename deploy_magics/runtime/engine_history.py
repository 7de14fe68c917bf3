"""Bars out of sorted arrays: what the library finds by comparing every bar there is."""

import collections


class BarTable:
    """One frame of the library's prices: its times sorted, its columns at hand."""

    def __init__(self, frame):
        self.frame = frame
        self.columns = {name: frame[name].to_numpy() for name in frame.columns}
        self.time = self.columns["time"]
        kinds = {column.dtype.kind for column in self.columns.values()}
        self.plain = kinds <= {"i", "f"}
        cast = float if "f" in kinds else int
        self._views = [(name, memoryview(column)) for name, column in self._contiguous()]
        self._cast = cast
        self._times = memoryview(self._contiguous_time())
        self._size = len(frame)

    def _contiguous(self):
        import numpy

        if not self.plain:
            return []
        return [(name, numpy.ascontiguousarray(c)) for name, c in self.columns.items()]

    def _contiguous_time(self):
        import numpy

        return numpy.ascontiguousarray(self.time)

    def span(self, start, stop):
        """Positions of the bars with ``start <= time <= stop``."""
        low = int(self.time.searchsorted(start, "left"))
        return low, max(low, int(self.time.searchsorted(stop, "right")))

    def row(self, index):
        """A bar as the library hands it to a callback: one type for all its fields."""
        cast = self._cast
        return {name: cast(view[index]) for name, view in self._views}

    def last_until(self, stop, index):
        """The position of the last bar with ``time <= stop``, sought from ``index`` on."""
        times, size = self._times, self._size
        ahead = index + 1
        if ahead < size and times[ahead] <= stop:
            ahead += 1
            if ahead < size and times[ahead] <= stop:
                return int(self.time.searchsorted(stop, "right")) - 1
            return ahead - 1
        return index

    def time_at(self, index):
        return self._times[index]


def table_of(interface, symbol, resolution):
    """The table of a symbol at a resolution; None where the library would have none."""
    known = interface.__dict__.setdefault("_bar_tables", {})
    frames = interface.__dict__.get("_all_prices", {})
    frame = frames.get(symbol, {}).get(resolution)
    if frame is None:
        return None
    table = known.get((symbol, resolution))
    if table is None or table.frame is not frame:
        table = known[symbol, resolution] = BarTable(frame)
    return table


def window(now, resolution):
    """(last bar's latest opening, the moment that bars are counted back from) at ``now``; None
    where the library's own arithmetic of dates has to be asked."""
    if now != int(now):
        return None
    count_from = now - now % resolution
    return count_from - resolution, count_from


def install():
    from blankly.exchanges.interfaces.paper_trade.paper_trade_interface import PaperTradeInterface
    from blankly.utils.time_builder import time_interval_to_seconds

    original = PaperTradeInterface.history

    def history(
        self, symbol, to=200, resolution="1d", start_date=None, end_date=None, return_as="df"
    ):
        if not self.backtesting:
            return original(self, symbol, to, resolution, start_date, end_date, return_as)
        seconds = int(time_interval_to_seconds(resolution))
        table = table_of(self, symbol, seconds)
        found = window(self.frame["time"], seconds)
        if table is None or found is None or start_date is not None or end_date is not None:
            return original(self, symbol, to, resolution, start_date, end_date, return_as)
        stop, count_from = found
        if isinstance(to, int):
            start, points = count_from - to * seconds, to
        else:
            start = count_from - time_interval_to_seconds(to)
            points = int((stop - start) / seconds + 1)
        low, high = table.span(start - seconds, stop)
        if return_as == "deque":
            return {
                name: collections.deque(column[low:high].tolist(), points)
                for name, column in table.columns.items()
            }
        if return_as == "list":
            return {name: column[low:high].tolist() for name, column in table.columns.items()}
        frame = table.frame.iloc[low:high].copy()
        return frame if return_as == "df" else self.cast_type(frame, return_as, points)

    PaperTradeInterface.history = history
