"""What happened to a run's bot between two looks, in the messages that a bot sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy_magics.server.dialects.freqtrade_call import Bot
from deploy_magics.server.dialects.freqtrade_trades import pair_of
from deploy_magics.server.dialects.freqtrade_view import View

KINDS = ("entry", "entry_fill", "exit", "exit_fill", "status", "warning", "whitelist")
Json = dict[str, Any]


@dataclass(frozen=True)
class Standing:
    """A bot at one moment.

    Attributes:
        left: what each trade still holds, by its number.
        pending: the orders that wait, by their id.
    """

    state: str
    error: str
    view: View
    left: Mapping[int, float] = field(default_factory=dict)
    pending: Mapping[str, Json] = field(default_factory=dict)
    pairs: tuple[str, ...] = ()

    @classmethod
    def of(cls, bot: Bot) -> Standing:
        view = bot.view()
        return cls(
            state=bot.state,
            error=bot.run.error or "",
            view=view,
            left={trade.number: trade.left for trade in view.trades},
            pending=view.pending,
            pairs=tuple(bot.pairs()),
        )


def news(before: Standing, now: Standing) -> Iterator[Json]:
    """In the order in which they make sense: orders, fills, the bot itself."""
    for number, order in now.pending.items():
        if number not in before.pending:
            yield _placed(order, now.view)
    for trade in now.view.trades:
        had = before.left.get(trade.number)
        shown = now.view.trade(trade)
        if had is None:
            yield {"type": "entry_fill", **shown}
        if trade.left < (trade.amount if had is None else had):
            yield {"type": "exit_fill", "sub_trade": trade.is_open, **shown}
    if now.pairs != before.pairs:
        yield {"type": "whitelist", "data": list(now.pairs)}
    if now.error and now.error != before.error:
        yield {"type": "warning", "status": now.error}
    if now.state != before.state:
        yield {"type": "status", "status": now.state}


def _placed(order: Json, view: View) -> Json:
    """A model buys to enter and sells to exit, as far as anybody outside of it knows."""
    base, _, quote = pair_of(str(order["symbol"])).partition("/")
    return {
        "type": "entry" if order.get("side") == "buy" else "exit",
        "exchange": view.exchange,
        "pair": f"{base}/{quote}",
        "base_currency": base,
        "quote_currency": quote,
        "stake_currency": view.quote,
        "order_type": order.get("type"),
        "amount": order.get("size"),
        "limit": order.get("price"),
        "open_rate": order.get("price"),
    }
