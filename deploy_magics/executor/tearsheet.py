"""The report of QuantStats over a result."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from deploy_magics.errors import UsageError
from deploy_magics.executor.metrics import buy_and_hold

if TYPE_CHECKING:
    from deploy_magics.executor.result import BacktestResult


class Tearsheet:
    """The report's page; shows itself in a notebook, in a frame of its own."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        from html import escape

        return (
            f"<iframe srcdoc='{escape(self.html, quote=True)}' sandbox='' width='100%' "
            "height='900' style='border:0;background:white'></iframe>"
        )

    def __repr__(self) -> str:
        return f"Tearsheet({len(self.html):,} characters of HTML; give a path to write it)"


def tearsheet(result: BacktestResult, path: str | Path | None = None) -> Any:
    """Write the report and return its path; without a path return something that shows it.

    Raises UsageError where QuantStats is not installed, or the run is shorter than two days.
    """
    try:
        import quantstats
    except ImportError as problem:
        raise UsageError(
            "The tearsheet needs QuantStats.",
            "Install it with: pip install 'deploy_magics[tearsheet]'",
        ) from problem
    returns = daily_returns(result.equity)
    if len(returns) < 2:
        raise UsageError("A tearsheet needs a run of two days or more.")
    held = buy_and_hold(result.prices, result.equity.index)
    benchmark = daily_returns(held) if held is not None else None
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = Path(path).expanduser() if path else Path(folder) / "tearsheet.html"
        title = result.model or "Backtest"
        fonts = logging.getLogger("matplotlib.font_manager")
        fonts.addFilter(_nothing)  # it asks for Arial, some hundred times
        try:
            quantstats.reports.html(returns, benchmark, output=str(place), title=title)
        finally:
            fonts.removeFilter(_nothing)
        return place if path else Tearsheet(place.read_text("utf-8"))


def _nothing(record: logging.LogRecord) -> bool:
    return False


def daily_returns(values: pd.Series) -> pd.Series:
    """Fractions by day, without a time zone, as QuantStats wants them."""
    days = values.index.tz_localize(None).floor("D")  # type: ignore[attr-defined]
    return values.groupby(days).last().pct_change().dropna()
