"""Hands the commands to IPython."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from typing import Any

from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR, MAGIC_OUTPUT_CAN_BE_SILENCED

from ..errors import DeployMagicsError, UsageError
from .command import Command, Functions, Group

ROOMS = ("projects", "backtest", "deploy", "model", "ubiops", "bot", "signals")


def commands() -> Iterator[Command | Group]:
    """Every magic there is."""
    for room in ROOMS:
        module = importlib.import_module(f"{__package__}.{room}")
        yield from module.COMMANDS


def functions_of(name: str) -> Functions:
    """The actions of a magic that has several, as plain functions."""
    for command in commands():
        if isinstance(command, Group) and command.name == name:
            return command.functions()
    raise AttributeError(f"There is no magic %{name}.")


class Magic:
    """A command as the function that IPython calls.

    Text in a line or a cell is never expanded (``$x`` and ``{x}`` stay as they are); a ``;`` at
    the end keeps the answer from being shown.
    """

    def __init__(self, command: Command | Group, shell: Any) -> None:
        self.command = command
        self._shell = shell
        self.__name__ = command.name
        setattr(self, MAGIC_NO_VAR_EXPAND_ATTR, True)
        setattr(self, MAGIC_OUTPUT_CAN_BE_SILENCED, True)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self.command.help()

    def __call__(self, line: str, cell: str | None = None) -> Any:
        if cell is None and self.command.shape == "cell":
            raise UsageError(
                f"%%{self.command.name} stands on a cell's first line, with the strategy below it."
            )
        line = line.rstrip().removesuffix(";") if cell is None else line
        try:
            return self.command.run(line, cell, self._shell.user_ns)
        except DeployMagicsError:
            raise
        except BaseException as error:
            show_without_values(error)
            raise


def show_without_values(error: BaseException) -> None:
    """``%xmode Verbose`` shows what every call was given, a token too; this is shown in its place:
    the lines alone, and of an interrupt that it was one."""
    if isinstance(error, KeyboardInterrupt):
        lines = ["KeyboardInterrupt"]
    else:
        lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]


def register(shell: Any) -> None:
    """Give the shell every magic, with completion."""
    from .completion import complete_in

    found = list(commands())
    for command in found:
        shell.register_magic_function(Magic(command, shell), command.shape, command.name)
    complete_in(shell, found)


def unregister(shell: Any) -> None:
    """Take the magics back."""
    from .completion import forget_in

    manager = shell.magics_manager
    for command in commands():
        for kind in ("line", "cell"):
            if isinstance(manager.magics[kind].get(command.name), Magic):
                del manager.magics[kind][command.name]
    forget_in(shell)
