"""What a bot can tell about its money and its market, and its backtests in webserver mode."""

from __future__ import annotations

from typing import Any

from ..errors import ConflictError
from . import freqtrade_shape as shape
from .freqtrade_wire import Wire

Json = dict[str, Any]


class Research:
    """The half of the client that only reads, and the webserver's backtests."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    # ------------------------------------------------------------------------ money

    def count(self) -> Json:
        """``current`` open trades of at most ``max`` (-1: no bound), ``total_stake``."""
        return shape.count(self.wire.get("count"))

    def profit(self) -> Json:
        return shape.profit(self.wire.get("profit"))

    def profit_all(self) -> dict[str, Json]:
        """``profit`` of ``all``, ``long`` and ``short`` trades."""
        return {side: shape.profit(one) for side, one in self.wire.get("profit_all").items() if one}

    def balance(self) -> Json:
        return shape.balance(self.wire.get("balance"))

    def historic_balance(self) -> Json:
        """The wallet over time, as columns and data."""
        return dict(self.wire.get("historic_balance"))

    def daily(self, days: int = 7) -> Json:
        return shape.periods(self.wire.get("daily", timescale=int(days)))

    def weekly(self, weeks: int = 8) -> Json:
        return shape.periods(self.wire.get("weekly", timescale=int(weeks)))

    def monthly(self, months: int = 6) -> Json:
        return shape.periods(self.wire.get("monthly", timescale=int(months)))

    def performance(self) -> list[Json]:
        """Profit by pair."""
        return shape.performance(self.wire.get("performance"))

    def entries(self, pair: str | None = None) -> list[Json]:
        """Profit by enter tag."""
        return list(self.wire.get("entries", pair=pair))

    def exits(self, pair: str | None = None) -> list[Json]:
        """Profit by exit reason."""
        return list(self.wire.get("exits", pair=pair))

    def mix_tags(self, pair: str | None = None) -> list[Json]:
        """Profit by enter tag and exit reason together."""
        return list(self.wire.get("mix_tags", pair=pair))

    def stats(self) -> Json:
        """Wins and losses by exit reason, mean durations in seconds."""
        return dict(self.wire.get("stats"))

    def edge(self) -> list[Json]:
        """Pairs that Edge found good; bots after 2025.5 have no Edge."""
        return list(self.wire.get("edge"))

    # ------------------------------------------------------------------ the machine

    def logs(self, limit: int | None = 50) -> Json:
        """``logs``: records of [text, time in ms, logger, level, message]."""
        return shape.logs(self.wire.get("logs", limit=limit))

    def health(self) -> Json:
        """When the bot last worked through its pairs."""
        return dict(self.wire.get("health"))

    def sysinfo(self) -> Json:
        return dict(self.wire.get("sysinfo"))

    # ------------------------------------------------------------------- the market

    def pair_candles(
        self,
        pair: str,
        timeframe: str,
        limit: int | None = None,
        columns: list[str] | None = None,
    ) -> Json:
        """The candles that the bot analysed, with the strategy's columns."""
        if columns is not None:
            body = {"pair": pair, "timeframe": timeframe, "limit": limit, "columns": columns}
            return dict(self.wire.post("pair_candles", **body))
        return dict(self.wire.get("pair_candles", pair=pair, timeframe=timeframe, limit=limit))

    def pair_history(self, pair: str, timeframe: str, timerange: str, strategy: str) -> Json:
        """Stored candles, analysed by a strategy (webserver mode)."""
        return dict(
            self.wire.get(
                "pair_history",
                pair=pair,
                timeframe=timeframe,
                timerange=timerange,
                strategy=strategy,
            )
        )

    def plot_config(self) -> Json:
        return dict(self.wire.get("plot_config"))

    def markets(self, base: str | None = None, quote: str | None = None) -> Json:
        return dict(self.wire.get("markets", base=base, quote=quote)["markets"])

    def strategies(self) -> list[str]:
        """Names of strategies (webserver mode)."""
        return list(self.wire.get("strategies")["strategies"])

    def strategy(self, name: str) -> Json:
        """A strategy's source and parameters."""
        return dict(self.wire.get(f"strategy/{name}"))

    def available_pairs(self) -> list[str]:
        """Pairs with stored candles (webserver mode)."""
        return list(self.wire.get("available_pairs")["pairs"])

    # ------------------------------------------------- backtests, in webserver mode

    def backtest_start(self, strategy: str, timerange: str, **options: Any) -> Json:
        """Start a backtest; one at a time.

        Args:
            timerange: ``20260101-`` or ``20260101-20260201``. Always sent: the bot of 2026.9
                fails without it, although its schema says that it may be left out.
            options: more of the bot's fields (``timeframe``, ``max_open_trades``, ``stake_amount``,
                ``dry_run_wallet``, ``enable_protections``, …).
        """
        body = {
            "strategy": strategy,
            "timerange": timerange,
            "enable_protections": False,
            **options,
        }
        answer = self.wire.post("backtest", **body)
        if not answer.get("running"):
            raise ConflictError(f"The bot starts no backtest: {answer.get('status_msg')}.")
        return dict(answer)

    def backtest_status(self) -> Json:
        """``status``, ``running``, ``step``, ``progress`` (0 to 1), ``backtest_result``."""
        return dict(self.wire.get("backtest"))

    def backtest_abort(self) -> Json:
        return dict(self.wire.get("backtest/abort"))

    def backtest_reset(self) -> Json:
        """Forget the last backtest."""
        return dict(self.wire.call("DELETE", "backtest"))

    def backtest_history(self) -> list[Json]:
        """The stored results."""
        return list(self.wire.get("backtest/history"))

    def backtest_history_result(self, filename: str, strategy: str) -> Json:
        answer = self.wire.get("backtest/history/result", filename=filename, strategy=strategy)
        return dict(answer)
