"""A line that says how far something is: in a notebook, in a terminal, or nowhere."""

from __future__ import annotations

import html
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from .surface import announce, mode

EVERY = 0.2  # seconds between two updates
FIRST = 0.4  # seconds before the first one: what is done sooner needs no bar
ECHO = "^C"  # what a terminal writes behind the line when it is interrupted
NARROWEST, WIDEST = 8, 23  # characters of a bar in a terminal, brackets and all


def progress(total: float | None, label: str) -> Progress:
    """A progress line; use it with ``with``.

    Args:
        total: of what ``update`` counts; None while it is not known.
        label: what is going on.
    """
    return {"widget": NotebookProgress, "text": TextProgress}.get(mode(), Progress)(total, label)


class Progress:
    """The silent form, and what the others share: the arithmetic and the pace of updates."""

    def __init__(self, total: float | None, label: str) -> None:
        self.id = uuid.uuid4().hex
        self.label = label
        self.total = total
        self.done = 0.0
        self.note = ""
        self.state = "running"
        self._began = time.monotonic()
        self._first: tuple[float, float] | None = None  # when it was first heard of, and how far
        self._shown = 0.0
        self._told = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.state != "running":
            return
        if kind is None:
            self.finish()
        else:
            stopped = issubclass(kind, KeyboardInterrupt) or kind.__name__ == "RunCancelledError"
            self.finish("cancelled" if stopped else "failed")

    def phase(self, text: str) -> None:
        """Say what is being done now; shown at once."""
        if text != self.note:
            self.note = text
            self._update(force=True)

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far it is; shown at most five times a second, and not at
        all where it is done at once."""
        if self._first is None:
            self._first = (time.monotonic(), done)
        self.done = done
        self.total = total or self.total
        self.note = note or self.note
        self._update()

    def finish(self, state: str = "succeeded", text: str = "") -> None:
        """Say how it ended; ``text`` stays where the bar was, nothing stays without it."""
        self.state = state
        self._close(text)
        if self._told:
            self._announce()

    @property
    def written_over(self) -> bool:
        """Whether the line is drawn where else the cursor stands."""
        return False

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While something else is written where the line is."""
        yield

    @property
    def fraction(self) -> float | None:
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @property
    def rate(self) -> float:
        """Steps per second since the first update."""
        if self._first is None or self.done <= self._first[1]:
            return 0.0
        return (self.done - self._first[1]) / max(time.monotonic() - self._first[0], 1e-6)

    @property
    def left(self) -> float | None:
        """Seconds that are left at this rate, None while it cannot be said."""
        return (self.total - self.done) / self.rate if self.total and self.rate else None

    def line(self) -> str:
        """All that is known, in one line."""
        parts = [self.label]
        if self.fraction is not None and self.done:
            parts.append(f"{self.fraction:.0%}")
        if self.note:
            parts.append(self.note)
        if self.left is not None and self.left >= 1:
            parts.append(f"{duration(self.left)} left")
        return " · ".join(parts)

    def _update(self, force: bool = False) -> None:
        now = time.monotonic()
        if force or (now - self._shown >= EVERY and now - self._began >= FIRST):
            self._shown = now
            self._draw()
            self._announce()

    def _announce(self) -> None:
        self._told = True
        announce(
            "progress",
            {
                "id": self.id,
                "label": self.label,
                "note": self.note,
                "done": self.done,
                "total": self.total,
                "state": self.state,
            },
        )

    def _draw(self) -> None:
        pass

    def _close(self, text: str) -> None:
        pass


class TextProgress(Progress):
    """One line that is written over, on standard error; nothing where that is no terminal."""

    def __init__(self, total: float | None, label: str) -> None:
        super().__init__(total, label)
        self._width = 0
        self._lock = threading.Lock()  # a model's prints come from another thread

    @property
    def written_over(self) -> bool:
        return sys.stderr is not None and sys.stderr.isatty()

    @contextmanager
    def aside(self) -> Iterator[None]:
        with self._lock:
            self._erase()
            yield

    def _draw(self) -> None:
        if not self.written_over:
            return
        with self._lock:
            text = self._fitting(shutil.get_terminal_size().columns - 1 - len(ECHO))
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = len(text)

    def _fitting(self, columns: int) -> str:
        """The bar and the line; in a narrow terminal without the label, at last without the bar."""
        text = self.line()
        if self.fraction is None:
            return text[:columns]
        if columns - len(text) < NARROWEST:
            text = text.partition(f"{self.label} · ")[2] or text
        room = min(columns - len(text), WIDEST) - len("[] ")
        if room < NARROWEST - len("[] "):
            return text[:columns]
        full = int(self.fraction * room)
        return "[" + "#" * full + "-" * (room - full) + "] " + text

    def _erase(self) -> None:
        if self._width and sys.stderr is not None:
            sys.stderr.write("\r" + " " * (self._width + len(ECHO)) + "\r")
            sys.stderr.flush()
            self._width = 0

    def _close(self, text: str) -> None:
        with self._lock:
            self._erase()
        if text:
            print(text)


class NotebookProgress(Progress):
    """A bar in the cell's output that is replaced as it goes; what stays is one line or nothing."""

    _handle: Any = None

    def _draw(self) -> None:
        from IPython.display import display

        shown = _Bar(self.line(), self.fraction)
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def _close(self, text: str) -> None:
        if self._handle is not None:
            self._handle.update(_Bar(text, None, ended=True))
        elif text:
            from IPython.display import display

            display(_Bar(text, None, ended=True))


class _Bar:
    """One state of the bar."""

    def __init__(self, text: str, fraction: float | None, ended: bool = False) -> None:
        self._text, self._fraction, self._ended = text, fraction, ended

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        text = html.escape(self._text)
        if self._ended:
            return f'<div style="opacity:.75">{text}</div>' if text else "<div></div>"
        value = "" if self._fraction is None else f' value="{self._fraction:.4f}"'
        bar = f'<progress max="1"{value} style="width:14em;vertical-align:middle"></progress>'
        return f"<div>{bar} {text}</div>"


def duration(seconds: float) -> str:
    """A time span as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.0f} d"
