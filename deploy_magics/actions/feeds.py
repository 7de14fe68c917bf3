"""Where a live run's prices come from: a replay of given data, live prices, the real exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..model import Model
from .ask import confirm
from .workspace import current

if TYPE_CHECKING:
    from ..executor.data import PriceSet

PACE = 1.0  # bars a second, where nothing is said


def choose_feed(
    model: Model,
    *,
    data: Mapping[str, Any] | None,
    exchange: str | None,
    pace: float | str | None,
    live: bool,
    yes: bool,
) -> tuple[dict[str, Any] | None, PriceSet | None]:
    """The feed, and the prices that go with it.

    Raises:
        UsageError: nothing says where prices come from, or two things do.
        InteractionError: real orders were asked for and nobody is here to confirm.
    """
    if live:
        if data or exchange or pace is not None:
            raise UsageError(
                "--live trades on the model's own exchange.",
                "Leave --data, --exchange and --pace out.",
            )
        confirm(f"{model.name} will send real orders. Go on?", yes=yes)
        return {"kind": "exchange"}, None
    if exchange is not None:
        if data or pace is not None:
            raise UsageError("--exchange gives live prices.", "Leave --data and --pace out.")
        return {"kind": "ccxt", "exchange": exchange.lower()}, None
    if model.manifest.type == "screener" and not data:
        return None, None
    prices = prices_for(model, data, remembered=True)
    if prices is None:
        raise UsageError(
            "A paper run needs prices.",
            "Give --data SYMBOL=file to replay, --exchange NAME for live prices, or --live.",
        )
    return {"kind": "replay", "pace": read_pace(pace)}, prices


def prices_for(
    model: Model, data: Mapping[str, Any] | None, *, remembered: bool
) -> PriceSet | None:
    """The prices that are given, else (``remembered``) those that this model had last."""
    from ..executor.data import load_prices

    workspace = current()
    if data:
        workspace.data[model.name] = dict(data)
    elif remembered:
        data = workspace.data.get(model.name)
    return load_prices(data) if data else None


def read_pace(pace: float | str | None) -> float | str:
    """Bars a second, 0 for as fast as it goes, or ``real``."""
    if pace is None:
        return PACE
    if isinstance(pace, str):
        if pace.lower() in ("real", "realtime", "real-time"):
            return "real"
        if pace.lower() in ("fast", "max"):
            return 0
        raise UsageError(
            f"--pace cannot be {pace!r}.", "Say bars a second, 0 for as fast as it goes, or real."
        )
    if pace < 0:
        raise UsageError("--pace cannot be below 0.", "0 is as fast as it goes.")
    return pace
