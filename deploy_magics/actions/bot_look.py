"""What a bot can tell, as tables."""

from __future__ import annotations

from typing import Annotated

import pandas as pd

from ..platforms import freqtrade_tables as tables
from .bot import BotName, Said, client
from .kinds import Completes

Pair = Annotated[str | None, Completes("bot-pair")]
TradeId = Annotated[int, Completes("bot-trade")]


def ping(*, bot: BotName = None) -> Said:
    """Whether the bot's API answers.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    connected = client(bot)
    if connected.ping():
        return Said("pong")
    return Said(f"{connected.wire.url} does not answer.")


def version(*, bot: BotName = None) -> Said:
    """The bot's version of freqtrade.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return Said(client(bot).version())


def show_config(*, bot: BotName = None) -> pd.Series:
    """The part of the configuration that matters for trading, and the bot's state.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.facts(client(bot).show_config())


def status(*, bot: BotName = None) -> pd.DataFrame:
    """The open trades, with their profit now.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.open_trades(client(bot).status())


def count(*, bot: BotName = None) -> pd.Series:
    """How many trades are open, of how many (-1: any number).

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.facts(client(bot).count())


def profit(*, bot: BotName = None) -> pd.Series:
    """Profit and loss of the closed trades, and of all.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.facts(client(bot).profit())


def profit_all(*, bot: BotName = None) -> pd.DataFrame:
    """Profit of all, of long and of short trades, side by side.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return pd.DataFrame(client(bot).profit_all())


def balance(*, bot: BotName = None) -> pd.DataFrame:
    """The balance of each currency; totals are in ``.attrs``.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    answer = client(bot).balance()
    frame = tables.balance(answer)
    frame.attrs.update({key: answer[key] for key in ("total", "total_bot", "stake", "note")})
    return frame


def historic_balance(*, bot: BotName = None) -> pd.DataFrame:
    """The balance over time.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.historic_balance(client(bot).historic_balance())


def daily(days: int = 7, *, bot: BotName = None) -> pd.DataFrame:
    """Profit per day.

    Args:
        days: how many days back.
        bot: which bot; the one used last where it is left out.
    """
    return tables.periods(client(bot).daily(days))


def weekly(weeks: int = 8, *, bot: BotName = None) -> pd.DataFrame:
    """Profit per week.

    Args:
        weeks: how many weeks back.
        bot: which bot; the one used last where it is left out.
    """
    return tables.periods(client(bot).weekly(weeks))


def monthly(months: int = 6, *, bot: BotName = None) -> pd.DataFrame:
    """Profit per month.

    Args:
        months: how many months back.
        bot: which bot; the one used last where it is left out.
    """
    return tables.periods(client(bot).monthly(months))


def performance(*, bot: BotName = None) -> pd.DataFrame:
    """Profit by pair.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.performance(client(bot).performance())


def entries(pair: Pair = None, *, bot: BotName = None) -> pd.DataFrame:
    """Profit by what made the bot enter.

    Args:
        pair: of this pair alone.
        bot: which bot; the one used last where it is left out.
    """
    return tables.performance(client(bot).entries(pair), "enter_tag")


def exits(pair: Pair = None, *, bot: BotName = None) -> pd.DataFrame:
    """Profit by what made the bot exit.

    Args:
        pair: of this pair alone.
        bot: which bot; the one used last where it is left out.
    """
    return tables.performance(client(bot).exits(pair), "exit_reason")


def mix_tags(pair: Pair = None, *, bot: BotName = None) -> pd.DataFrame:
    """Profit by entry and exit together.

    Args:
        pair: of this pair alone.
        bot: which bot; the one used last where it is left out.
    """
    return tables.performance(client(bot).mix_tags(pair), "mix_tag")


def stats(*, bot: BotName = None) -> pd.DataFrame:
    """Wins and losses by exit reason; mean durations are in ``.attrs``.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.stats(client(bot).stats())


def trades(limit: int | None = None, *, bot: BotName = None) -> pd.DataFrame:
    """The closed trades, the last closed first.

    Args:
        limit: how many; all where it is left out.
        bot: which bot; the one used last where it is left out.
    """
    return tables.trades(client(bot).trades(limit))


def trade(trade_id: TradeId, *, bot: BotName = None) -> pd.Series:
    """One trade, open or closed.

    Args:
        trade_id: its number, as %bot status and %bot trades list it.
        bot: which bot; the one used last where it is left out.
    """
    return tables.facts(client(bot).trade(trade_id))


def edge(*, bot: BotName = None) -> pd.DataFrame:
    """The pairs that Edge found good, of a bot that still has Edge.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return pd.DataFrame(client(bot).edge())


def whitelist(*, bot: BotName = None) -> list[str]:
    """The pairs that the bot trades.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return client(bot).whitelist()


def locks(*, bot: BotName = None) -> pd.DataFrame:
    """The pairs that the bot does not enter for a while.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.locks(client(bot).locks())


def logs(limit: int = 50, *, bot: BotName = None) -> pd.DataFrame:
    """The bot's last log records.

    Args:
        limit: how many.
        bot: which bot; the one used last where it is left out.
    """
    return tables.logs(client(bot).logs(limit))


def health(*, bot: BotName = None) -> pd.Series:
    """When the bot last worked through its pairs.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.facts(client(bot).health())


def sysinfo(*, bot: BotName = None) -> pd.Series:
    """Load and memory of the bot's machine.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.facts(client(bot).sysinfo())
