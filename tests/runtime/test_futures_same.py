"""Futures: the fast engine and the library's own give the same orders, accounts and sights."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("EXAMPLES", "12"))
BOT = (Path(__file__).parent / "futures_bot.py").read_text()

Play = Callable[[dict[str, Any]], dict[str, Any]]
Make = Callable[..., dict[str, Any]]

HOUR = 3600
START = 1_600_000_200 // HOUR * HOUR
BTC = {"symbol": "BTC-USD", "resolution": HOUR, "bars": 150, "seed": 3, "volatility": 0.03}
TWO = [BTC, {**BTC, "symbol": "ETH-USD", "seed": 4, "gaps": True}]
TRADING: list[list[Any]] = [["long", 0.4], ["position"], ["close"], ["short", 0.3], ["account"]]
RATES = {str(START + HOUR * 8 * n + 1): 0.01 * (-1) ** n for n in range(1, 19)}
# the library's clock stops at the last event of all: one that never comes keeps it going
COMING = {**RATES, str(START + HOUR * 9999): 0.5}


def event(kind: str, *actions: list[Any], **more: Any) -> dict[str, Any]:
    symbols = {"symbols": ["BTC-USD", "ETH-USD"]} if kind == "arbitrage" else {"symbol": "BTC-USD"}
    return {"type": kind, "resolution": HOUR, "actions": list(actions), **symbols, **more}


CASES: dict[str, dict[str, Any]] = {
    "long and short": {"events": [event("price", *TRADING, ["close"])]},
    "fees": {"events": [event("price", *TRADING, ["close"])], "fees": [0.001, 0.002]},
    "limits": {
        "events": [
            event("price", ["limit_buy", 0.98], ["limit_sell", 1.02], ["cancel", 1], ["close"])
        ]
    },
    "leverage and margin calls": {
        "events": [event("price", ["leverage", 20], ["long", 0.9], *[["position"]] * 20, ["close"])]
    },
    "a short that is called": {
        "prices": [{**BTC, "volatility": 0.2, "bars": 300}],
        "events": [event("price", ["leverage", 5], ["short", 0.9], *[["account"]] * 50)],
    },
    "stops, which the library cannot run": {
        "events": [event("price", ["long", 0.2], ["stop", 0.9], ["position"])]
    },
    "take-profits, which the library cannot run": {
        "events": [event("price", ["long", 0.2], ["take", 1.1], ["position"])]
    },
    "bars": {"events": [event("bar", *TRADING, ["history", 4])]},
    "scheduled": {
        "events": [event("price", ["position"]), event("scheduled", *TRADING, resolution=7200)]
    },
    "arbitrage": {"prices": TWO, "events": [event("arbitrage", *TRADING)]},
    "two symbols": {
        "prices": TWO,
        "events": [
            event("price", *TRADING),
            event("price", ["short", 0.2], ["raise"], ["close"], symbol="ETH-USD"),
        ],
    },
    "funding": {
        "events": [event("price", ["long", 0.5], *[["position"]] * 30, ["close"])],
        "funding": {"BTC-USD": COMING},
    },
    "funding that ends": {
        "events": [event("price", ["short", 0.5], *[["position"]] * 60, ["close"])],
        "funding": {"BTC-USD": RATES},
    },
    "metrics by the hour, no initial row": {
        "events": [event("price", *TRADING, ["close"])],
        "keywords": {
            "resample_account_value_for_metrics": "1h",
            "save_initial_account_value": False,
        },
    },
}


def check(play: Play, case: dict[str, Any]) -> None:
    case |= {"source": BOT, "both": False}
    fast = play({**case, "engine": "fast"})["ours"]
    plain = play({**case, "engine": "plain"})["ours"]
    for answer in (fast, plain):
        assert "raised" not in answer, answer["raised"] + answer["log"]
    assert fast["engine"] and not plain["engine"]
    assert fast["failed"] == plain["failed"]
    assert fast["callbacks"] == plain["callbacks"]
    assert fast["observed"] == plain["observed"]
    assert len(fast["results"]) == len(plain["results"])
    for mine, its in zip(fast["results"], plain["results"], strict=True):
        for name in its:
            assert mine[name] == its[name], name


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_the_same(play: Play, make_case: Make, name: str) -> None:
    check(play, make_case(**{"prices": [BTC], **CASES[name]}))


ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["long", "short"]), st.floats(0.01, 1.2)),
    st.tuples(st.sampled_from(["limit_buy", "limit_sell"]), st.floats(0.9, 1.1)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("leverage"), st.sampled_from([1, 2, 50])),
    st.tuples(st.just("history"), st.integers(1, 9)),
    st.tuples(st.sampled_from(["close", "account", "position", "raise"])),
).map(list)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    prices = draw(st.sampled_from([TWO, TWO[:1]]))
    prices = [{**price, "seed": draw(st.integers(0, 99))} for price in prices]
    symbols = [price["symbol"] for price in prices]
    kinds = ["price", "scheduled", "bar"] + (["arbitrage"] if len(symbols) > 1 else [])
    events = [event("price", ["position"], symbol=symbol) for symbol in symbols]
    for _ in range(draw(st.integers(1, 2))):
        actions = draw(st.lists(ACTIONS, min_size=2, max_size=9))
        symbol = draw(st.sampled_from(symbols))
        events.append(event(draw(st.sampled_from(kinds)), *actions, symbol=symbol, symbols=symbols))
    return {
        "prices": prices,
        "events": events,
        "fees": draw(st.sampled_from([[0, 0], [0.001, 0.002]])),
        "funding": draw(st.sampled_from([{}, {"BTC-USD": COMING}])),
    }


@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(changes=cases())
def test_any_strategy_is_the_same(play: Play, make_case: Make, changes: dict[str, Any]) -> None:
    check(play, make_case(**changes))
