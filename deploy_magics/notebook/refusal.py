"""What cannot be shipped: the name, the cell, the reason, and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from deploy_magics.errors import UnpackagableNameError
from deploy_magics.notebook.closure import Closure, Lost
from deploy_magics.notebook.history import Analysis
from deploy_magics.notebook.records import KNOWN

_HISTORY = re.compile(r"_{1,3}|_\d+|_i{0,3}|_i\d+|_(ih|oh|dh)|In|Out")


def check(analysis: Analysis, closure: Closure, only: Collection[int] | None) -> None:
    """Raises for the first thing, in the order of execution, that the slice cannot have."""
    for lost in sorted(closure.lost, key=lambda lost: lost.record.place):
        raise _error(analysis, lost)
    records = analysis.program.records
    for place in sorted(closure.reasons):
        record = records[place]
        where = _where(analysis, record.cell)
        name = min(record.binds, default="await")
        if record.unit.awaits:
            raise UnpackagableNameError(
                f"{where} awaits at its top, which a program cannot do.",
                "Put it into `asyncio.run(...)`.",
                name=name,
                cell=record.cell,
            )
        if record.cell is None and record.unit.refused:
            raise UnpackagableNameError(
                f"`{name}` cannot be shipped: {record.unit.refused}.", name=name, cell=None
            )
        if only is not None and record.cell is not None and record.cell not in only:
            raise UnpackagableNameError(
                f"`{name}` is needed, and {where} is not tagged `model`.",
                "Tag the cell, or leave --only out.",
                name=name,
                cell=record.cell,
            )


def _error(analysis: Analysis, lost: Lost) -> UnpackagableNameError:
    name, binding, cell = lost.missing.name, lost.missing.binding, lost.record.cell
    where = _where(analysis, cell)
    reader = f"`{lost.function}` ({where})" if lost.function else where
    why, hint = f"`{name}` is read by {reader}", ""
    records = analysis.program.records
    if binding.refused:
        made = [_where(analysis, records[place].cell) for place in sorted(binding.defs)]
        why += f" and cannot be shipped: in {made[-1] if made else where}, {binding.refused}."
        hint = "Write its value as a literal, or compute it in Python."
        if "await" in binding.refused:
            hint = "Put the call into `asyncio.run(...)`."
    elif binding.gone is not None:
        why += f", but {_where(analysis, records[binding.gone].cell)} deleted it."
        hint = "Define it again."
    elif _HISTORY.fullmatch(name):
        why += ", but it is the notebook's memory of a result, which no program has."
        hint = "Give the result a name of its own."
    else:
        why += ", but no executed cell defines it."
        hint = _hint(analysis, name)
    return UnpackagableNameError(why, hint, name=name, cell=cell)


def _hint(analysis: Analysis, name: str) -> str:
    if name in analysis.hidden:
        where = _where(analysis, analysis.hidden[name])
        return f"Only the body of a cell magic in {where} does: run that cell with --run."
    for left in analysis.defining():
        text = left.magic.text.split("\n")[0]
        if re.search(
            rf"\b{re.escape(name)}\b", left.magic.text + left.magic.body
        ) or left.magic.name in ("run", "pylab", "store"):
            return f"It may come from the magic `{text[:60]}` in {_where(analysis, left.cell)}."
    known = [*analysis.program.names, *KNOWN]
    close = difflib.get_close_matches(name, known, 1, 0.6)
    if close:
        return f"Did you mean `{close[0]}`?"
    for index, error in analysis.unread.items():
        return f"{_where(analysis, index).capitalize()} could not be read ({error})."
    return "Run the cell that defines it."


def _where(analysis: Analysis, cell: int | None) -> str:
    return "the main cell" if cell is None else analysis.label(cell)
