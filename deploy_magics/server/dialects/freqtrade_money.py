"""The money of a run's bot: its trades, its profit, its balance."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from deploy_magics.errors import NotFoundError
from deploy_magics.server.dialects.freqtrade_call import Bot, Json, text_of
from deploy_magics.server.dialects.freqtrade_trades import grouped


def add(made: APIRouter, asked: Any) -> None:
    @made.get("/status")
    def status(bot: Bot = asked) -> list[Json]:
        view = bot.view()
        return [view.trade(trade) for trade in view.open]

    @made.get("/trades")
    def trades(
        bot: Bot = asked, limit: int = 500, offset: int = 0, order_by_id: bool = True
    ) -> Json:
        view = bot.view()
        found = view.closed
        if not order_by_id:
            found = sorted(found, key=lambda trade: trade.closed or 0.0, reverse=True)
        page = found[max(offset, 0) : max(offset, 0) + max(1, min(limit, 10_000))]
        return {
            "trades": [view.trade(trade) for trade in page],
            "trades_count": len(page),
            "offset": offset,
            "total_trades": len(found),
        }

    @made.get("/trade/{trade_id}")
    def trade(trade_id: int, bot: Bot = asked) -> Json:
        view = bot.view()
        for each in view.trades:
            if each.number == trade_id:
                return view.trade(each)
        raise NotFoundError("Trade not found.", status=404)

    @made.delete("/trades/{trade_id}")
    def delete_trade(trade_id: int, bot: Bot = asked) -> Json:
        raise bot.refuse("the trades of a deployed model are its orders, which stay")

    @made.get("/count")
    def count(bot: Bot = asked) -> Json:
        if bot.state != "running":
            raise bot.refuse("trader is not running")
        found = bot.view().open
        return {
            "current": len(found),
            "max": -1,
            "total_stake": sum(trade.open_rate * trade.left for trade in found),
        }

    @made.get("/profit")
    def profit(bot: Bot = asked) -> Json:
        return bot.view().profit()

    @made.get("/performance")
    def performance(bot: Bot = asked) -> list[Json]:
        return bot.view().performance()

    @made.get("/balance")
    def balance(bot: Bot = asked) -> Json:
        return bot.view().balance()

    @made.get("/historic_balance")
    def historic_balance(bot: Bot = asked) -> Json:
        rows = [[text_of(at), int(at * 1000), value] for at, value in bot.view().history]
        columns = ["date", "__date_ts", "total_quote"]
        return {"columns": columns, "length": len(rows), "data": rows}

    @made.get("/entries")
    def entries(bot: Bot = asked) -> list[Json]:
        return grouped(bot.view().closed, "enter_tag", lambda _: "model")

    @made.get("/exits")
    def exits(bot: Bot = asked) -> list[Json]:
        return grouped(bot.view().closed, "exit_reason", lambda _: "model")

    @made.get("/mix_tags")
    def mix_tags(bot: Bot = asked) -> list[Json]:
        return grouped(bot.view().closed, "mix_tag", lambda _: "model model")

    @made.get("/stats")
    def stats(bot: Bot = asked) -> Json:
        done = bot.view().closed
        won = [each for each in done if each.profit > 0]
        lost = [each for each in done if each.profit < 0]
        counts = {"wins": len(won), "losses": len(lost), "draws": len(done) - len(won) - len(lost)}
        durations = {"wins": _mean(won), "losses": _mean(lost), "draws": None}
        return {"exit_reasons": {"model": counts} if done else {}, "durations": durations}

    for word, days in (("daily", 1), ("weekly", 7), ("monthly", 0)):
        made.add_api_route(f"/{word}", _periods(days, asked), methods=["GET"], name=word)


def _periods(days: int, asked: Any) -> Callable[..., Json]:
    def periods(bot: Bot = asked, timescale: int = 7) -> Json:
        view = bot.view()
        now = dt.datetime.fromtimestamp(view.now or time.time(), dt.timezone.utc).date()
        begin = _begin(now, days)
        rows: list[Json] = []
        for _ in range(max(1, min(timescale, 1000))):
            done = [each for each in view.closed if _begin(_day(each.closed), days) == begin]
            before = sum(each.profit for each in view.closed if _day(each.closed) < begin)
            profit, start = sum(each.profit for each in done), view.start + before
            rows.append(
                {
                    "date": begin.isoformat(),
                    "abs_profit": profit,
                    "rel_profit": profit / start if start else 0.0,
                    "starting_balance": start,
                    "fiat_value": 0.0,
                    "trade_count": len(done),
                }
            )
            begin = _begin(begin - dt.timedelta(days=1), days)
        return {"data": rows, "fiat_display_currency": "", "stake_currency": view.quote}

    return periods


def _begin(day: dt.date, days: int) -> dt.date:
    """The first day of a day's own period: itself, its Monday, the first of its month."""
    if days == 7:
        return day - dt.timedelta(days=day.weekday())
    return day if days == 1 else day.replace(day=1)


def _day(seconds: float | None) -> dt.date:
    return dt.datetime.fromtimestamp(seconds or 0.0, dt.timezone.utc).date()


def _mean(trades: list[Any]) -> float | None:
    spans = [trade.closed - trade.opened for trade in trades if trade.closed]
    return sum(spans) / len(spans) if spans else None
