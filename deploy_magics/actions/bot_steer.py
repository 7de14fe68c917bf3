"""Telling a bot what to do. What moves money asks first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import pandas as pd

from ..errors import UsageError
from ..platforms import freqtrade_tables as tables
from ..platforms.freqtrade import FreqtradeClient
from .ask import confirm
from .bot import BotName, Said, client, resolve
from .kinds import Completes

Pair = Annotated[str, Completes("bot-pair")]
Trade = Annotated[int, Completes("bot-trade")]
TradeOrAll = Annotated[str, Completes("bot-trade")]
OrderType = Literal["market", "limit"] | None


def start(*, bot: BotName = None) -> Said:
    """Start trading, or allow entries again.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return Said(client(bot).start())


def stop(*, bot: BotName = None) -> Said:
    """Stop trading; open trades stay open and nobody looks after them.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return Said(client(bot).stop())


def stopentry(*, bot: BotName = None) -> Said:
    """Open no new trades; open ones go on by their rules.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return Said(client(bot).stopentry())


def reload_config(*, bot: BotName = None) -> Said:
    """Read the configuration anew, and wait until the bot is back.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    connected = client(bot)
    said = connected.reload_config()
    return Said(f"{said} It is back, {connected.state()}.")


def forceexit(
    trade_id: TradeOrAll,
    *,
    ordertype: OrderType = None,
    amount: float | None = None,
    price: float | None = None,
    yes: bool = False,
    bot: BotName = None,
) -> Said:
    """Exit a trade, or all, at once.

    Args:
        trade_id: the trade's number, or all.
        ordertype: market or limit; as the bot is configured where it is left out.
        amount: only so much of it, in the base currency.
        price: the limit.
        yes: do not ask.
        bot: which bot; the one used last where it is left out.
    """
    if trade_id != "all" and not str(trade_id).isdigit():
        raise UsageError(f"{trade_id!r} is no trade.", "Give its number, or all.")
    connected = client(bot)
    what = "all open trades" if trade_id == "all" else f"trade {trade_id}"
    _sure(connected, f"Exit {what}", bot, yes)
    said = connected.forceexit(trade_id, ordertype=ordertype, amount=amount, price=price)
    return Said(said)


def forceenter(
    pair: Pair,
    rate: float | None = None,
    *,
    side: Literal["long", "short"] = "long",
    ordertype: OrderType = None,
    stake: float | None = None,
    tag: str | None = None,
    leverage: float | None = None,
    yes: bool = False,
    bot: BotName = None,
) -> pd.Series:
    """Enter a trade at once (the bot must have force_entry_enable).

    Args:
        pair: like BTC/USDT.
        rate: the price; the market's where it is left out.
        side: long or short.
        ordertype: market or limit; as the bot is configured where it is left out.
        stake: how much, in the stake currency; as configured where it is left out.
        tag: the enter tag, to find the trade by.
        leverage: in futures.
        yes: do not ask.
        bot: which bot; the one used last where it is left out.
    """
    connected = client(bot)
    at = f" at {rate}" if rate is not None else ""
    _sure(connected, f"Enter {side} {pair}{at}", bot, yes)
    return tables.facts(
        connected.forceenter(
            pair,
            side=side,
            price=rate,
            ordertype=ordertype,
            stake=stake,
            tag=tag,
            leverage=leverage,
        )
    )


def delete_trade(trade_id: Trade, *, yes: bool = False, bot: BotName = None) -> Said:
    """Take a trade out of the bot's database; what is bought stays bought on the exchange.

    Args:
        trade_id: the trade's number.
        yes: do not ask.
        bot: which bot; the one used last where it is left out.
    """
    connected = client(bot)
    _sure(connected, f"Delete trade {trade_id} from the database", bot, yes)
    return Said(connected.delete_trade(trade_id))


def cancel_order(trade_id: Trade, *, yes: bool = False, bot: BotName = None) -> Said:
    """Cancel a trade's open order.

    Args:
        trade_id: the trade's number.
        yes: do not ask.
        bot: which bot; the one used last where it is left out.
    """
    connected = client(bot)
    _sure(connected, f"Cancel the open order of trade {trade_id}", bot, yes)
    left = connected.cancel_open_order(trade_id)
    if left is None:
        return Said(f"The order of trade {trade_id} is cancelled, and the trade with it.")
    return Said(f"The open order of trade {trade_id} is cancelled.")


def blacklist(
    pair: Annotated[Sequence[str], Completes("bot-pair")] = (),
    *,
    remove: Sequence[str] = (),
    bot: BotName = None,
) -> list[str]:
    """The pairs that are never traded; pairs that are named go in.

    Args:
        pair: pairs to add, or patterns like .*DOWN/USDT.
        remove: pairs to take out.
        bot: which bot; the one used last where it is left out.
    """
    connected = client(bot)
    if remove:
        connected.blacklist_remove(remove)
    return connected.blacklist(pair)


def lock(
    pair: Pair,
    until: str,
    *,
    side: Literal["*", "long", "short"] = "*",
    reason: str = "",
    bot: BotName = None,
) -> pd.DataFrame:
    """Keep a pair from being entered for a while.

    Args:
        pair: like BTC/USDT.
        until: a time like 2026-12-31 or 2026-12-31T12:00, in UTC where it says no other.
        side: only for long or short trades.
        reason: to remember why.
        bot: which bot; the one used last where it is left out.
    """
    try:
        when = pd.Timestamp(until)
    except ValueError:
        raise UsageError(f"{until!r} is no time.", "Give it like 2026-12-31T12:00.") from None
    return tables.locks(client(bot).lock(pair, when.to_pydatetime(), side=side, reason=reason))


def unlock(which: Pair, *, bot: BotName = None) -> pd.DataFrame:
    """End a lock, or all locks of a pair.

    Args:
        which: the lock's number, or the pair.
        bot: which bot; the one used last where it is left out.
    """
    return tables.locks(client(bot).unlock(which))


def _sure(connected: FreqtradeClient, what: str, bot: str | None, yes: bool) -> None:
    """Ask before money moves; says whose money it is."""
    if yes:
        return
    money = "dry run" if connected.show_config()["dry_run"] else "REAL MONEY"
    confirm(f"{what} on {resolve(bot)} ({money})?", yes=False)
