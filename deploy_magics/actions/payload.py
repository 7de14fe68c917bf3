"""A backtest's result as plain data for the charts of the panel and the widgets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import NotFoundError
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import Run

if TYPE_CHECKING:
    from ..executor.result import BacktestResult

POINTS = 1500  # of a line: more than a chart has columns
SYMBOLS = 4  # whose prices are drawn
ORDERS = 2000
LOCAL_RUNS = 20


def result_payload(result: BacktestResult, *, points: int = POINTS) -> dict[str, Any]:
    """What ``labextension/src/types.ts`` calls IResult; JSON without NaN.

    Args:
        points: at most so many for each line; the highest and lowest of each stretch are kept.
    """
    from ..executor.metrics import metrics_table

    rows = metrics_table(result)
    return {
        "id": result.id,
        "title": result.model or "Backtest",
        "subtitle": subtitle(result),
        "quote": result.quote_asset or "",
        "equity": line(result.equity, points),
        "drawdown": line(result.drawdown, points),
        "prices": {
            symbol: line(frame["close"], points)
            for symbol, frame in list(result.prices.items())[:SYMBOLS]
        },
        "trades": _orders(result),
        "metrics": [{"key": key, "name": name, "value": value} for key, name, value in rows],
        "notes": [str(note) for note in result.notes],
    }


def remote_payload(client: BlanklyClient, run_id: str) -> dict[str, Any]:
    """The same, of a backtest that ran on a server."""
    from ..executor.platform import fetch_result

    run = client.run(run_id)
    return _remote(client, run, fetch_result(client, run_id, args=run.args))


def _remote(client: BlanklyClient, run: Run, result: BacktestResult) -> dict[str, Any]:
    payload = result_payload(result)
    payload["prices"] = payload["prices"] or _remote_prices(client, run.id, result.symbols)
    if run.description:
        payload["title"] = run.description
    return payload


def _remote_prices(
    client: BlanklyClient, run_id: str, symbols: Sequence[str]
) -> dict[str, list[dict[str, float]]]:
    """The prices that a run was given, as lines; of its exchange's own the server has none."""
    lines = {}
    for symbol in symbols[:SYMBOLS]:
        try:
            bars = client.prices(run_id, symbol)
        except NotFoundError:
            continue
        index = pd.to_datetime(list(bars["time"]), unit="s", utc=True)
        lines[symbol] = line(pd.Series(bars["close"], index=index))
    return lines


def local_payload(run_id: str) -> dict[str, Any]:
    """The same, of a backtest that ran on this machine."""
    from ..executor.history import RunStore

    return result_payload(RunStore().get(run_id))


def local_runs(limit: int = LOCAL_RUNS) -> list[dict[str, Any]]:
    """The newest backtests that ran from this machine, as the panel lists them.

    Those that ran on a platform stand below their version there.
    """
    from ..executor.history import RunStore

    kept = [run for run in RunStore().list() if run.where != "platform"]

    return [
        {
            "id": run.id,
            "model": run.model or "Backtest",
            "createdAt": run.created_at,
            "description": ", ".join(run.symbols),
            "summary": _summary(run.metrics),
        }
        for run in kept[:limit]
    ]


def _summary(metrics: Mapping[str, Any]) -> str:
    """A backtest in a word: what it earned."""
    earned = _number(metrics.get("return_pct"))
    return "" if earned is None else f"{earned:+.2f} %"


def subtitle(result: BacktestResult) -> str:
    """What was asked for, in one line: symbols, time, start values."""
    args: Mapping[str, Any] = {**result.args, **result.args_used}
    parts = [", ".join(result.symbols)]
    if len(result.history):
        first, last = result.history.index[0], result.history.index[-1]
        parts.append(f"{first:%Y-%m-%d} to {last:%Y-%m-%d}")
    elif args.get("to"):
        parts.append(f"the last {args['to']}")
    values = args.get("initial_values") or {}
    if isinstance(values, Mapping):
        parts.append(", ".join(f"{amount:g} {asset}" for asset, amount in values.items()))
    return " · ".join(part for part in parts if part)


def line(series: pd.Series, points: int = POINTS) -> list[dict[str, float]]:
    """A series as points with ascending whole seconds, thinned; gaps and NaN are left out."""
    from ..executor.thin import thinned

    times = series.index.to_numpy("datetime64[s]").astype(np.int64)
    values = series.to_numpy(dtype=float)
    keep = np.isfinite(values)
    times, values = times[keep], values[keep]
    if len(times):
        last_of_second = np.append(np.diff(times) > 0, True)
        times, values = times[last_of_second], values[last_of_second]
    return [{"time": int(times[at]), "value": float(values[at])} for at in thinned(values, points)]


def _orders(result: BacktestResult) -> list[dict[str, Any]]:
    """The filled orders, in their order of time."""
    from ..executor.trades import FILLED

    orders: list[dict[str, Any]] = []
    for order in result.order_list:
        price, size = _number(order.get("price")), _number(order.get("size"))
        time = _number(order.get("time")) or _number(order.get("created_at"))
        filled = str(order.get("status", "done")).lower() in FILLED
        if filled and price is not None and size is not None and time is not None:
            orders.append(
                {
                    "time": int(time),
                    "side": str(order.get("side", "")).lower(),
                    "symbol": str(order.get("symbol", "")),
                    "size": size,
                    "price": price,
                }
            )
    return sorted(orders, key=lambda order: int(order["time"]))[:ORDERS]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
