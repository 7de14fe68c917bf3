"""The text of an option's value read as what the action wants."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..actions.options import Option

_YES = {"1": True, "true": True, "yes": True, "on": True}
_NO = {"0": False, "false": False, "no": False, "off": False}


def read_value(kind: Any, text: str, label: str, namespace: Mapping[str, Any] | None = None) -> Any:
    """One value; UsageError where the text is none of that kind.

    Args:
        kind: a type, or the word of a ``Reads`` marker.
        label: what the user wrote before it, for the message.
    """
    if kind is bool:
        word = text.strip().lower()
        if word in _YES or word in _NO:
            return word in _YES
        raise UsageError(f"{label} is a switch and cannot be {text!r}.", "Say true or false.")
    if kind is int or kind is float:
        return _number(kind, text, label)
    if kind is object or kind is Any:
        return _loose(text)
    if kind is Path:
        return Path(text).expanduser()
    if kind == "json":
        return _json_object(text, label)
    if kind == "source":
        return _source(text, label, namespace or {})
    if kind == "object":
        return _kernel_object(text, namespace or {})
    return text


def read_pair(
    option: Option, text: str, label: str, namespace: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """``NAME=VALUE``, or several with commas between, as a mapping."""
    pieces = text.split(",")
    if option.several or not all("=" in piece for piece in pieces):
        pieces = [text]
    pairs: dict[str, Any] = {}
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{label} takes NAME=VALUE, not {piece!r}.", option.help)
        if not value:
            raise UsageError(f"{label} {name}= has no value.", option.help)
        full = f"{label} {name}"
        if option.several:
            parts = [part for part in value.split(",") if part]
            pairs[name.strip()] = [read_value(option.kind, part, full, namespace) for part in parts]
        else:
            pairs[name.strip()] = read_value(option.kind, value, full, namespace)
    return pairs


def _number(kind: type[int] | type[float], text: str, label: str) -> int | float:
    plain = text.replace("_", "")
    try:
        return kind(plain)
    except ValueError:
        pass
    if kind is int:
        try:
            value = float(plain)
        except ValueError:
            value = 0.5
        if value.is_integer():
            return int(value)
    what = "a whole number" if kind is int else "a number"
    raise UsageError(f"{label} takes {what}, not {text!r}.")


def _loose(text: str) -> Any:
    """JSON where it is JSON, Python's own True, False and None too, else the text itself."""
    word = {"True": "true", "False": "false", "None": "null"}.get(text, text)
    try:
        value = json.loads(word)
    except ValueError:
        return text
    return text if isinstance(value, float) and value != value else value


def _json_object(text: str, label: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"{label} takes JSON, and this is none: {error}.", """Like '{"to": "1y"}'."""
        ) from None
    if not isinstance(value, dict):
        raise UsageError(f"{label} takes a JSON object.", """Like '{"to": "1y"}'.""")
    return value


def is_frame(value: Any) -> bool:
    """Whether a value is a table or column of prices, of pandas or alike; imports nothing."""
    kinds = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}
    return bool(kinds & {"pandas.DataFrame", "pandas.Series", "polars.DataFrame"})


def _source(text: str, label: str, namespace: Mapping[str, Any]) -> Any:
    """A DataFrame of the kernel by its name, else the path as it stands."""
    if is_frame(namespace.get(text)):
        return namespace[text]
    if not text.isidentifier() or Path(text).expanduser().exists():
        return text
    if text in namespace:
        kind = type(namespace[text]).__name__
        raise UsageError(f"{label}: {text} is of type {kind}.", "Give a DataFrame, or a file.")
    frames = [name for name, value in namespace.items() if is_frame(value)]
    files = [path.name for path in Path().glob("*.[cp][sa][vr]*")]
    close = difflib.get_close_matches(text, frames + files, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]}?" if close else "Is the path right, has its cell run?"
    raise UsageError(f"{label}: there is no file and no DataFrame {text!r}.", hint)


def _kernel_object(text: str, namespace: Mapping[str, Any]) -> Any:
    if re.fullmatch(r"[A-Za-z_]\w*", text) and text in namespace:
        return namespace[text]
    return _loose(text)
