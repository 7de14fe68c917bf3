"""Live runs in real time: on paper with an exchange's prices, and on the model's own exchange."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kraken_stand_in as kraken
import local_models as models
import pytest
from waiting import LONG

from deploy_magics.executor.environment import Environment
from deploy_magics.executor.live import LiveRun, start_live


@pytest.fixture
def start(blankly_environment: Environment, tmp_path: Path) -> Iterator[Callable[..., LiveRun]]:
    runs: list[LiveRun] = []

    def begin(source: str, **options: Any) -> LiveRun:
        run = start_live(
            models.model(source),
            prices=None,
            environment=blankly_environment,
            folder=options.pop("folder", tmp_path / f"live{len(runs)}"),
            **options,
        )
        runs.append(run)
        return run

    yield begin
    for run in runs:
        run.stop(LONG)
        assert run.exit is not None


def until(condition: Callable[[], Any], run: LiveRun, seconds: float = LONG) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        assert run.state == "running", run.logs()[0]
        time.sleep(0.05)
    raise AssertionError(run.logs()[0])


TRADES = """
import blankly

def price_event(price, symbol, state):
    print("price", price, flush=True)
    if state.variables.n == 0:
        bars = state.interface.history(symbol, 5, resolution="1m")
        print(len(bars), "bars", bars["close"].tolist(), flush=True)
        state.interface.market_order(symbol, "buy", 1)
        state.interface.limit_order(symbol, "sell", price + 2, 0.5)
        state.interface.stop_loss_order(symbol, 10, 0.1)
    state.variables.n += 1

def init(symbol, state):
    state.variables.n = 0

strategy = blankly.Strategy(blankly.CoinbasePro())
strategy.add_price_event(price_event, "BTC-USD", 1, init=init)
strategy.start()
"""


def test_paper_on_live_prices(start: Callable[..., LiveRun], tmp_path: Path) -> None:
    exchange = kraken.StandIn()
    feed = {"kind": "ccxt", "exchange": "kraken", "url": exchange.url, "watch": 0.3}
    try:
        run = start(TRADES, feed=feed, args={"initial_values": {"USD": 5000}})

        def statuses() -> dict[str, str]:
            return {order["type"]: order["status"] for order in run.orders}

        until(lambda: statuses().get("limit") == "done", run)
        assert statuses() == {"market": "done", "limit": "done", "stop_loss": "pending"}
        market = run.orders[0]
        assert market["fee"] == pytest.approx(market["price"] * 0.004)
        until(lambda: run.account and run.account["values"]["BTC"] == pytest.approx(0.496), run)
        # the minute may turn between the question and the answer
        assert "5 bars" in run.logs()[0] and "996.0, 997.0, 998.0" in run.logs()[0]
        assert run.progress is not None and run.progress["orders"] == 3
        assert run.progress["values"]["BTC"] == pytest.approx(0.496)
        assert run.progress["equity"] == run.account["value"]
        run.stop(LONG)
        assert run.state == "cancelled"
        # what the account held, and the open order, are there for the next attempt
        again = start(TRADES.replace("== 0", "== -1"), feed=feed, folder=run.folder)
        until(lambda: again.account and len(again.events()[0]) > 5, again)
        until(lambda: again.account and again.account["values"]["BTC"] < 0.5, again)
        assert again.account is not None
        assert again.account["values"]["BTC"] == pytest.approx(0.496)
    finally:
        exchange.close()


BESIDE = """
import blankly

def price_event(price, symbol, state):
    if not state.variables.get("sent"):
        state.variables.sent = True
        state.interface.market_order("ETH-USD", "buy", 1)

exchange = blankly.EXCHANGE()
print("begins", exchange.interface.account.USD.available, flush=True)
strategy = blankly.Strategy(exchange)
strategy.add_price_event(price_event, "BTC-USD", 1)
"""


@pytest.mark.parametrize("kind", ["Binance", "KeylessExchange"])
def test_what_no_event_is_about_is_traded_too(start: Callable[..., LiveRun], kind: str) -> None:
    exchange = kraken.StandIn()
    feed = {"kind": "ccxt", "exchange": "kraken", "url": exchange.url, "watch": 0.3}
    try:
        source = BESIDE.replace("EXCHANGE", kind)
        run = start(source, feed=feed, args={"initial_values": {"USD": 5000}})
        until(lambda: run.account and run.account["values"].get("ETH") == 0.996, run)
        assert run.account is not None
        assert run.account["value"] == pytest.approx(5000, abs=50)
        assert "begins 5000" in run.logs()[0]
    finally:
        exchange.close()


def test_an_exchange_that_nobody_knows_is_named(start: Callable[..., LiveRun]) -> None:
    run = start(TRADES, feed={"kind": "ccxt", "exchange": "krakn"})
    assert run.wait(LONG)
    assert run.state == "failed"
    said = run.logs()[0]
    assert "ccxt knows no exchange called krakn. Did you mean kraken?" in said
    assert "Traceback" not in said


OWN = """
import os
import blankly
from blankly.exchanges.auth.auth_constructor import AuthConstructor

keys = AuthConstructor("keys.json", None, "binance", ["API_KEY", "API_SECRET", "sandbox"]).keys
print("key", keys["API_KEY"][::-1], flush=True)

class Reader:
    data = {}
    prices_info = {}

exchange = blankly.KeylessExchange(price_reader=Reader(), initial_account_values={"USD": 900})
account = exchange.interface
account.full_prices = {"BTC-USD": {}}
account.get_price = lambda symbol: 100.0

def price_event(price, symbol, state):
    if not state.variables.get("sent"):
        state.variables.sent = True
        state.interface.market_order(symbol, "buy", 2)

strategy = blankly.Strategy(exchange)
strategy.add_price_event(price_event, "BTC-USD", 1)
strategy.start()
"""


def test_the_models_own_exchange_takes_the_orders(start: Callable[..., LiveRun]) -> None:
    run = start(
        OWN,
        feed={"kind": "exchange", "watch": 0.2},
        env={"BINANCE_API_KEY": "canary-123", "BINANCE_API_SECRET": "x"},
    )
    until(lambda: [o for o in run.orders if o["status"] == "done"], run)
    (order,) = run.orders
    assert (order["side"], order["size"], order["type"]) == ("buy", 2, "market")
    until(lambda: run.account and run.account["values"] == {"BTC": 2, "USD": 700}, run)
    assert "321-yranac" in run.logs()[0]
    run.stop(LONG)
    written = b"".join(path.read_bytes() for path in run.folder.rglob("*") if path.is_file())
    assert b"canary-123" not in written
