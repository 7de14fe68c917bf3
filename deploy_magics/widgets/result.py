"""Backtests as an interactive chart made for finance (TradingView's Lightweight Charts)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..actions.payload import result_payload

BUNDLE = Path(__file__).parent / "static" / "result.js"
# read by the JupyterLab extension: draws the same without a kernel, from a saved notebook
MIME = "application/vnd.deploy-magics.result+json"
POINTS_KEPT = 400  # of a line, in a saved notebook


class ResultWidget(anywidget.AnyWidget):
    """One backtest, or several side by side.

    Args:
        results: ``BacktestResult`` objects.
    """

    _esm = BUNDLE if BUNDLE.exists() else "export default { render() {} }"
    results: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, *results: Any, **traits: Any) -> None:
        super().__init__(results=[result_payload(result) for result in results], **traits)
        self._shown = results

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        made = super()._repr_mimebundle_(**options)
        if made is None:
            return None
        data, metadata = made
        kept = [result_payload(result, points=POINTS_KEPT) for result in self._shown]
        return {**data, MIME: {"results": kept}}, metadata


def result_widget(result: Any) -> Any:
    """The widget of a result; where the bundle was not built, the result as it is."""
    return ResultWidget(result) if BUNDLE.exists() else Static(result)


def comparison_widget(comparison: Any) -> Any:
    """The widget of a comparison."""
    results: Sequence[Any] = comparison.results
    return ResultWidget(*results) if BUNDLE.exists() and len(results) else Static(comparison)


class Static:
    """Shows a thing by what it says of itself."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        as_html = getattr(self._thing, "_repr_html_", None)
        shown = {"text/plain": repr(self._thing)}
        return {**shown, "text/html": as_html()} if as_html else shown
