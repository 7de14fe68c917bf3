"""Backtests as an interactive chart made for finance (TradingView's Lightweight Charts)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..actions.payload import POINTS, result_payload
from ..actions.payload_compare import comparison_payload

BUNDLE = Path(__file__).parent / "static" / "result.js"
# read by the JupyterLab extension: draws the same without a kernel, from a saved notebook
MIME = "application/vnd.deploy-magics.result+json"
POINTS_KEPT = 400  # of a line, in a saved notebook


class ResultWidget(anywidget.AnyWidget):
    """One backtest, or several side by side.

    Args:
        shown: a ``BacktestResult`` or a ``Comparison``.
    """

    _esm = BUNDLE if BUNDLE.exists() else "export default { render() {} }"
    shown: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, shown: Any, **traits: Any) -> None:
        super().__init__(shown=payload(shown), **traits)
        self._thing = shown

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        made = super()._repr_mimebundle_(**options)
        if made is None:
            return None
        data, metadata = made
        return {**data, **at_once(self._thing)}, metadata


def at_once(shown: Any) -> dict[str, Any]:
    """What the JupyterLab extension draws, before there is a widget and in a saved notebook."""
    return {MIME: payload(shown, points=POINTS_KEPT)}


def payload(shown: Any, *, points: int = POINTS) -> dict[str, Any]:
    """What ``labextension/src/types.ts`` calls IShown."""
    if hasattr(shown, "results"):
        return {"comparison": comparison_payload(shown, points=points)}
    return {"result": result_payload(shown, points=points)}


def result_widget(shown: Any) -> Any:
    """The widget of a result or a comparison; where the bundle was not built, it as it is."""
    return ResultWidget(shown) if BUNDLE.exists() else Static(shown)


class Static:
    """Shows a thing by what it says of itself."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        as_html = getattr(self._thing, "_repr_html_", None)
        shown = {"text/plain": repr(self._thing)}
        return {**shown, "text/html": as_html()} if as_html else shown
