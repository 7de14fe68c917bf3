"""An exchange on this machine: the few public spot endpoints that a bot in dry run asks for.

Prices follow a fixed curve of time, times a factor that a test sets.
"""

from __future__ import annotations

import http.server
import json
import math
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

COINS = {"BTC": 60000.0, "ETH": 3000.0, "SOL": 150.0, "XRP": 0.6}
QUOTE = "USDT"
SECONDS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86400}


def price(coin: str, at: float) -> float:
    """Smooth, and the same on every run at the same time."""
    phase = sum(map(ord, coin))
    wave = 0.05 * math.sin(at / 86400 / 3 + phase) + 0.02 * math.sin(at / 7000 + 2 * phase)
    return COINS[coin] * math.exp(wave)


def candle(coin: str, start: int, step: int) -> list[float]:
    """Milliseconds, open, high, low, close, volume."""
    path = [price(coin, start + step * part / 4) for part in range(5)]
    return [start * 1000, path[0], max(path) * 1.001, min(path) * 0.999, path[-1], 50.0]


class Market(http.server.ThreadingHTTPServer):
    """Use as a context manager; ``factor`` scales what ticker and order book say from then on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.factor = dict.fromkeys(COINS, 1.0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def move(self, pair: str, factor: float) -> None:
        self.factor[pair.split("/")[0]] = factor

    def now(self, coin: str) -> float:
        return price(coin, time.time()) * self.factor[coin]

    def handle_error(self, request, client_address) -> None:
        """A bot that ends breaks its kept connections: not worth a traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def __enter__(self) -> Market:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.shutdown()
        self.server_close()


def _text(value: float) -> str:
    return f"{value:.8f}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Market

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        name = parts.path.removeprefix("/api/v3/").replace("/", "_")
        answer = getattr(self, f"_{name}", None) if parts.path.startswith("/api/v3/") else None
        body = answer(query) if answer else {"symbols": [], "timezone": "UTC"}
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _ping(self, query):
        return {}

    def _time(self, query):
        return {"serverTime": int(time.time() * 1000)}

    def _exchangeInfo(self, query):
        return {
            "timezone": "UTC",
            "serverTime": int(time.time() * 1000),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [_symbol(coin) for coin in COINS],
        }

    def _klines(self, query):
        coin, step = query["symbol"].removesuffix(QUOTE), SECONDS[query["interval"]]
        limit = min(int(query.get("limit", 500)), 1000)
        end = min(int(query.get("endTime", time.time() * 1000)) / 1000, time.time())
        last = int(end // step) * step
        first = last - (limit - 1) * step
        if "startTime" in query:
            first = math.ceil(int(query["startTime"]) / 1000 / step) * step
            last = min(last, first + (limit - 1) * step)
        rows = []
        for start in range(first, last + 1, step):
            at, *prices, volume = candle(coin, start, step)
            texts = [_text(value) for value in prices]
            rows.append([at, *texts, str(volume), at + step * 1000 - 1, "1", 9, "1", "1", "0"])
        return rows

    def _ticker_24hr(self, query):
        if "symbol" in query:
            return self._ticker(query["symbol"].removesuffix(QUOTE))
        return [self._ticker(coin) for coin in COINS]

    _ticker_bookTicker = _ticker_price = _ticker_24hr

    def _ticker(self, coin):
        now, at = self.server.now(coin), int(time.time() * 1000)
        same = ("lastPrice", "weightedAvgPrice", "prevClosePrice", "openPrice", "highPrice")
        return {
            "symbol": coin + QUOTE,
            **dict.fromkeys((*same, "lowPrice", "price"), _text(now)),
            "priceChange": "0",
            "priceChangePercent": "0",
            "bidPrice": _text(now * 0.9999),
            "askPrice": _text(now * 1.0001),
            **dict.fromkeys(("bidQty", "askQty", "lastQty"), "10"),
            "volume": "1000",
            "quoteVolume": _text(now * 1000),
            "openTime": at - 86_400_000,
            "closeTime": at,
            "firstId": 1,
            "lastId": 2,
            "count": 2,
        }

    def _depth(self, query):
        middle = self.server.now(query["symbol"].removesuffix(QUOTE))
        steps = [0.0001 * (level + 1) for level in range(int(query.get("limit", 100)))]
        much = _text(1e6 / middle)
        return {
            "lastUpdateId": int(time.time() * 1000),
            "bids": [[_text(middle * (1 - step)), much] for step in steps],
            "asks": [[_text(middle * (1 + step)), much] for step in steps],
        }


def _symbol(coin):
    tick = "0.01" if COINS[coin] > 10 else "0.0001"
    return {
        "symbol": coin + QUOTE,
        "status": "TRADING",
        "baseAsset": coin,
        "quoteAsset": QUOTE,
        **dict.fromkeys(("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision"), 8),
        "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS_LIMIT"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1e6", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": "1e-5", "maxQty": "9e6", "stepSize": "0.00001"},
            {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9e6"},
        ],
    }
