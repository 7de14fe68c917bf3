"""The fast engine and the untouched library give the same orders, accounts, metrics and sights."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# more of them: EXAMPLES=500 pytest tests/runtime/test_engine_same.py
EXAMPLES = int(os.environ.get("EXAMPLES", "25"))

Play = Callable[[dict[str, Any]], dict[str, Any]]
Make = Callable[..., dict[str, Any]]

TWO = [
    {"symbol": "BTC-USD", "resolution": 3600, "bars": 150, "seed": 3},
    {"symbol": "ETH-USD", "resolution": 3600, "bars": 150, "seed": 4, "gaps": True},
]
TRADING = [["buy", 0.4], ["limit_buy", 0.99], ["limit_sell", 1.01], ["stop", 0.98], ["take", 1.02]]
SHORTING = {"settings": {"global_shorting": True}}


def event(kind: str, *actions: list[Any], **more: Any) -> dict[str, Any]:
    symbols = {"symbols": ["BTC-USD", "ETH-USD"]} if kind == "arbitrage" else {"symbol": "BTC-USD"}
    return {"type": kind, "resolution": 3600, "actions": list(actions), **symbols, **more}


CASES: dict[str, dict[str, Any]] = {
    "market orders": {},
    "fees": {"fees": [0.001, 0.002]},
    "bars": {"events": [event("bar", *TRADING, ["deque", 7], init=True)]},
    "limit, stop and take-profit orders": {"events": [event("price", *TRADING, ["status", 3])]},
    "cancels": {
        "events": [event("price", ["buy", 0.3], ["limit_buy", 0.9], ["cancel", 0], ["stop", 0.9])]
    },
    "many open orders": {
        "events": [event("price", ["limit_buy", 0.95], ["limit_buy", 0.97], ["cancel", 5])]
    },
    "scheduled": {
        "events": [event("price", ["cash"]), event("scheduled", *TRADING, resolution=7200)]
    },
    "arbitrage": {"prices": TWO, "events": [event("arbitrage", *TRADING, init=True)]},
    "two symbols, two paces": {
        "prices": TWO,
        "events": [
            event("price", *TRADING),
            event("price", ["buy", 0.2], ["sell", 0.5], symbol="ETH-USD", resolution=3600),
            event("scheduled", ["account"], resolution=86400),
        ],
    },
    "two resolutions of one symbol": {
        "prices": [
            {"symbol": "BTC-USD", "resolution": 3600, "bars": 200, "seed": 5},
            {"symbol": "BTC-USD", "resolution": 14400, "bars": 50, "seed": 5},
        ],
        "events": [event("price", *TRADING), event("bar", ["buy", 0.1], resolution=14400)],
    },
    "two resolutions of two symbols": {
        "prices": [
            {"symbol": "BTC-USD", "resolution": 900, "bars": 400, "seed": 5},
            {"symbol": "ETH-USD", "resolution": 3600, "bars": 100, "seed": 6},
        ],
        "history": 900,
        "events": [
            event("price", ["buy", 0.1], ["limit_sell", 1.001], resolution=900),
            event("bar", ["cash"], symbol="ETH-USD", resolution=3600),
        ],
    },
    "the same event twice": {"events": [event("price", *TRADING), event("price", ["cash"])]},
    "gaps": {
        "prices": [{"symbol": "BTC-USD", "resolution": 3600, "bars": 200, "seed": 8, "gaps": True}],
        "events": [event("bar", *TRADING, ["lists", 9]), event("price", ["history", 4])],
    },
    "shorting": {
        "settings": SHORTING,
        "events": [event("price", ["short", 20], ["cash"], ["short", 50], ["buy", 0.9])],
    },
    "shorting without margin": {
        "settings": {"settings": {"global_shorting": True, "simulate_margin": False}},
        "events": [event("price", ["short", 20], ["account"], ["short", 900], ["buy", 0.5])],
    },
    "failing callbacks": {"events": [event("price", ["buy", 0.2], ["raise"], ["sell", 0.5])]},
    "a model that sleeps": {
        "model": "1h",
        "watched": [["BTC-USD", "1h"]],
        "events": [event("price", *TRADING, ["raise"])],
    },
    "a model that sleeps less than a bar": {
        "model": 1000,
        "watched": [["BTC-USD", 3600]],
        "events": [event("price", *TRADING)],
    },
    "a model that sleeps over bars": {
        "model": "7h",
        "watched": [["BTC-USD", 3600]],
        "events": [event("price", *TRADING)],
    },
    "events of its own": {
        "model": "1h",
        "watched": [["BTC-USD", 3600]],
        "events": [event("price", *TRADING)],
        "news": [1_600_010_000, 1_600_020_000, 1_600_020_001, 1_600_400_000],
    },
    "no initial row": {"keywords": {"save_initial_account_value": False}},
    "valued at the open": {"keywords": {"use_price": "open"}},
    "valued at the volume": {"keywords": {"use_price": "volume"}},
    "metrics by the hour": {"keywords": {"resample_account_value_for_metrics": "1h"}},
    "metrics by seconds": {"keywords": {"resample_account_value_for_metrics": 7200}},
    "metrics not resampled": {"keywords": {"resample_account_value_for_metrics": False}},
    "risk-free rate": {"keywords": {"risk_free_return_rate": 0.03}},
    "smooth prices": {"keywords": {"smooth_prices": True, "show_tickers_with_zero_delta": True}},
    "user exceptions": {"keywords": {"ignore_user_exceptions": False}},
    "settings in backtest.json": {
        "backtest": {
            "price_data": {"assets": []},
            "settings": {"use_price": "high", "resample_account_value_for_metrics": "4h"},
        }
    },
    "benchmark": {"prices": TWO, "keywords": {"benchmark_symbol": "BTC-USD"}},
    "another currency": {
        "prices": [{"symbol": "ETH-BTC", "resolution": 3600, "bars": 100, "seed": 9}],
        "values": {"BTC": 3, "ETH": 2.5},
        "keywords": {"quote_account_value_in": "BTC"},
        "events": [event("price", ["buy", 0.4], ["sell", 0.3], symbol="ETH-BTC")],
    },
    "auto truncation": {
        "settings": {"settings": {"auto_truncate": True}},
        "events": [event("price", ["short", 0.123456789123], *TRADING)],
    },
    "a part of the data": {"from": 1_600_200_000, "until": 1_600_400_000},
    "a start between bars": {"from": 1_600_200_100, "until": 1_600_400_100},
    "nothing to trade with": {"values": {"USD": 0.5}},
    "a short run": {
        "prices": [{"symbol": "BTC-USD", "resolution": 60, "bars": 2000, "seed": 2}],
        "history": 60,
        "events": [event("price", *TRADING, resolution=60)],
    },
}


def check(answers: dict[str, Any]) -> None:
    ours, theirs = answers["ours"], answers["theirs"]
    assert "raised" not in theirs, theirs["raised"] + theirs["log"]
    assert "raised" not in ours, ours["raised"] + ours["log"]
    if theirs["failed"]:  # the library reports on what there is, we say that it failed
        assert ours["failed"]
        return
    assert not ours["failed"], ours["log"]
    assert len(ours["results"]) == len(theirs["results"]) == 1
    assert ours["observed"] == theirs["observed"]
    mine, its = ours["results"][0], theirs["results"][0]
    for name in its:
        assert mine[name] == its[name], name


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_the_same(play: Play, make_case: Make, name: str) -> None:
    answers = play(make_case(**CASES[name]))
    assert answers["ours"]["engine"]
    check(answers)


@pytest.mark.parametrize("name", ["market orders", "cancels", "a model that sleeps", "arbitrage"])
def test_the_plain_engine_is_the_same_too(play: Play, make_case: Make, name: str) -> None:
    answers = play(make_case(**CASES[name], engine="plain"))
    assert not answers["ours"]["engine"]
    check(answers)


ACTIONS = st.one_of(
    st.tuples(st.just("buy"), st.floats(0.01, 1.2)),
    st.tuples(st.just("sell"), st.floats(0.1, 1.2)),
    st.tuples(st.just("short"), st.floats(0.1, 60)),
    st.tuples(st.sampled_from(["limit_buy", "limit_sell", "stop", "take"]), st.floats(0.95, 1.05)),
    st.tuples(st.sampled_from(["cancel", "status"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["history", "lists", "deque"]), st.integers(1, 30)),
    st.tuples(st.sampled_from(["account", "cash", "raise"])),
).map(list)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    step = draw(st.sampled_from([60, 900, 3600]))
    symbols = draw(st.sampled_from([["BTC-USD"], ["BTC-USD", "ETH-USD"]]))
    gaps = draw(st.booleans())
    prices = [
        {
            "symbol": symbol,
            "resolution": step,
            "bars": draw(st.integers(60, 200)),
            "seed": draw(st.integers(0, 1000)),
            "volatility": draw(st.sampled_from([0.001, 0.01, 0.05])),
            "gaps": gaps,
        }
        for symbol in symbols
    ]
    kinds = ["price", "bar", "scheduled"] + (["arbitrage"] if len(symbols) > 1 else [])
    actions = st.lists(ACTIONS, min_size=1, max_size=6)
    events = [
        {"type": "price", "symbol": s, "resolution": step, "actions": [["cash"]]} for s in symbols
    ]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(kinds))
        pace = step * (draw(st.integers(1, 5)) if kind == "scheduled" else 1)
        events.append(
            {
                "type": kind,
                "symbol": draw(st.sampled_from(symbols)),
                "symbols": symbols,
                "resolution": pace,
                "init": draw(st.booleans()),
                "actions": draw(actions),
            }
        )
    shorting = draw(st.booleans())
    return {
        "prices": prices,
        "history": step,
        "events": events,
        "fees": draw(st.sampled_from([[0, 0], [0.001, 0.002]])),
        "settings": {
            "settings": {"global_shorting": shorting, "simulate_margin": draw(st.booleans())}
        },
        "keywords": {
            "use_price": draw(st.sampled_from(["close", "open", "low"])),
            "save_initial_account_value": draw(st.booleans()),
        },
        "values": {"USD": draw(st.sampled_from([100, 10_000, 123.456789]))},
    }


@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(changes=cases())
def test_any_strategy_is_the_same(play: Play, make_case: Make, changes: dict[str, Any]) -> None:
    check(play(make_case(**changes)))
