"""The rows of the table, by the letters of their measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.measure import Row
from benchmarks.rows import packaging, peers, road, sweeps, upload
from benchmarks.setting import Setting

ROWS: dict[str, Callable[[Setting], Iterable[Row]]] = {
    "a": road.hours,
    "b": road.minutes,
    "c": peers.side_by_side,
    "d": sweeps.sweep_rows,
    "e": road.callback_share,
    "f": packaging.packaging,
    "g": upload.upload,
    "h": road.memory,
}
