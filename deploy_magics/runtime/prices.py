"""The prices a run was given, and the clock that says which of them have happened."""

import threading

from .tracebacks import Explained


class MissingPrices(Explained, LookupError):
    """The model asks for prices that the job did not bring."""


class Clock:
    """The moment that the model may not look beyond.

    ``now`` is None while nothing is hidden: the library loads prices, or the run is over. Each
    thread that runs a strategy has its own; other threads see the one that was set last.
    """

    def __init__(self):
        self._last = None
        self._mine = threading.local()

    @property
    def now(self):
        source = getattr(self._mine, "source", self._last)
        return source() if source is not None else None

    def follow(self, source):
        """From now on ``source()`` is the time; the previous source, to be given back."""
        previous = getattr(self._mine, "source", self._last)
        self._mine.source = self._last = source
        return previous

    def last_visible(self, stop, resolution):
        """``stop``, or the opening time of the last bar that is complete by now."""
        now = self.now
        return stop if now is None else min(stop, now - resolution)


class PriceTable:
    """The bars of one symbol at one resolution (seconds), sorted by time."""

    def __init__(self, symbol, resolution, columns):
        self.symbol = symbol
        self.resolution = resolution
        self.columns = columns
        self._frame = None

    @property
    def frame(self):
        if self._frame is None:
            import pandas

            self._frame = pandas.DataFrame(self.columns)
        return self._frame

    @property
    def first(self):
        return self.columns["time"][0].item()

    @property
    def last(self):
        return self.columns["time"][-1].item()

    def coarser(self, resolution):
        """The same prices in longer bars, on the grid of whole multiples of ``resolution``."""
        import numpy

        time = self.columns["time"]
        group = time - time % resolution
        starts = numpy.flatnonzero(numpy.concatenate(([True], group[1:] != group[:-1])))
        ends = numpy.concatenate((starts[1:], [len(time)])) - 1
        columns = {
            "time": group[starts],
            "open": self.columns["open"][starts],
            "high": numpy.maximum.reduceat(self.columns["high"], starts),
            "low": numpy.minimum.reduceat(self.columns["low"], starts),
            "close": self.columns["close"][ends],
            "volume": numpy.add.reduceat(self.columns["volume"], starts),
        }
        return PriceTable(self.symbol, resolution, columns)


class Prices:
    """All tables of a run; a reader in the library's sense too (``data``, ``prices_info``)."""

    def __init__(self, tables=()):
        self.clock = Clock()
        self._tables = {}
        for table in tables:
            self._tables[table.symbol, table.resolution] = table

    @classmethod
    def load(cls, entries):
        """From the ``prices`` of a job: files of columns, written by the executor."""
        import numpy

        tables = []
        for entry in entries or ():
            with numpy.load(entry["path"], allow_pickle=False) as arrays:
                columns = {name: arrays[name] for name in arrays.files}
            order = ["time", "open", "high", "low", "close", "volume"]
            order += [name for name in columns if name not in order]
            tables.append(
                PriceTable(
                    entry["symbol"],
                    int(entry["resolution"]),
                    {name: columns[name] for name in order},
                )
            )
        return cls(tables)

    def __bool__(self):
        return bool(self._tables)

    @property
    def symbols(self):
        return list(dict.fromkeys(symbol for symbol, _ in self._tables))

    @property
    def assets(self):
        """Every base and quote, in order of appearance."""
        found = []
        for symbol in self.symbols:
            parts = symbol.split("-")
            found.extend([parts[0], parts[1] if len(parts) > 1 else "USD"])
        return list(dict.fromkeys(found))

    @property
    def quotes(self):
        parts = [symbol.split("-") for symbol in self.symbols]
        return list(dict.fromkeys(part[1] if len(part) > 1 else "USD" for part in parts))

    @property
    def first(self):
        return min(table.first for table in self._tables.values())

    @property
    def end(self):
        """When the last bar is complete."""
        return max(table.last + table.resolution for table in self._tables.values())

    def resolutions(self, symbol):
        return sorted(found for name, found in self._tables if name == symbol)

    def table(self, symbol, resolution):
        """Raises MissingPrices, which says what there is instead."""
        resolution = int(resolution)
        known = self._tables.get((symbol, resolution))
        if known is not None:
            return known
        finer = [found for found in self.resolutions(symbol) if resolution % found == 0]
        if not finer:
            raise MissingPrices(self._missing(symbol, resolution))
        table = self._tables[symbol, finer[-1]].coarser(resolution)
        self._tables[symbol, resolution] = table
        return table

    def _missing(self, symbol, resolution):
        have = self.resolutions(symbol)
        if not have:
            return "The model asks for prices of %s, but only %s was given." % (
                symbol,
                ", ".join(self.symbols),
            )
        return (
            "The model asks for prices of %s every %d seconds, but those given come every %s;"
            " take a multiple of that."
        ) % (symbol, resolution, ", ".join(str(found) for found in have))

    def between(self, symbol, start, stop, resolution):
        """A frame of the bars that open in [start, stop] and are complete by now."""
        table = self.table(symbol, resolution)
        time = table.columns["time"]
        stop = self.clock.last_visible(stop, resolution)
        low = int(time.searchsorted(start, "left"))
        high = max(low, int(time.searchsorted(stop, "right")))
        return table.frame.iloc[low:high].copy()

    def price(self, symbol, column="close"):
        """The price now: of the bar that holds this moment, the last one after the end."""
        table = self.table(symbol, self.resolutions(symbol)[0] if self.resolutions(symbol) else 60)
        now = self.clock.now
        time = table.columns["time"]
        index = len(time) - 1 if now is None else int(time.searchsorted(now, "left"))
        return table.columns[column][min(index, len(time) - 1)]

    @property
    def data(self):
        return {
            symbol: self.table(symbol, self.resolutions(symbol)[0]).frame for symbol in self.symbols
        }

    @property
    def prices_info(self):
        info = {}
        for symbol in self.symbols:
            table = self.table(symbol, self.resolutions(symbol)[0])
            info[symbol] = {
                "resolution": table.resolution,
                "start_time": table.first,
                "stop_time": table.last,
            }
        return info
