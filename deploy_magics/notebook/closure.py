"""From the statements that are wanted to all that they go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from deploy_magics.notebook.objects import Obj
from deploy_magics.notebook.program import Missing, Need, Program, Record


@dataclass(frozen=True)
class Lost:
    """A name that cannot be had, and the statement that reads it (in a function of that name)."""

    missing: Missing
    record: Record
    function: str = ""


@dataclass
class Closure:
    """The statements needed, each with its reason; reasons are those found first.

    ``allowed``: places that may be taken, None for all.
    """

    program: Program
    reasons: dict[int, str] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    plain: set[str] = field(default_factory=set)
    """Names read that no statement binds: builtins, and those of the notebook itself."""
    _seen: set[tuple[Obj, int, bool]] = field(default_factory=set)
    _later: list[tuple[int, Need, str]] = field(default_factory=list)

    def take(self, places: Iterable[int], why: str) -> None:
        """Adds statements and everything behind them."""
        waiting: list[int] = []
        for place in places:
            if place not in self.reasons:
                self.reasons[place] = why
                waiting.append(place)
        while waiting or self._later:
            if not waiting:
                waiting = self._uncovered()
                if not waiting:
                    return
            place = waiting.pop(0)
            waiting += self._expand(self.program.records[place])

    def _uncovered(self) -> list[int]:
        """``del max`` is needed only when the slice binds ``max``."""
        result = []
        bound: set[str] = set()
        for place in self.reasons:
            bound |= self.program.records[place].binds
        for entry in list(self._later):
            _, need, reader = entry
            if need.only_with in bound:
                self._later.remove(entry)
                if need.place not in self.reasons:
                    self.reasons[need.place] = f"uncovers `{need.name}` for {reader}"
                    result.append(need.place)
        return result

    def _expand(self, record: Record) -> list[int]:
        found: list[int] = []
        reader = title(record)
        for need in record.needs:
            self._need(need, record.place, reader, found)
        self.lost += [Lost(missing, record) for missing in record.missing]
        self.plain |= record.plain
        waiting = [(obj, shallow, reader) for obj, shallow in record.states]
        while waiting:
            obj, shallow, reader = waiting.pop()
            key = (obj, record.version, shallow)
            if key in self._seen:
                continue
            self._seen.add(key)
            for place in obj.changes:
                if place < record.place:
                    self._add(place, f"changes what {reader} reads", found)
            if obj.kind == "module":
                waiting += [(other, True, reader) for other in self._modules(obj, shallow)]
                continue
            waiting += [
                (content, False, reader)
                for (key_, content), place in obj.held.items()
                if place <= record.place
            ]
            waiting += [(part, False, reader) for part in obj.parts.values()]
            if obj.function is not None:
                waiting += self._late(obj, record, found)
        return found

    def _modules(self, obj: Obj, shallow: bool) -> list[Obj]:
        """The packages around a module; taken as a whole, what is in it too."""
        modules = self.program.modules
        around = obj.name.rpartition(".")[0]
        result = [modules[around]] if around in modules else []
        if not shallow:
            inside = f"{obj.name}."
            result += [other for name, other in modules.items() if name.startswith(inside)]
        return result

    def _late(self, obj: Obj, record: Record, found: list[int]) -> list[tuple[Obj, bool, str]]:
        """What a function reads when it is called, as it is when ``record`` runs, or at the end."""
        assert obj.function is not None
        program, waiting = self.program, []
        reader = f"`{obj.function.title}`"
        for name, optional in obj.function.late.items():
            # before the reader, within it (it may bind the name and then call), or at the end
            for place in (record.place - 1, record.place, len(program.records)):
                binding = program.binding_at(name, place)
                needs, missing = program.resolve(name, binding, place + 1)
                if missing is None:
                    break
            if not binding.defs:
                self.plain.add(name)
            for need in needs:
                self._need(need, record.place, reader, found)
            if missing is not None and not optional:
                self.lost.append(Lost(missing, record, obj.function.title))
            waiting += [(other, other.kind == "module", reader) for other in binding.value]
        return waiting

    def _need(self, need: Need, reader_place: int, reader: str, found: list[int]) -> None:
        if need.only_with:
            self._later.append((reader_place, need, reader))
        elif need.name:
            self._add(need.place, f"{need.why} `{need.name}`, read by {reader}", found)
        else:
            self._add(need.place, need.why, found)

    def _add(self, place: int, why: str, found: list[int]) -> None:
        if place not in self.reasons:
            self.reasons[place] = why
            found.append(place)


def title(record: Record) -> str:
    """How a statement is spoken of: by what it binds."""
    node = record.unit.node
    name = getattr(node, "name", None)
    if isinstance(name, str):
        return f"`{name}`"
    names = sorted(record.binds)
    if names:
        return ", ".join(f"`{name}`" for name in names[:3])
    return "the main cell" if record.cell is None else "a statement that is needed"
