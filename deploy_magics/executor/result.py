"""What a backtest gives: the library's figures and the field's, account, orders, trades."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deploy_magics.errors import RunError
from deploy_magics.executor import exact_json
from deploy_magics.executor.data import PriceSet, cached_bars
from deploy_magics.executor.trades import pair_orders

if TYPE_CHECKING:
    from deploy_magics.executor.plot import Picture

FORMAT = 1
DAY = 86400.0


@dataclass(repr=False, eq=False)
class BacktestResult:
    """One backtest of one model.

    Attributes:
        metrics: the library's own values under its own keys (percent where its name says so),
            then the further ones of ``metrics.NAMES``.
        metric_names: what each is called when it is shown.
        history: the account by time (UTC), one row for each row of the library's account history:
            the amount of each asset, and ``value`` in the quote asset.
        order_list: the orders as the library has them, with ``time`` in epoch seconds.
        args: what was asked for; ``args_used``: what the library was called with.
        code: the model's text files, for comparing what changed.
        callback_errors: what the model's callbacks raised and the library swallowed.
        screeners: what each screener of the script found, by symbol.
        further: results of the other strategies, where the script has several.
    """

    id: str
    model: str
    model_digest: str
    metrics: dict[str, Any]
    metric_names: dict[str, str] = field(default_factory=dict)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    order_list: list[dict[str, Any]] = field(default_factory=list)
    args: dict[str, Any] = field(default_factory=dict)
    args_used: dict[str, Any] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    quote_asset: str | None = None
    exchange: str | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    data_digests: dict[str, str] = field(default_factory=dict)
    engine: str = "fast"
    versions: dict[str, str] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    callback_errors: list[dict[str, Any]] = field(default_factory=list)
    screeners: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    logs: str = ""
    code: dict[str, str] = field(default_factory=dict)
    created_at: float = field(default_factory=clock.time)
    key: str = ""
    where: str = "local"
    from_cache: bool = False
    further: list[BacktestResult] = field(default_factory=list)
    price_set: PriceSet | None = field(default=None, repr=False)

    @classmethod
    def from_run_folder(
        cls,
        folder: str | Path,
        *,
        model: Any = None,
        prices: PriceSet | None = None,
        args: Mapping[str, Any] | None = None,
        environment: Any = None,
        key: str = "",
        notes: Sequence[str] = (),
        id: str | None = None,
    ) -> BacktestResult:
        """What a run left in its folder; RunError where that is missing, cut or wrong.

        Args:
            model: the Model that ran, for its name, digest and code.
            key: ``history.run_key`` of it, to be found again by.
        """
        from deploy_magics.executor.run_folder import read_result

        return read_result(
            Path(folder),
            model=model,
            prices=prices,
            args=dict(args or {}),
            environment=environment,
            key=key,
            notes=tuple(notes),
            run_id=id,
        )

    @cached_property
    def equity(self) -> pd.Series:
        """The account's value by time, in the quote asset."""
        return self.history["value"].rename("equity")

    @cached_property
    def drawdown(self) -> pd.Series:
        """Fractions at or below zero: how far the account is below its highest value so far."""
        return (self.equity / self.equity.cummax() - 1).rename("drawdown")

    @cached_property
    def returns(self) -> pd.Series:
        """Fractions by time, at the library's own steps (a day unless the settings say else)."""
        step = float(self.metrics.get("resampled_time") or DAY)
        times = self.history.index.to_numpy("datetime64[ns]").astype(np.int64) / 1e9
        if not len(times):
            return pd.Series(dtype=float, name="returns")
        asked = np.arange(times[0], times[-1] + 1e-6, step)
        # the library takes the row before the one at exactly that time
        at = np.maximum(np.searchsorted(times, asked, side="left") - 1, 0)
        index = pd.to_datetime(asked, unit="s", utc=True)
        values = pd.Series(self.equity.to_numpy()[at], index=index, name="returns")
        return values.pct_change().iloc[1:]

    @property
    def positions(self) -> pd.DataFrame:
        """The amount of each asset by time, the quote asset included."""
        return self.history.drop(columns="value")

    @cached_property
    def trades(self) -> pd.DataFrame:
        """The orders paired first in, first out; see ``trades.pair_orders``."""
        return pair_orders(self.order_list)

    @cached_property
    def orders(self) -> pd.DataFrame:
        """The orders as they were sent, with times (UTC)."""
        table = pd.DataFrame(self.order_list)
        for name in ("symbol", "side", "type", "size", "price", "status", "time"):
            if name not in table:
                table[name] = None
        for name in ("time", "created_at"):
            if name in table:
                table[name] = pd.to_datetime(pd.to_numeric(table[name]), unit="s", utc=True)
        return table

    @cached_property
    def prices(self) -> dict[str, pd.DataFrame]:
        """The prices of the run's time by symbol, from this machine's cache; {} where unknown."""
        known = {}
        for symbol, digest in self.data_digests.items():
            bars = (self.price_set.bars.get(symbol) if self.price_set else None) or cached_bars(
                symbol, digest
            )
            if bars is not None:
                frame = bars.frame
                if len(self.history):
                    frame = frame.loc[self.history.index[0] : self.history.index[-1]]
                if len(frame):
                    known[symbol] = frame
        return known

    @property
    def initial_value(self) -> float:
        return float(self.equity.iloc[0]) if len(self.history) else float("nan")

    @property
    def final_value(self) -> float:
        return float(self.equity.iloc[-1]) if len(self.history) else float("nan")

    def plot(self) -> Picture:
        """One picture: equity against buy and hold, drawdown, trades on the price."""
        from deploy_magics.executor.plot import plot_result

        return plot_result(self)

    def to_json(self) -> str:
        """Everything but the prices, exactly; the prices are named by their digests."""
        record = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("history", "further", "price_set", "from_cache")
        }
        times = self.history.index.to_numpy("datetime64[ns]").astype(np.int64)
        record["history"] = {
            "time": times,
            "columns": {name: self.history[name].to_numpy() for name in self.history},
        }
        record["further"] = [result.to_json() for result in self.further]
        return exact_json.dumps({"deploy_magics_result": FORMAT, **record})

    @classmethod
    def from_json(cls, text: str | bytes) -> BacktestResult:
        """The result that ``to_json`` wrote; RunError for anything else."""
        try:
            record = exact_json.loads(text)
            if record.pop("deploy_magics_result") != FORMAT:
                raise ValueError("another format")
            history = record.pop("history")
            record["history"] = account_frame(
                np.asarray(history["time"]), history["columns"], per_second=10**9
            )
            record["further"] = [cls.from_json(item) for item in record["further"]]
            for name in ("symbols", "imports", "notes"):
                record[name] = tuple(record[name])
            return cls(**record)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise RunError(f"This is not a result of a backtest ({problem}).") from problem

    def to_html(self, path: str | Path) -> Path:
        """Write a page that stands alone, to send; returns its path."""
        from deploy_magics.executor.page import result_page

        place = Path(path).expanduser()
        place.write_text(result_page(self), "utf-8")
        return place

    def tearsheet(self, path: str | Path | None = None) -> Any:
        """QuantStats' report: written to ``path``, or shown where there is none."""
        from deploy_magics.executor.tearsheet import tearsheet

        return tearsheet(self, path)

    def cached(self) -> BacktestResult:
        """The same, marked as an answer from the store."""
        return replace(self, from_cache=True)

    def __repr__(self) -> str:
        from deploy_magics.executor.page import result_text

        return result_text(self)

    def _repr_html_(self) -> str:
        """For a notebook, with the picture in it."""
        from deploy_magics.executor.page import result_html

        return result_html(self, self._png)

    def _repr_png_(self) -> bytes:
        """The picture alone, for what cannot show HTML."""
        return self._png

    @cached_property
    def _png(self) -> bytes:
        return self.plot().png


def account_frame(
    times: np.ndarray, columns: Mapping[str, np.ndarray], *, per_second: int = 1
) -> pd.DataFrame:
    """The account by time (UTC) out of columns; ``times`` counts so many per second."""
    counts = nanoseconds(times) if per_second == 1 else np.asarray(times, dtype=np.int64)
    index = pd.DatetimeIndex(counts.view("datetime64[ns]"), tz="UTC", name="time")
    return pd.DataFrame({name: np.asarray(values) for name, values in columns.items()}, index=index)


def nanoseconds(times: np.ndarray) -> np.ndarray:
    """Of epoch seconds."""
    return np.round(np.asarray(times, dtype=float) * 1e9).astype(np.int64)
