"""What an action takes, read off its signature and docstring, for every face that offers it."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from .kinds import Completes, Names, Reads


@dataclass(frozen=True)
class Option:
    """One parameter of an action, as a user types it."""

    name: str
    shape: Literal["one", "many", "pairs", "switch"]
    kind: Any  # str, int, float, object, or the word of a Reads
    positional: bool = False
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    completes: str = ""
    help: str = ""
    several: bool = False  # pairs whose value is a list

    @property
    def flag(self) -> str:
        return "--" + self.name.rstrip("_").replace("_", "-")  # ``as_`` is --as


@dataclass(frozen=True)
class Options:
    """All that an action takes."""

    options: tuple[Option, ...]
    summary: str = ""
    cell: str = ""  # the parameter that gets a cell magic's body
    more: Callable[[], Mapping[str, tuple[type, str]]] | None = None
    _flags: dict[str, Option] = field(default_factory=dict, compare=False, repr=False)

    @property
    def positionals(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if option.positional)

    def flags(self) -> dict[str, Option]:
        """Every option that can be written with ``--``, the extra settings too."""
        if not self._flags:
            known = {option.flag: option for option in self.options}
            for name, (kind, text) in (self.more() if self.more else {}).items():
                extra = Option(name, "switch" if kind is bool else "one", kind, help=text)
                known.setdefault(extra.flag, extra)
            self._flags.update(known)
        return self._flags


@cache
def options_of(action: Callable[..., Any]) -> Options:
    """What an action takes, from its signature and docstring."""
    summary, helps = read_docstring(inspect.getdoc(action) or "")
    options: list[Option] = []
    cell, more = "", None
    for parameter in inspect.signature(action).parameters.values():
        annotation = parameter.annotation
        if isinstance(annotation, str):
            annotation = eval(annotation, action.__globals__)
        marks = _marks(annotation)
        reads = next((mark.how for mark in marks if isinstance(mark, Reads)), "")
        if parameter.kind is parameter.VAR_KEYWORD:
            more = next((mark.known for mark in marks if isinstance(mark, Names)), None)
        elif reads == "cell":
            cell = parameter.name
        elif reads != "hidden":
            options.append(_option(parameter, annotation, marks, helps.get(parameter.name, "")))
    return Options(tuple(options), summary, cell, more)


def _option(
    parameter: inspect.Parameter, annotation: Any, marks: Sequence[Any], text: str
) -> Option:
    positional = parameter.kind is not parameter.KEYWORD_ONLY
    shape, kind, choices, several = _shape(annotation, marks)
    return Option(
        name=parameter.name,
        shape="many" if parameter.kind is parameter.VAR_POSITIONAL else shape,
        kind=kind,
        positional=positional,
        required=parameter.default is parameter.empty
        and parameter.kind is not parameter.VAR_POSITIONAL,
        default=None if parameter.default is parameter.empty else parameter.default,
        choices=choices,
        completes=next((mark.what for mark in marks if isinstance(mark, Completes)), ""),
        help=text,
        several=several,
    )


def _marks(annotation: Any) -> list[Any]:
    """The markers of an annotation, those inside ``X | None``, lists and mappings too."""
    found: list[Any] = []
    if get_origin(annotation) is Annotated:
        inner, *found = get_args(annotation)
        return found + _marks(inner)
    for argument in get_args(annotation):
        found += _marks(argument)
    return found


def _shape(annotation: Any, marks: Sequence[Any]) -> tuple[Any, Any, tuple[str, ...], bool]:
    """(shape, kind, choices, several) of a type."""
    how = next((mark.how for mark in marks if isinstance(mark, Reads)), "")
    kind = _bare(annotation)
    origin = get_origin(kind)
    if how == "json":
        return "one", "json", (), False
    if origin is Literal:
        return "one", str, tuple(str(choice) for choice in get_args(kind)), False
    if kind is bool:
        return "switch", bool, (), False
    if isinstance(origin, type) and issubclass(origin, Mapping):
        value = _bare(get_args(kind)[1])
        inner = get_origin(value)
        if isinstance(inner, type) and issubclass(inner, Sequence):
            return "pairs", how or _bare(get_args(value)[0]), (), True
        return "pairs", how or value, (), False
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return "many", how or _bare(get_args(kind)[0]), (), False
    return "one", how or kind, (), False


def _bare(annotation: Any) -> Any:
    """A type without markers and ``None``; of a union, the part that text can be."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [_bare(part) for part in get_args(annotation) if part is not type(None)]
        for wanted in (int, float):
            if wanted in parts and str in parts:
                return object  # a number where it looks like one
        origins = [part for part in parts if get_origin(part) is not None]
        plain = [part for part in parts if part in (str, int, float, bool)]
        return (plain or origins or parts)[0]
    return annotation


_ARGS = re.compile(r"^(Args|Arguments|Parameters):\s*$")
_ENTRY = re.compile(r"^(\s+)\*{0,2}(\w+)(?: \([^)]*\))?:\s*(.*)$")


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The first paragraph, and the line of each argument, of a docstring in Google's form."""
    summary = " ".join(text.split("\n\n")[0].split())
    helps: dict[str, str] = {}
    inside, indent, last = False, "", ""
    for line in text.splitlines():
        if _ARGS.match(line):
            inside = True
        elif inside and line.strip() and not line.startswith(" "):
            break
        elif inside and line.strip():
            entry = _ENTRY.match(line)
            if entry and (not indent or entry[1] == indent):
                indent, last = entry[1], entry[2]
                helps[last] = entry[3].strip()
            elif last:
                helps[last] += f" {line.strip()}"
    return summary, helps
