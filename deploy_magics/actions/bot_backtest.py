"""A backtest that a freqtrade bot in webserver mode runs, as one of our results."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pandas as pd

from ..display import progress
from ..errors import ModelFailedError, RunCancelledError, UsageError
from ..executor.metrics import further_metrics
from ..executor.result import BacktestResult
from ..platforms.freqtrade import FreqtradeClient
from .bot import BotName, client
from .kinds import Completes

PAUSE = 0.25
STOPS = 15.0  # seconds that a bot is given to end a backtest
Json = dict[str, Any]


def backtest(
    strategy: Annotated[str, Completes("bot-strategy")],
    timerange: str,
    *,
    timeframe: str | None = None,
    wallet: float | None = None,
    stake: float | None = None,
    max_open_trades: int | None = None,
    protections: bool = False,
    bot: BotName = None,
) -> BacktestResult:
    """Backtest one of the bot's strategies, on the bot (in webserver mode).

    Args:
        strategy: the strategy's class.
        timerange: like 20260101- or 20260101-20260201.
        timeframe: like 1h; the strategy's own where it is left out.
        wallet: what to begin with, in the stake currency.
        stake: how much of it each trade takes.
        max_open_trades: how many trades at most at once.
        protections: with the strategy's protections.
        bot: which bot; the one used last where it is left out.
    """
    if "-" not in timerange:
        raise UsageError(f"{timerange!r} is no time range.", "Like 20260101-20260201.")
    connected = client(bot)
    asked = {
        "timeframe": timeframe,
        "dry_run_wallet": wallet,
        "stake_amount": stake,
        "max_open_trades": max_open_trades,
        "enable_protections": protections,
    }
    options = {name: value for name, value in asked.items() if value is not None}
    try:
        connected.backtest_start(strategy, timerange, **options)
        answer = _wait(connected, strategy)
    except KeyboardInterrupt:
        stopped = _stop(connected)
        how = "was stopped" if stopped else "is told to stop; it has not ended yet"
        raise RunCancelledError(f"The backtest on the bot {how}.") from None
    return result_of(answer, strategy, {"timerange": timerange, **options})


def result_of(answer: Mapping[str, Any], strategy: str, args: Json) -> BacktestResult:
    """A bot's ``backtest_result`` as ours.

    Ratios become percents as our metrics have them. The account's value is told at each exit: a
    bot's answer holds no prices in between.
    """
    found = answer["strategy"][strategy]
    quote = str(found["stake_currency"])
    orders = orders_of(found["trades"], quote)
    history = _history(found, quote)
    result = BacktestResult(
        id=uuid.uuid4().hex,
        model=strategy,
        model_digest=hashlib.sha256(strategy.encode()).hexdigest(),
        metrics={},
        history=history,
        order_list=orders,
        args=args,
        args_used=args,
        symbols=tuple(pair.replace("/", "-") for pair in found["pairlist"]),
        quote_asset=quote,
        exchange="freqtrade",
        where="freqtrade",
        engine="freqtrade",
        timings={"run": float(found["backtest_run_end_ts"] - found["backtest_run_start_ts"])},
        notes=("The account's value is told at each exit; open trades do not count before.",),
    )
    figures: Json = dict(further_metrics(history, result.trades, quote))
    figures.pop("exposure", None)
    figures |= {
        "cagr": 100 * found["cagr"],
        "cum_returns": 100 * found["profit_total"],
        "max_drawdown": 100 * found["max_drawdown_account"],
        **{name: found[name] for name in ("sharpe", "sortino", "calmar")},
        "market_change_pct": 100 * found["market_change"],
    }
    result.metrics = figures
    result.metric_names = {"market_change_pct": "Market Change (%)"}
    return result


def orders_of(trades: Sequence[Mapping[str, Any]], quote: str) -> list[Json]:
    """The orders of a bot's trades, with the fee in the quote asset, by time."""
    orders: list[Json] = []
    for number, trade in enumerate(trades):
        entry, exit = ("sell", "buy") if trade["is_short"] else ("buy", "sell")
        for part in trade["orders"]:
            entering = part["ft_is_entry"]
            rate = trade["fee_open"] if entering else trade["fee_close"]
            at = part["order_filled_timestamp"] / 1000
            orders.append(
                {
                    "id": f"{number}-{len(orders)}",
                    "symbol": trade["pair"].replace("/", "-"),
                    "quote_asset": quote,
                    "side": entry if entering else exit,
                    "type": "market",
                    "size": part["amount"],
                    "price": part["safe_price"],
                    "fee": part["amount"] * part["safe_price"] * rate,
                    "status": "done",
                    "created_at": at,
                    "time": at,
                    "tag": part.get("ft_order_tag"),
                }
            )
    return sorted(orders, key=lambda order: order["time"])


def _history(found: Mapping[str, Any], quote: str) -> pd.DataFrame:
    """The account's value at the beginning, at each exit, and at the end."""
    ends = sorted((trade["close_timestamp"], trade["profit_abs"]) for trade in found["trades"])
    points = {found["backtest_start_ts"]: float(found["starting_balance"])}
    value = float(found["starting_balance"])
    for at, profit in ends:
        value += float(profit)
        points[at] = value
    points[max(found["backtest_end_ts"], max(points))] = value
    index = pd.to_datetime(list(points), unit="ms", utc=True)
    return pd.DataFrame({quote: list(points.values()), "value": list(points.values())}, index=index)


def _wait(connected: FreqtradeClient, strategy: str) -> Json:
    """Follow the running backtest to its end."""
    with progress(1.0, f"{strategy} on the bot") as line:
        while True:
            told = connected.backtest_status()
            if not told["running"]:
                break
            line.update(float(told["progress"] or 0.0), note=str(told["step"] or ""))
            time.sleep(PAUSE)
    answer = told.get("backtest_result")
    if told["status"] != "ended" or not answer:
        raise ModelFailedError(f"{told['status_msg']}.", "The bot's log says more.")
    return dict(answer)


def _stop(connected: FreqtradeClient) -> bool:
    """Stop the backtest on the bot too; whether it has ended, so that it takes the next one."""
    connected.backtest_abort()
    deadline = time.monotonic() + STOPS
    while connected.backtest_status()["running"]:
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True
