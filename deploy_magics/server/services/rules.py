"""What text the service takes: the same on SQLite and on PostgreSQL, and safe to show."""

from __future__ import annotations

import unicodedata
from typing import Any

from deploy_magics.errors import RejectedError

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_name(value: Any, what: str = "name", *, limit: int = 128) -> str:
    """A name that people type and that shows as what it is.

    Raises:
        RejectedError: empty, too long, or with slashes, control or direction characters.
    """
    text = _text(value, what).strip()
    if not text:
        raise RejectedError(f"The {what} is missing.", status=400)
    if len(text) > limit:
        raise RejectedError(f"The {what} has more than {limit} characters.", status=400)
    if any(_hidden(c) or c in "/\\" for c in text) or text in (".", ".."):
        raise RejectedError(
            f"The {what} may hold no slashes and no control characters.", status=400
        )
    return text


def clean_text(value: Any, what: str = "description", *, limit: int = 2000) -> str:
    """A description: lines are fine, other control characters are not. None is empty."""
    text = _text("" if value is None else value, what)
    if len(text) > limit:
        raise RejectedError(f"The {what} has more than {limit} characters.", status=400)
    if any(_hidden(c) for c in text if c not in "\n\t\r"):
        raise RejectedError(f"The {what} holds control characters.", status=400)
    return text


def clean_json(value: Any, what: str, *, depth: int = 32, limit: int = 10_000) -> Any:
    """JSON that both databases take: no NUL, no NaN, not too deep, not too much of it.

    Raises:
        RejectedError: otherwise.
    """
    left = [limit]
    _walk(value, what, depth, left)
    return value


def _walk(value: Any, what: str, depth: int, left: list[int]) -> None:
    left[0] -= 1
    if depth < 0 or left[0] < 0:
        raise RejectedError(f"The {what} is too deep or too large.", status=400)
    if isinstance(value, str):
        if "\x00" in _text(value, what):
            raise RejectedError(f"The {what} holds a NUL character.", status=400)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise RejectedError(f"The {what} holds a number that is not finite.", status=400)
    elif isinstance(value, int) and abs(value) >= 1 << 63:
        raise RejectedError(f"The {what} holds a number that is too large.", status=400)
    elif isinstance(value, dict):
        for key, item in value.items():
            _walk(str(key), what, depth - 1, left)
            _walk(item, what, depth - 1, left)
    elif isinstance(value, list):
        for item in value:
            _walk(item, what, depth - 1, left)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise RejectedError(f"The {what} must be text.", status=400)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RejectedError(f"The {what} is not valid Unicode.", status=400) from error
    return unicodedata.normalize("NFC", value)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or character in _DIRECTIONS
