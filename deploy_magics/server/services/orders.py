"""What is asked for: an upload to be deployed or backtested, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy_magics.errors import RejectedError
from deploy_magics.server.store.blobs import Stage
from deploy_magics.server.store.tables import Model, Run, Version

_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
PACE = 1.0
COLUMNS = "time,open,high,low,close,volume"


@dataclass
class Order:
    """What is to be deployed or backtested, whichever dialect said so.

    Either ``package`` (a staged zip) or ``sha256`` of one that the account sent before.
    ``model_id`` names the model that gets the version; without it ``name`` does, and
    ``create_new`` insists that there is none of that name.
    """

    project_id: str
    model_id: str | None = None
    name: str | None = None
    create_new: bool = False
    kind: str | None = None
    description: str | None = None
    message: str = ""
    plan: str | None = None
    python: str | None = None
    schedule: str | None = None
    args: dict[str, Any] | None = None
    feed: dict[str, Any] | None = None
    live: bool = False
    package: Stage | None = None
    sha256: str | None = None
    prices: Mapping[str, Stage] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """``run`` is None for a screener that waits for its time."""

    model: Model
    version: Version
    run: Run | None


def default_feed(prices: Mapping[str, Any]) -> dict[str, Any]:
    """Paper: a replay of the prices that came along, a bar a second, else live prices."""
    return {"kind": "replay", "pace": PACE} if prices else {"kind": "ccxt"}


def check_prices(symbol: str, stage: Stage) -> None:
    """Raises RejectedError: a symbol that is none, or a file without the columns."""
    if not _SYMBOL.fullmatch(symbol):
        raise RejectedError(f"{symbol[:70]!r} is not a symbol.", status=400)
    with stage.seal().open("rb") as file:
        header = file.readline(1000).decode("utf-8-sig", "replace")
    if header.strip() != COLUMNS:
        raise RejectedError(f"The prices of {symbol} must have the columns {COLUMNS}.", status=400)
