"""Tables and notes that read well as text and as HTML."""

from __future__ import annotations

import html
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top;white-space:pre-wrap"


@dataclass(repr=False)
class Table:
    """Rows under headings.

    Args:
        title: one line above it.
        note: one line below it.
        empty: what is said where there are no rows.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    note: str = ""
    empty: str = "Nothing here yet."
    right: Sequence[int] = field(default=())

    def __repr__(self) -> str:
        lines = [clean(self.title)] if self.title else []
        if self.rows:
            cells = [[clean(_text(value)) for value in row] for row in self.rows]
            widths = [
                max(_width(row[place]) for row in [list(self.headings), *cells])
                for place in range(len(self.headings))
            ]
            for places in _side_by_side(widths):
                lines += [self._line(row, widths, places) for row in [list(self.headings), *cells]]
        else:
            lines.append(self.empty)
        if self.note:
            lines.append(clean(self.note))
        return "\n".join(lines)

    def _line(self, row: Sequence[str], widths: Sequence[int], places: Sequence[int]) -> str:
        parts = []
        for place in places:
            space = " " * (widths[place] - _width(row[place]))
            parts.append(space + row[place] if place in self.right else row[place] + space)
        return "  ".join(parts).rstrip()

    def _repr_html_(self) -> str:
        parts = [f"<div><b>{escape(self.title)}</b></div>"] if self.title else []
        if self.rows:
            head = "".join(
                f'<th style="{_CELL}{self._side(place)}">{escape(heading)}</th>'
                for place, heading in enumerate(self.headings)
            )
            body = "".join(
                "<tr>"
                + "".join(
                    f'<td style="{_CELL}{self._side(place)}">{escape(_text(value))}</td>'
                    for place, value in enumerate(row)
                )
                + "</tr>"
                for row in self.rows
            )
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        else:
            parts.append(f"<div>{escape(self.empty)}</div>")
        if self.note:
            parts.append(f"<div>{escape(self.note)}</div>")
        return "".join(parts)

    def _side(self, place: int) -> str:
        return ";text-align:right" if place in self.right else ""


@dataclass(repr=False)
class Note:
    """A few lines, the first of which says it all."""

    text: str
    details: Sequence[str] = ()

    def __repr__(self) -> str:
        return "\n".join([clean(self.text), *(f"  {clean(line)}" for line in self.details)])

    def _repr_html_(self) -> str:
        lines = "".join(f"<div style='opacity:.75'>{escape(line)}</div>" for line in self.details)
        return f"<div>{escape(self.text)}</div>{lines}"


def escape(text: Any) -> str:
    """Text for HTML; whatever a server or a model says cannot become markup."""
    return html.escape(str(text))


def clean(text: str) -> str:
    """Text for a terminal: no control character or escape sequence of somebody else's."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf") else "�"
        for char in text
    )


def when(moment: datetime | None) -> str:
    """A time as people read it, in their own zone; empty for none."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else ""


def _side_by_side(widths: Sequence[int]) -> list[list[int]]:
    """The columns that are shown together: all, or in a terminal as many as it is wide for, below
    each other and each time after the first one."""
    if sys.stdout is None or not sys.stdout.isatty():
        return [list(range(len(widths)))]
    columns = shutil.get_terminal_size().columns
    blocks: list[list[int]] = [[0]]
    room = columns - widths[0]
    for place, width in enumerate(widths[1:], start=1):
        if room < width + 2 and len(blocks[-1]) > 1:
            blocks.append([0])
            room = columns - widths[0]
        blocks[-1].append(place)
        room -= width + 2
    return blocks


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return when(value)
    return str(value)


def _width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
