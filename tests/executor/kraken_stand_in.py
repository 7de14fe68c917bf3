"""An exchange on loopback that answers as Kraken's public API does; its price rises by the call."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAIR, OTHER = "XXBTZUSD", "XETHZUSD"


def asset(name: str) -> dict[str, Any]:
    return {
        "aclass": "currency",
        "altname": name,
        "decimals": 10,
        "display_decimals": 5,
        "status": "enabled",
    }


MARKET = {
    "altname": "XBTUSD", "wsname": "XBT/USD", "aclass_base": "currency", "base": "XXBT",
    "aclass_quote": "currency", "quote": "ZUSD", "lot": "unit", "cost_decimals": 5,
    "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [],
    "leverage_sell": [], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]],
    "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40, "ordermin": "0.0001",
    "costmin": "0.5", "tick_size": "0.1", "status": "online",
}  # fmt: skip
ETHER = {"altname": "ETHUSD", "wsname": "ETH/USD", "base": "XETH"}


class StandIn(ThreadingHTTPServer):
    """``calls``: the paths that were asked for; ``away``: it answers that it is not there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[str] = []
        self.tickers = 0
        self.away = False
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        name = path.rsplit("/", 1)[1]
        if name == "Assets":
            return {"XXBT": asset("XBT"), "XETH": asset("ETH"), "ZUSD": asset("USD")}
        if name == "AssetPairs":
            return {PAIR: MARKET, OTHER: {**MARKET, **ETHER}}
        if name == "Ticker":
            self.tickers += 1
            price = f"{1000 + self.tickers:.1f}"
            pair = [price, "1", "1.000"]
            two = [price, price]
            told = {"a": pair, "b": pair, "c": pair[:2], "t": [1, 1], "o": price}
            return {query["pair"][0]: {**told, **dict.fromkeys("vplh", two)}}
        if name == "OHLC":
            minutes = int(query["interval"][0])
            now = int(time.time()) // 60 // minutes * 60 * minutes
            rows = [
                [now - 60 * minutes * back, "990", "1010", "980", f"{1000 - back}", "1000", "2", 9]
                for back in range(99, -1, -1)
            ]
            since = int(float(query.get("since", ["0"])[0]))
            return {query["pair"][0]: [row for row in rows if row[0] > since], "last": now}
        return {}


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.calls.append(parts.path)
        if self.server.away:
            self.send_error(503)
            return
        result = self.server.answer(parts.path, parse_qs(parts.query))
        body = json.dumps({"error": [], "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
