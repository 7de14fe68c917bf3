"""The backward slice from a cell, and the reason for each statement in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from deploy_magics.errors import UsageError
from deploy_magics.notebook import refusal
from deploy_magics.notebook.assembly import assemble, shims_for
from deploy_magics.notebook.closure import Closure
from deploy_magics.notebook.history import Analysis, ExecutedCell
from deploy_magics.notebook.log import ExecutionLog
from deploy_magics.notebook.notices import notices
from deploy_magics.notebook.reading import read_cell


@dataclass(frozen=True)
class Reason:
    """Why a statement is in: its cell (None: the entry), its lines there, and what it is for."""

    cell: int | None
    lines: tuple[int, int]
    why: str


@dataclass(frozen=True)
class Slice:
    """A program that runs alone: what the entry needs, then the entry itself.

    ``origins``: for each line of ``source`` the index of its cell (None: the entry) and its
    1-based line there, 0 for a line of our own. ``warnings``: what a user should know of it.
    """

    source: str
    cells: tuple[int, ...]
    reasons: tuple[Reason, ...]
    origins: tuple[tuple[int | None, int], ...]
    warnings: tuple[str, ...] = ()


def slice_cells(cells: Sequence[str], entry: str) -> Slice:
    """What ``entry`` needs of ``cells``, which were executed in this order.

    Raises:
        UnpackagableNameError: a name is needed that no statement can supply.
    """
    analysis = Analysis(lambda index: f"cell {index + 1}")
    for index, source in enumerate(cells):
        analysis.add(ExecutedCell(index, source))
    return slice_analysis(analysis, entry)


def slice_log(log: ExecutionLog, entry: str, *, only_marked: bool = False) -> Slice:
    """What ``entry`` needs of what a kernel has executed.

    Earlier executions of the entry itself are left out. Cells tagged ``model`` come along whole;
    with ``only_marked`` nothing but them may.
    """
    analysis = log.analysis(entry)
    marked = {cell.index for cell in log.cells if "model" in cell.tags}
    return slice_analysis(analysis, entry, always=marked, only=marked if only_marked else None)


def slice_analysis(
    analysis: Analysis,
    entry: str,
    *,
    always: Collection[int] = (),
    only: Collection[int] | None = None,
) -> Slice:
    """See ``slice_log``; ``always`` and ``only`` are indices of cells."""
    cell = read_cell(entry, entry=True)
    if cell.error:
        raise UsageError(f"The main cell cannot be read: {cell.error}.")
    with analysis.program.trial() as program:
        own = [program.add(None, unit).place for unit in cell.units]
        closure = Closure(program)
        closure.take(own, "the main cell itself")
        tagged = [record.place for record in program.records if record.cell in always]
        closure.take(tagged, "its cell is tagged `model`")
        refusal.check(analysis, closure, only)
        records = [program.records[place] for place in sorted(closure.reasons)]
        text = assemble(records, shims_for(closure))
        reasons = tuple(
            Reason(record.cell, record.unit.span, closure.reasons[record.place])
            for record in records
        )
        used = sorted({record.cell for record in records if record.cell is not None})
        warnings = notices(analysis, closure, cell)
    return Slice(text.source, tuple(used), reasons, text.origins, warnings)
