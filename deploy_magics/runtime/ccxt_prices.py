"""Live prices through ccxt, in the form that the given prices have."""

import difflib
import threading
import time

from .prices import Clock, PriceTable
from .tracebacks import Explained

FRESH_SECONDS = 1.0
"""How long a price is taken for the present one; several callbacks share one question."""

PAGE = 500
"""Bars asked for at once."""


class CcxtPrices:
    """``feed``: ``exchange`` (ccxt's name), ``symbols`` (optional), ``options`` of its constructor,
    ``url`` (another address of its API, scheme and host)."""

    live = True

    def __init__(self, feed, symbols):
        import ccxt

        self.clock = Clock()
        name = feed.get("exchange") or "binance"
        options = dict({"enableRateLimit": True, "timeout": 20000}, **(feed.get("options") or {}))
        if name not in ccxt.exchanges:
            near = difflib.get_close_matches(name, ccxt.exchanges, 1)
            hint = " Did you mean %s?" % near[0] if near else ""
            raise Explained("ccxt knows no exchange called %s.%s" % (name, hint))
        self.exchange = getattr(ccxt, name)(options)
        if feed.get("url"):
            self.exchange.urls["api"] = moved(self.exchange.urls["api"], feed["url"])
        self._named = list(feed.get("symbols") or ())
        self._used = symbols
        self._fresh = {}
        self._lock = threading.Lock()

    def __bool__(self):
        return True

    def __iter__(self):
        return iter(self.symbols)

    @property
    def symbols(self):
        return list(dict.fromkeys(self._named + list(self._used)))

    def use(self, symbol):
        """What is asked for is traded too, whether or not an event is about it."""
        if symbol not in self._used:
            self._used.append(symbol)

    @property
    def assets(self):
        found = []
        for symbol in self.symbols:
            found.extend((symbol.split("-") + ["USD"])[:2])
        return list(dict.fromkeys(found))

    @staticmethod
    def pair(symbol):
        return symbol.replace("-", "/")

    def fees(self, symbol):
        with self._lock:
            self.exchange.load_markets()
        market = self.exchange.markets.get(self.pair(symbol)) or {}
        return {
            "maker_fee_rate": float(market.get("maker") or 0),
            "taker_fee_rate": float(market.get("taker") or 0),
        }

    def price(self, symbol, column="close"):
        self.use(symbol)
        with self._lock:
            known = self._fresh.get(symbol)
            if known is not None and time.monotonic() - known[1] < FRESH_SECONDS:
                return known[0]
            ticker = self.exchange.fetch_ticker(self.pair(symbol))
            price = ticker.get("last") or ticker.get("close")
            if not price:
                raise LookupError("%s has no price of %s now." % (self.exchange.name, symbol))
            price = float(price)
            self._fresh[symbol] = price, time.monotonic()
            return price

    def between(self, symbol, start, stop, resolution):
        """A frame of the bars that open in [start, stop]; longer ones are made of shorter ones."""
        self.use(symbol)
        resolution = int(resolution)
        step, name = self._timeframe(resolution)
        rows = self._bars(self.pair(symbol), name, step, start, stop + resolution - step)
        table = table_of(symbol, step, rows)
        if step != resolution and rows:
            table = table.coarser(resolution)
        time_column = table.columns["time"]
        kept = (time_column >= start) & (time_column <= stop)
        return table.frame[kept].reset_index(drop=True)

    def _timeframe(self, resolution):
        """The exchange's coarsest bars that fit into ``resolution`` seconds, and their name."""
        known = self.exchange.timeframes or {"1m": "1m"}
        fitting = [
            (int(self.exchange.parse_timeframe(name)), name)
            for name in known
            if resolution % int(self.exchange.parse_timeframe(name)) == 0
        ]
        if not fitting:
            raise LookupError("The exchange has no bars that make up %d seconds." % resolution)
        return max(fitting)

    def _bars(self, pair, name, step, start, stop):
        rows = {}
        since = int(start * 1000)
        while since <= stop * 1000:
            with self._lock:
                page = self.exchange.fetch_ohlcv(pair, name, since, PAGE)
            fresh = [row for row in page if row[0] >= since and row[0] // 1000 not in rows]
            for row in page:
                if start <= row[0] // 1000 <= stop:
                    rows[row[0] // 1000] = row
            if not fresh:
                break
            since = max(row[0] for row in page) + step * 1000
        return [rows[moment] for moment in sorted(rows)]


def table_of(symbol, step, rows):
    import numpy

    columns = {"time": numpy.array([row[0] // 1000 for row in rows], dtype="int64")}
    for index, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
        columns[name] = numpy.array([float(row[index] or 0) for row in rows], dtype="float64")
    return PriceTable(symbol, step, columns)


def moved(urls, base):
    """The addresses of an API at another host, in whatever nesting the exchange keeps them."""
    if isinstance(urls, dict):
        return {key: moved(value, base) for key, value in urls.items()}
    parts = str(urls).split("/", 3)
    return base.rstrip("/") + ("/" + parts[3] if len(parts) > 3 else "")
