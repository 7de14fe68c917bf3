"""What the actions remember between two calls: the kernel's shell and log, the last model.

There is one workspace for a process. In a notebook ``attach`` gives it the shell; in a plain
program it has none, and cells cannot be collected.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model.model import Model
    from ..notebook.log import ExecutionLog
    from ..platforms.blankly_types import ModelInfo


@dataclass(frozen=True)
class Packing:
    """How a model is packed, as far as it was said."""

    name: str | None = None
    include: tuple[str, ...] = ()
    only: bool = False
    requirements: tuple[str, ...] = ()
    python: str | None = None

    def over(self, before: Packing) -> Packing:
        """What is said now, and before that where nothing is."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(before, **{name: value for name, value in said.items() if value})


@dataclass
class Collected:
    """A model as it was collected last, with what a second run of it starts from."""

    model: Model
    entry: str = ""  # the cell that was its main script, empty for a folder or a zip
    packing: Packing = Packing()
    cells: tuple[str, ...] = ()  # ids of the notebook's cells in it, where known
    entry_id: str = ""  # id of the entry's own cell, where known


@dataclass
class Workspace:
    """One process's memory."""

    shell: Any = None
    log: ExecutionLog | None = None
    last: Collected | None = None
    data: dict[str, Any] = field(default_factory=dict)  # the last --data, by model name
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the last backtest
    handles: dict[str, Any] = field(default_factory=dict)  # runs in the background, by id
    model_name: str = ""  # the last one deployed or named
    project_id: str = ""  # the last one created or named
    made: dict[tuple[str, str], ModelInfo] = field(default_factory=dict)  # by server and name
    client: Any = None
    client_of: tuple[str, str] = field(default=("", ""), repr=False)

    @property
    def namespace(self) -> Mapping[str, Any]:
        """The kernel's names; empty outside a kernel."""
        return self.shell.user_ns if self.shell is not None else {}


_current = Workspace()


def current() -> Workspace:
    """The workspace of this process."""
    return _current


def attach(shell: Any) -> Workspace:
    """Start to log what a shell executes; a second call for the same shell changes nothing."""
    global _current
    if _current.shell is shell:
        return _current
    detach()
    from ..notebook import ExecutionLog

    log = ExecutionLog(shell)
    log.install()
    _current = Workspace(shell=shell, log=log)
    return _current


def detach() -> None:
    """Forget the shell and everything with it; background runs are cancelled, warm
    processes end."""
    global _current
    for handle in list(_current.handles.values()):
        handle.cancel()
    if _current.log is not None:
        _current.log.uninstall()
    if _current.client is not None:
        _current.client.close()
    warm = sys.modules.get("deploy_magics.executor.warm")
    if warm is not None:
        warm.close_all()
    _current = Workspace()


def run_in_kernel(cell: str) -> None:
    """Run the cell in the kernel too, as if it had no magic on it."""
    shell = _current.shell
    if shell is not None:
        shell.run_cell(cell).raise_error()
