"""A magic: a name, the action it calls, and nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..actions.options import Options, options_of
from ..errors import UsageError
from .help import Help, Text, help_text
from .options import meant, parse
from .words import split

Shape = Literal["line", "cell", "line_cell"]


@dataclass(frozen=True)
class Command:
    """One magic.

    Args:
        name: what follows the ``%``.
        action: ``module:function``; imported when it is first used, so that loading is quick.
        shape: whether it stands on a line, on a cell, or on both.
    """

    name: str
    action: str
    shape: Shape = "line"

    def function(self) -> Callable[..., Any]:
        module, _, name = self.action.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function

    def options(self) -> Options:
        return options_of(self.function())

    @property
    def marks(self) -> tuple[str, ...]:
        return {"line": ("%",), "cell": ("%%",), "line_cell": ("%", "%%")}[self.shape]

    def help(self) -> str:
        return help_text(self.name, self.options(), self.marks)

    def run(self, line: str, cell: str | None, namespace: Mapping[str, Any]) -> Any:
        """Call the action with what the line and the cell say; what it returns is shown."""
        options = self.options()
        if line.split()[:1] in (["--help"], ["-h"]):
            return Help(self.name, options, self.marks)
        return self.function()(**parse(options, line, namespace, cell=cell))


@dataclass(frozen=True)
class Group:
    """A magic of several actions, chosen by its first word: ``%bot status``, ``%bot profit``.

    Args:
        actions: the ``module:function`` of each word.
        default: the word that is meant where none is given; empty when one is needed.
    """

    name: str
    actions: Mapping[str, str]
    shape: Shape = "line"
    default: str = ""

    def command(self, line: str) -> tuple[Command | None, str]:
        """The command that a line means, and what is left of the line for it."""
        words = split(line)
        first = words[0].text if words and not words[0].is_flag else ""
        if first in self.actions:
            rest = line[words[0].end :].lstrip()
            return Command(f"{self.name} {first}", self.actions[first], self.shape), rest
        if first and not self.default:
            hint = meant(first, self.actions) or f"There are {', '.join(self.actions)}."
            raise UsageError(f"%{self.name} has no {first!r}.", hint)
        if self.default:
            word = self.default
            return Command(f"{self.name} {word}", self.actions[word], self.shape), line
        return None, line

    @property
    def marks(self) -> tuple[str, ...]:
        return Command(self.name, "", self.shape).marks

    def help(self) -> str:
        lines = [
            f"{self.marks[0]}{self.name} WORD [options]; %{self.name} WORD --help says more",
            "",
        ]
        width = max(len(word) for word in self.actions)
        for word, action in self.actions.items():
            lines.append(f"  {word:<{width}}  {Command(word, action).options().summary}")
        return "\n".join(lines) + "\n"

    def functions(self) -> Functions:
        """The actions as plain functions."""
        return Functions(self)

    def run(self, line: str, cell: str | None, namespace: Mapping[str, Any]) -> Any:
        """Call the action that the line's first word names."""
        if line.split()[:1] in (["--help"], ["-h"]):
            return Text(self.help())
        command, rest = self.command(line)
        if command is None:
            raise UsageError(f"%{self.name} needs a word.", f"One of {', '.join(self.actions)}.")
        return command.run(rest, cell, namespace)


class Functions:
    """The actions of a group by name; each is imported when it is first asked for."""

    def __init__(self, group: Group) -> None:
        self._group = group

    def __getattr__(self, word: str) -> Callable[..., Any]:
        action = self._group.actions.get(word)
        if action is None:
            hint = meant(word, self._group.actions)
            raise AttributeError(f"%{self._group.name} has no {word!r}. {hint}".rstrip())
        return Command(word, action).function()

    def __dir__(self) -> list[str]:
        return sorted(self._group.actions)

    def __repr__(self) -> str:
        return self._group.help()
