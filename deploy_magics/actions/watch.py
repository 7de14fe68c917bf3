"""A run as it is seen while it runs: its progress, its prints, its first complaint."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from ..display import Progress, mode, progress
from ..display.progress import duration
from ..display.table import clean

PRINTS_EVERY = 0.25  # seconds between two looks at what the model printed


class Watch:
    """Shows a run of this machine; use it with ``with`` and give it the events.

    Prints come as they come, from the run's log, read by a thread of its own.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._folder = folder
        self._progress: Progress = progress(None, f"Backtesting {name}")
        self._ended = threading.Event()
        self._printer = threading.Thread(target=self._print, daemon=True)
        self._complained = False
        self._bars = 0

    def __enter__(self) -> Watch:
        self._progress.__enter__()
        self._progress.phase("starting")
        self._printer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._printer.join(5)
        if kind is None:
            self._progress.finish(text=self._summary())
        else:
            self._progress.__exit__(kind, error, trace)

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event of the run."""
        kind = event.get("event")
        if kind == "progress":
            self._bars = int(event.get("done") or 0)
            self._progress.update(self._bars, event.get("total"), self._note(event))
        elif kind == "phase":
            self._progress.phase(str(event.get("name", "")))
        elif kind == "callback_error" and not self._complained:
            self._complained = True
            _say(
                "A callback of the model raised; the library goes on (shown once):\n"
                + str(event.get("traceback", "")).rstrip()
            )

    def _note(self, event: Mapping[str, Any]) -> str:
        parts = []
        if event.get("time") is not None:
            at = datetime.fromtimestamp(float(event["time"]), timezone.utc)
            parts.append(at.strftime("%Y-%m-%d %H:%M"))
        if self._progress.rate >= 1:
            parts.append(f"{self._progress.rate:,.0f} bars/s")
        if isinstance(event.get("equity"), (int, float)):
            parts.append(f"account {event['equity']:,.2f}")
        return " · ".join(parts)

    def _summary(self) -> str:
        if not self._bars:
            return ""
        return f"{self._bars:,} bars in {duration(self._progress.elapsed)}"

    def _print(self) -> None:
        from ..executor.stream import read_log

        offset = 0
        while True:
            last = self._ended.wait(PRINTS_EVERY)
            text, offset = read_log(self._folder, offset)
            if text:
                _say(text, end="")
            elif last:
                return


def _say(text: str, end: str = "\n") -> None:
    if mode() != "silent":
        sys.stdout.write(clean(text) + end)
        sys.stdout.flush()
