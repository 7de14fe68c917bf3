"""A run as it is seen while it runs: its progress and its prints."""

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
HELD_LOOKS = 4  # looks for which a traceback at the end is held back
TRACEBACK = "Traceback (most recent call last):"
MOST = 1_000_000  # characters of prints that are shown
UNSEEN = "\n[The model prints more than can be shown; the last of it is in the logs.]\n"
REPORTED = "(reported once"  # the runtime's line below a callback's traceback


class Watch:
    """Shows a run of this machine; use it with ``with`` and give it the events.

    Prints come as they come, from the run's log, read by a thread of its own.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._progress: Progress = progress(None, f"Backtesting {name}")
        self._prints = Prints(folder, self._progress)
        self._ended = threading.Event()
        self._printer = threading.Thread(target=self._print, daemon=True)
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
        self._prints.last(getattr(error, "traceback", "") or getattr(error, "message", ""))
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
        elif kind == "started" and mode() == "widget":
            from ..executor.plot import prepare

            threading.Thread(target=prepare, daemon=True).start()

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
        while not self._ended.wait(PRINTS_EVERY):
            self._prints.more()


class Prints:
    """What a model prints, passed on as it comes, around a progress line.

    A traceback at the very end is held back for a moment: if it is what ends the run, the error
    shows it, and once is enough. What is more than a cell can show is left to the run's logs.
    """

    def __init__(self, folder: Path, line: Progress | None = None) -> None:
        self._folder = folder
        self._line = line or Progress(None, "")
        self._offset = 0
        self._held = ""
        self._looks = 0
        self._half = False
        self._room = MOST

    def more(self) -> None:
        """Print what is new."""
        fresh = self._read()
        self._looks = 0 if fresh else self._looks + 1
        text = self._held + fresh
        place = text.rfind(TRACEBACK)
        if place < 0 or REPORTED in text[place:] or self._looks >= HELD_LOOKS:
            place = len(text)
        if self._line.written_over:  # half a line would be
            place = text.rfind("\n", 0, place) + 1
        self._held = text[place:]
        self._say(text[:place])

    def last(self, shown: str) -> None:
        """Print the rest, but for the traceback that the error shows."""
        text = self._held + self._read()
        self._held = ""
        self._say(text.replace(shown.strip(), "").strip("\n") if shown.strip() else text)
        if self._half:  # what comes next begins a line
            self._say("\n")

    def _read(self) -> str:
        """What is new, as far as it will be shown."""
        from ..executor.stream import read_log

        found = ""
        while len(found) <= self._room:
            text, self._offset = read_log(self._folder, self._offset)
            if not text:
                break
            found += text
        return found

    def _say(self, text: str) -> None:
        if not text or self._room <= 0 or mode() == "silent":
            return
        if len(text) > self._room:
            text = text[: self._room] + UNSEEN
        self._room -= len(text)
        self._half = not text.endswith("\n")
        with self._line.aside():
            sys.stdout.write(clean(text))
            sys.stdout.flush()
