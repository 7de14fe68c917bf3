"""The analysis of executions as they come: each cell is gone through once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deploy_magics.notebook import knowledge
from deploy_magics.notebook.program import Program
from deploy_magics.notebook.reading import Cell, Magic, read_cell


@dataclass(frozen=True)
class ExecutedCell:
    """One execution. ``index`` counts executions from 0; a rerun is another one.

    ``failed_line``: 1-based line of the cell where it raised, None where it did not or nobody
    knows. ``cell_id`` and ``tags`` come from the front end, where it sends them.
    """

    index: int
    source: str
    execution_count: int | None = None
    succeeded: bool = True
    cell_id: str | None = None
    tags: frozenset[str] = frozenset()
    failed_line: int | None = None

    @property
    def label(self) -> str:
        """How a user knows the cell: by the number in its brackets."""
        number = self.index + 1 if self.execution_count is None else self.execution_count
        return f"cell [{number}]"


FAULT = "it could not be gone through"


@dataclass(frozen=True)
class Left:
    """Something executed that no program can carry: what it was, where, and what it does."""

    magic: Magic
    cell: int
    place: int


@dataclass
class Analysis:
    """A program, and what of the executions is not in it.

    ``label``: how a user knows a cell by its index.
    """

    label: Callable[[int], str]
    program: Program = field(default_factory=Program)
    left: list[Left] = field(default_factory=list)
    unread: dict[int, str] = field(default_factory=dict)
    hidden: dict[str, int] = field(default_factory=dict)
    seen: int = 0

    def add(self, executed: ExecutedCell) -> None:
        """Goes through one execution; of one that raised, only what may have run.

        Nothing that happens here may reach the user who runs the cell: what cannot be gone through
        is told when a model is collected.
        """
        try:
            self._add(executed)
        except Exception as error:
            self.unread[executed.index] = f"{FAULT} ({type(error).__name__})"

    def _add(self, executed: ExecutedCell) -> None:
        cell = read_cell(executed.source)
        if cell.error:
            self.unread[executed.index] = cell.error
            return
        for name in cell.hidden:
            self.hidden[name] = executed.index
        waiting = list(cell.magics)
        for number, unit in enumerate(cell.units):
            while waiting and waiting[0].before <= number:
                self._magic(waiting.pop(0), executed)
            certain = executed.succeeded
            if not executed.succeeded and executed.failed_line is not None:
                first, last = unit.span
                if first > executed.failed_line:
                    break
                certain = last < executed.failed_line
            self.program.add(executed.index, unit, certain=certain)
        else:
            for magic in waiting:
                self._magic(magic, executed)

    def _magic(self, magic: Magic, executed: ExecutedCell) -> None:
        self.left.append(Left(magic, executed.index, len(self.program.records)))
        if magic.name in knowledge.RESET_MAGICS:
            self.program.reset()

    def defining(self, cell: Cell | None = None) -> list[Left]:
        """The magics that may have put names into the notebook."""
        return [
            left
            for left in self.left
            if knowledge.DEFINING_MAGICS.get(left.magic.name) or left.magic.name.startswith("%")
        ]
