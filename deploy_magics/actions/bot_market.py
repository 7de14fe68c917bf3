"""What a bot sees of its market: candles, pairs, strategies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pandas as pd

from ..platforms import freqtrade_tables as tables
from .bot import BotName, Said, client
from .kinds import Completes

Pair = Annotated[str, Completes("bot-pair")]


def candles(
    pair: Pair,
    timeframe: str | None = None,
    *,
    limit: int | None = None,
    columns: Sequence[str] = (),
    bot: BotName = None,
) -> pd.DataFrame:
    """The candles that the bot analysed, with the strategy's columns.

    Args:
        pair: like BTC/USDT.
        timeframe: like 5m; the strategy's own where it is left out.
        limit: how many of the last candles.
        columns: only these of the strategy's columns.
        bot: which bot; the one used last where it is left out.
    """
    connected = client(bot)
    timeframe = timeframe or str(connected.show_config()["timeframe"])
    return tables.candles(connected.pair_candles(pair, timeframe, limit, list(columns) or None))


def history(
    pair: Pair, strategy: str, *, timeframe: str, timerange: str, bot: BotName = None
) -> pd.DataFrame:
    """Stored candles, analysed by a strategy; of a bot in webserver mode.

    Args:
        pair: like BTC/USDT.
        strategy: the strategy's class.
        timeframe: like 5m.
        timerange: like 20260101-20260201.
        bot: which bot; the one used last where it is left out.
    """
    return tables.candles(client(bot).pair_history(pair, timeframe, timerange, strategy))


def plot_config(*, bot: BotName = None) -> pd.Series:
    """How the strategy wants its columns drawn.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return tables.facts(client(bot).plot_config())


def markets(
    *, base: str | None = None, quote: str | None = None, bot: BotName = None
) -> pd.DataFrame:
    """The exchange's markets.

    Args:
        base: only those of this coin.
        quote: only those priced in this currency.
        bot: which bot; the one used last where it is left out.
    """
    return pd.DataFrame(list(client(bot).markets(base, quote).values())).infer_objects()


def strategies(*, bot: BotName = None) -> list[str]:
    """The strategies that a bot in webserver mode has.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return client(bot).strategies()


def strategy(name: Annotated[str, Completes("bot-strategy")], *, bot: BotName = None) -> Said:
    """A strategy's source code.

    Args:
        name: the strategy's class.
        bot: which bot; the one used last where it is left out.
    """
    return Said(client(bot).strategy(name)["code"])


def pairs(*, bot: BotName = None) -> list[str]:
    """The pairs that a bot in webserver mode has stored candles of.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    return client(bot).available_pairs()
