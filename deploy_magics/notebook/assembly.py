"""The program's text out of the statements that were chosen, and where each line comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deploy_magics.notebook.closure import Closure
from deploy_magics.notebook.records import Record

Origin = tuple["int | None", int]

_SHIMS = {
    "display": "def display(*values, **options): print(*values)",
    "get_ipython": "def get_ipython(): return None",
}


@dataclass(frozen=True)
class Text:
    """Source and, for each of its lines, the cell (None: the entry) and the line there."""

    source: str
    origins: tuple[Origin, ...]


def assemble(records: Iterable[Record], shims: Iterable[str]) -> Text:
    """Statements in the order of execution; ``from __future__`` first, as Python wants it."""
    lines: list[str] = []
    origins: list[Origin] = []
    chosen = list(records)
    first = [record for record in chosen if record.unit.future]
    rest = [record for record in chosen if not record.unit.future]

    def put(record: Record) -> None:
        for text, number in _lead(record):
            lines.append(text)
            origins.append((record.cell, number))
        lines.extend(record.unit.lines)
        origins.extend((record.cell, number) for number in record.unit.numbers)

    for record in first:
        put(record)
    for name in shims:
        lines.append(_SHIMS[name])
        origins.append((None, 0))
    last: Record | None = None
    for record in rest:
        if last is not None and last.cell != record.cell:
            lines.append("")
            origins.append((record.cell, 0))
        put(record)
        last = record
    return Text("".join(f"{line}\n" for line in lines), tuple(origins))


def _lead(record: Record) -> list[tuple[str, int]]:
    """The comments that go with a statement: those right above it, in the entry all of them."""
    lead = list(record.unit.lead)
    if record.cell is None:
        return [(text if text.lstrip().startswith("#") else "", number) for text, number in lead]
    start = len(lead)
    while start and lead[start - 1][0].startswith("#"):
        start -= 1
    return lead[start:]


def shims_for(closure: Closure) -> list[str]:
    """Names of the notebook that the slice reads and nobody has bound: a stand-in goes with it."""
    return sorted(name for name in _SHIMS if name in closure.plain)
