"""What a user should know of a slice although nothing is wrong with it."""

from __future__ import annotations

from deploy_magics.notebook import knowledge
from deploy_magics.notebook.closure import Closure
from deploy_magics.notebook.history import Analysis
from deploy_magics.notebook.reading import Cell
from deploy_magics.notebook.records import SHIMS


def notices(analysis: Analysis, closure: Closure, entry: Cell) -> tuple[str, ...]:
    """One line each, those that speak of cells in the order of execution."""
    found: list[str] = []
    records = analysis.program.records
    for place in sorted(closure.reasons):
        record = records[place]
        where = "the main cell" if record.cell is None else analysis.label(record.cell)
        found += [f"{where}: the magic {text} is left out." for text in record.unit.dropped]
        if record.cell is not None and record.unit.main_guard:
            found.append(
                f'{where}: the block under `if __name__ == "__main__"` ran in the kernel; in the '
                "model it runs only where the main script is started as a program."
            )
        if "globals()" in record.plain:
            found.append(f"{where}: it looks at all names; those in the model are not all.")
        if closure.reasons[place].startswith("may define"):
            found.append(f"{where}: it {closure.reasons[place]}, which cannot be known for sure.")
    last = max((place for place in closure.reasons), default=-1)
    for left in analysis.left:
        effect = knowledge.AMBIENT_MAGICS.get(left.magic.name)
        if effect and left.place <= last and "package" not in effect:
            text = left.magic.text.split("\n")[0]
            found.append(f"{analysis.label(left.cell)}: {text} {effect}; the model does not.")
    for magic in entry.magics:
        effect = knowledge.AMBIENT_MAGICS.get(magic.name, "")
        more = f" It {effect}." if effect else ""
        found.append(f"the main cell: {magic.text.splitlines()[0]} is left out.{more}")
    for name in sorted(SHIMS & closure.plain):
        use = "prints" if name == "display" else "gives None"
        found.append(f"`{name}` is the notebook's; in the model a stand-in {use}.")
    for index, error in analysis.unread.items():
        found.append(
            f"{analysis.label(index)} could not be read ({error}) and is not in the model."
        )
    return tuple(dict.fromkeys(found))
