"""The options of a magic are its action's signature: one reading for parser, help and completion.

To add a magic, write the action as a plain typed function and name it once::

    # actions/flip.py
    def flip(
        coin: str = "penny", *, times: int = 1, weights: Mapping[str, float] | None = None
    ) -> Flips:
        '''Flip a coin.

        Args:
            coin: which coin; the last one where it is left out.
            times: how often.
            weights: the chance of each side.
        '''

    # magics/flip.py
    COMMANDS = [Command("flip", "deploy_magics.actions.flip:flip")]
    # and "flip" in magics/__init__.py's ROOMS

That is ``%flip penny --times 3 --weights heads=0.6 tails=0.4``, with ``%flip?`` and Tab.

* Positional parameters are given in order, keyword-only ones as options, ``_`` becoming ``-``.
* ``bool`` is a switch (``--watch``, ``--no-watch``); ``Sequence[…]`` may be repeated or hold
  commas; ``Mapping[str, …]`` takes ``NAME=VALUE`` pairs, repeated, in a row, or with commas;
  ``Literal[…]`` has choices; the markers of ``actions/kinds.py`` say the rest.
* A parameter marked ``Cell`` gets the body of a cell magic; ``**settings`` marked ``Names`` takes
  further options by name.
* The help of each is its line under ``Args:`` in the docstring.
* An action returns what is shown; it raises errors of ``errors.py``, one line each.
"""

from __future__ import annotations

import difflib
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..actions.kinds import Completes, Names, Reads
from ..errors import UsageError
from .values import read_pair, read_value
from .words import Word, split


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
        return "--" + self.name.replace("_", "-")


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

    def parse(
        self, line: str, namespace: Mapping[str, Any] | None = None, *, cell: str | None = None
    ) -> dict[str, Any]:
        """The arguments that a magic's line stands for; UsageError in one line.

        Args:
            namespace: the kernel's names, for options that take one.
            cell: the body of a cell magic.
        """
        arguments = _Reader(self, namespace or {}).read(split(line))
        if cell is not None:
            if not self.cell:
                raise UsageError(
                    "This magic takes a line, not a cell.", "Use one % in place of %%."
                )
            arguments[self.cell] = cell
        return arguments


class _Reader:
    """Reads the words of one line."""

    def __init__(self, options: Options, namespace: Mapping[str, Any]) -> None:
        self.options = options
        self.namespace = namespace
        self.arguments: dict[str, Any] = {}

    def read(self, words: Sequence[Word]) -> dict[str, Any]:
        left = list(words)
        positionals = list(self.options.positionals)
        while left:
            word = left.pop(0)
            if word.is_flag:
                self._flag(word.text, left)
            elif positionals:
                option = positionals[0]
                if option.shape == "one":
                    positionals.pop(0)
                self._take(option, word.text, left)
            else:
                raise UsageError(f"{word.text!r} is one argument too many.", self._quotes(word))
        for option in self.options.options:
            if option.required and option.name not in self.arguments:
                name = option.name.replace("_", " ")
                raise UsageError(f"The {name} is missing.", f"{option.help}".strip())
        return self.arguments

    def _flag(self, text: str, left: list[Word]) -> None:
        flag, equals, value = text.partition("=")
        flag = "--" + flag[2:].replace("_", "-")
        flags = self.options.flags()
        option = flags.get(flag)
        if option is None and flag.startswith("--no-"):
            option = flags.get("--" + flag[5:])
            if option is not None and option.shape == "switch" and not equals:
                self.arguments[option.name] = False
                return
            option = None
        if option is None:
            raise UsageError(f"There is no option {flag}.", meant(flag, flags))
        if option.shape == "switch":
            self.arguments[option.name] = read_value(bool, value, flag) if equals else True
        elif equals:
            self._take(option, value, left)
        elif not left or left[0].is_flag:
            raise UsageError(f"{flag} needs a value.", option.help)
        else:
            self._take(option, left.pop(0).text, left)

    def _take(self, option: Option, text: str, left: list[Word]) -> None:
        """Give an option its value; pairs take the further pairs that follow."""
        label = option.name if option.positional else option.flag
        if option.shape == "pairs":
            pairs = self.arguments.setdefault(option.name, {})
            pairs.update(read_pair(option, text, label, self.namespace))
            while left and not left[0].is_flag and re.match(r"[^\s=]+=", left[0].text):
                pairs.update(read_pair(option, left.pop(0).text, label, self.namespace))
            return
        if option.shape == "many":
            texts = (
                [text] if option.kind == "object" else [part for part in text.split(",") if part]
            )
            values = [read_value(option.kind, part, label, self.namespace) for part in texts]
            self.arguments.setdefault(option.name, []).extend(values)
            return
        if option.choices and text not in option.choices:
            said = meant(text, option.choices) or f"Choose from {', '.join(option.choices)}."
            raise UsageError(f"{label} cannot be {text!r}.", said)
        self.arguments[option.name] = read_value(option.kind, text, label, self.namespace)

    def _quotes(self, word: Word) -> str:
        given = [value for value in self.arguments.values() if isinstance(value, str)]
        if given and self.options.positionals:
            return f'A name with spaces goes in quotes: "{given[-1]} {word.text}".'
        return "Options start with --."


def meant(text: str, known: Iterable[str]) -> str:
    """``Did you mean …?`` with the closest known word, empty where none is close."""
    close = difflib.get_close_matches(text, list(known), n=2, cutoff=0.6)
    return f"Did you mean {' or '.join(close)}?" if close else ""


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
