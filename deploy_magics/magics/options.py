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
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..actions.options import Option, Options
from ..errors import UsageError
from .values import read_pair, read_value
from .words import Word, split


def parse(
    options: Options,
    line: str,
    namespace: Mapping[str, Any] | None = None,
    *,
    cell: str | None = None,
) -> dict[str, Any]:
    """The arguments that a magic's line stands for; UsageError in one line.

    Args:
        namespace: the kernel's names, for options that take one.
        cell: the body of a cell magic.
    """
    arguments = _Reader(options, namespace or {}).read(split(line))
    if cell is not None:
        if not options.cell:
            raise UsageError("This magic takes a line, not a cell.", "Use one % in place of %%.")
        arguments[options.cell] = cell
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
