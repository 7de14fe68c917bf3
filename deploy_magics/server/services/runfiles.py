"""What a run left in its folder, read as far as it has been written.

The files are the run folder protocol's: ``output.log``, ``events.jsonl``, ``result.json``,
``result.npz``; the model's process writes them, so every line may be cut short or be nonsense.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from deploy_magics.errors import NotFoundError
from deploy_magics.executor.stream import read_log
from deploy_magics.server.settings import Settings

LOG_PART = 256 * 1024
MAX_RESULT = 256 << 20
POINTS = 2_000
_LINE = 1 << 20


class RunFiles:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def log_mark(self, run_id: str) -> tuple[int, int]:
        """Changes whenever the log has grown."""
        try:
            facts = (self._folder(run_id) / "output.log").stat()
        except OSError:
            return (0, 0)
        return (facts.st_size, facts.st_mtime_ns)

    def log(self, run_id: str, offset: int) -> tuple[str, int]:
        """What was printed from a byte offset on, and the offset of what follows."""
        return read_log(self._folder(run_id), max(offset, 0), LOG_PART)

    def orders(self, run_id: str) -> list[dict[str, Any]]:
        """Every order in its latest state, in the order in which they were made."""
        found: dict[str, dict[str, Any]] = {}
        for event in self._events(run_id, "order"):
            key = str(event.get("id", len(found)))
            found[key] = {**found.get(key, {}), **_without_event(event)}
        if found:
            return list(found.values())
        result = self._result(run_id)
        orders = result.get("orders") if result else None
        return [o for o in orders if isinstance(o, dict)] if isinstance(orders, list) else []

    def account(self, run_id: str) -> dict[str, Any]:
        """The account's latest values and its worth by time, thinned to ``POINTS``."""
        history: list[dict[str, Any]] = []
        latest: dict[str, Any] = {}
        for event in self._events(run_id, "account"):
            latest = _without_event(event)
            history.append({"time": event.get("time"), "value": event.get("value")})
        return {
            "time": latest.get("time"),
            "value": latest.get("value"),
            "values": latest.get("values", {}),
            "history": thinned(history),
        }

    def result(self, run_id: str) -> dict[str, Any]:
        """Raises NotFoundError while there is none, or when it is not one."""
        found = self._result(run_id)
        if found is None:
            raise NotFoundError("This run has no result.", status=404)
        return found

    def arrays(self, run_id: str) -> Path:
        path = self._folder(run_id) / "result.npz"
        if path.is_symlink() or not path.is_file():
            raise NotFoundError("This run has no result.", status=404)
        return path

    def _result(self, run_id: str) -> dict[str, Any] | None:
        path = self._folder(run_id) / "result.json"
        try:
            if path.is_symlink() or path.stat().st_size > MAX_RESULT:
                return None
            found = json.loads(path.read_bytes(), parse_constant=lambda _: None)
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _events(self, run_id: str, name: str) -> Iterator[dict[str, Any]]:
        wanted = f'"{name}"'.encode()
        try:
            file = (self._folder(run_id) / "events.jsonl").open("rb")
        except OSError:
            return
        with file:
            while line := file.readline(_LINE):
                if wanted not in line or not line.endswith(b"\n"):
                    continue
                try:
                    event = json.loads(line, parse_constant=lambda _: None)
                except (ValueError, RecursionError):
                    continue
                if isinstance(event, dict) and event.get("event") == name:
                    yield event

    def _folder(self, run_id: str) -> Path:
        return self._settings.run_folder(run_id)


def read_bars(file: TextIO, points: int = POINTS) -> dict[str, list[float]]:
    """Columns of an uploaded CSV of prices, neighbouring bars put together to ``points``."""
    rows: list[tuple[float, float, float, float, float]] = []
    for row in csv.DictReader(file):
        try:
            cells = [float(row[name]) for name in ("time", "open", "high", "low", "close")]
        except (KeyError, TypeError, ValueError):
            continue
        if all(map(math.isfinite, cells)):
            rows.append((cells[0], cells[1], cells[2], cells[3], cells[4]))
    step = max(1, math.ceil(len(rows) / points))
    groups = [rows[start : start + step] for start in range(0, len(rows), step)]
    return {
        "time": [group[0][0] for group in groups],
        "open": [group[0][1] for group in groups],
        "high": [max(row[2] for row in group) for group in groups],
        "low": [min(row[3] for row in group) for group in groups],
        "close": [group[-1][4] for group in groups],
    }


def thinned(rows: Sequence[Any], points: int = POINTS) -> list[Any]:
    """Evenly fewer, with the last one kept."""
    if len(rows) <= points:
        return list(rows)
    step = math.ceil(len(rows) / points)
    return [*rows[:-1:step], rows[-1]]


def _without_event(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "event"}
