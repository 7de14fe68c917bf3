"""A magic's line as words: quotes and comments, with each word's place for completion."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UsageError

_WORD = re.compile(r"""(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+""", re.DOTALL)
_PIECE = re.compile(r"""\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'|([^\s"'\\]+)""", re.DOTALL)


@dataclass(frozen=True)
class Word:
    """One word, and where it stands in the line."""

    text: str
    raw: str
    start: int
    end: int

    @property
    def is_flag(self) -> bool:
        """Whether it is an option's name: two dashes, unquoted."""
        return self.raw.startswith("--") and len(self.raw) > 2


def split(line: str) -> list[Word]:
    """The words of a line as a shell reads them, up to a ``#`` that stands by itself.

    A backslash stays as it is before anything but a quote, a space or another backslash, so that
    a path of Windows survives.
    """
    words: list[Word] = []
    place = 0
    while True:
        while place < len(line) and line[place].isspace():
            place += 1
        if place >= len(line) or line[place] == "#":
            return words
        match = _WORD.match(line, place)
        if match is None:
            raise UsageError(
                f"A quote is not closed: {line[place:].strip()[:60]}",
                "Put text with spaces or a quote between two of the other kind.",
            )
        end = match.end()
        if end < len(line) and not line[end].isspace():
            raise UsageError(
                f"A quote is not closed: {line[place:].strip()[:60]}",
                "Put text with spaces or a quote between two of the other kind.",
            )
        words.append(Word(_unquoted(match[0]), match[0], place, end))
        place = end


def _unquoted(raw: str) -> str:
    text = ""
    for escaped, double, single, plain in _PIECE.findall(raw):
        if escaped:
            text += escaped if escaped in "\"' \\" else "\\" + escaped
        else:
            text += re.sub(r'\\(["\\])', r"\1", double) or single or plain
    return text


def quoted(text: str) -> str:
    """A word as it has to be typed."""
    if text and not re.search(r"""[\s"'#\\]""", text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
