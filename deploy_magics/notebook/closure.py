"""From the statements that are wanted to all that they go on."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from deploy_magics.notebook.objects import UNBOUND, Binding, Obj
from deploy_magics.notebook.program import Program
from deploy_magics.notebook.records import Missing, Need, Record


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
    _upto: dict[tuple[Obj, bool], tuple[int, int]] = field(default_factory=dict)
    _called: dict[tuple[Obj, int], tuple[int, int]] = field(default_factory=dict)
    _functions: dict[Obj, dict[Obj, int]] = field(default_factory=dict)
    _later: list[tuple[int, Need, str]] = field(default_factory=list)

    def take(self, places: Iterable[int], why: str) -> None:
        """Adds statements and everything behind them."""
        waiting: list[int] = []
        for place in places:
            if place not in self.reasons:
                self.reasons[place] = why
                heapq.heappush(waiting, -place)
        while waiting or self._later:
            if not waiting:
                waiting = [-place for place in self._uncovered()]
                if not waiting:
                    return
            # the last one first: what it goes on includes what earlier ones go on, mostly
            place = -heapq.heappop(waiting)
            for found in self._expand(self.program.records[place]):
                heapq.heappush(waiting, -found)

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
        # the last moment first, here too
        states = sorted(record.states.items(), key=lambda state: -state[1])
        for (obj, shallow), moment in states:
            self._state(obj, shallow, (record.place, moment), reader, found)
            for function, since in self._functions_in(obj).items():
                if since <= moment:
                    self._late(function, record, moment, found)
        return found

    def _state(
        self, obj: Obj, shallow: bool, when: tuple[int, int], reader: str, found: list[int]
    ) -> None:
        """Every change of ``obj``, and of what it holds, before a statement and a moment of it."""
        waiting = [(obj, shallow)]
        while waiting:
            obj, shallow = waiting.pop()
            if self._upto.get((obj, shallow), (-1, -1)) >= when:
                continue
            self._upto[obj, shallow] = when
            for at in obj.changes:
                if at < when[0]:
                    what = (
                        f"`{obj.label}`, read by {reader}" if obj.label else f"what {reader} reads"
                    )
                    self._add(at, f"changes {what}", found)
            if obj.kind == "module":
                waiting += [(other, True) for other in self._modules(obj, shallow)]
                continue
            waiting += [(content, False) for (_, content), at in obj.held.items() if at <= when[1]]
            waiting += [(part, False) for part in obj.parts.values()]

    def _functions_in(self, obj: Obj) -> dict[Obj, int]:
        """The functions in an object, each with the moment since when it is there."""
        known = self._functions.get(obj)
        if known is not None:
            return known
        since: dict[Obj, int] = {}
        waiting = [(obj, -1)]
        while waiting:
            current, moment = waiting.pop()
            if current.kind == "module" or since.get(current, moment + 1) <= moment:
                continue
            since[current] = moment
            waiting += [(content, max(moment, at)) for (_, content), at in current.held.items()]
            waiting += [(part, moment) for part in current.parts.values()]
        self._functions[obj] = {
            current: moment for current, moment in since.items() if current.function is not None
        }
        return self._functions[obj]

    def _modules(self, obj: Obj, shallow: bool) -> list[Obj]:
        """The packages around a module; taken as a whole, what is in it too."""
        modules = self.program.modules
        around = obj.name.rpartition(".")[0]
        result = [modules[around]] if around in modules else []
        if not shallow:
            inside = f"{obj.name}."
            result += [other for name, other in modules.items() if name.startswith(inside)]
        return result

    def _late(self, start: Obj, record: Record, moment: int, found: list[int]) -> None:
        """What functions read when called, as it is when ``record`` runs, or at the end."""
        waiting = [start]
        when = (record.place, moment)
        while waiting:
            obj = waiting.pop()
            key = (obj, record.version)
            if obj.function is None or self._called.get(key, (-1, -1)) >= when:
                continue
            self._called[key] = when
            reader = f"`{obj.function.title}`"
            for name, optional in obj.function.late.items():
                binding, missing = self._late_name(name, obj.function.title, record, found)
                if missing is not None and not optional:
                    self.lost.append(Lost(missing, record, obj.function.title))
                for value in binding.value:
                    self._state(value, value.kind == "module", when, reader, found)
                    inside = self._functions_in(value).items()
                    waiting += [function for function, since in inside if since <= moment]

    def _late_name(
        self, name: str, function: str, record: Record, found: list[int]
    ) -> tuple[Binding, Missing | None]:
        program = self.program
        binding, missing = UNBOUND, None
        needs: list[Need] = []
        # before the reader, within it (it may bind the name and then call), or at the end
        for place in (record.place - 1, record.place, len(program.records)):
            binding = program.binding_at(name, place)
            needs, missing = program.resolve(name, binding, place + 1)
            if missing is None:
                break
        if not binding.defs:
            self.plain.add(name)
        for need in needs:
            self._need(need, record.place, f"`{function}`", found)
        return binding, missing

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
    """How a statement is spoken of: by what it binds or changes."""
    if record.unit.name:
        return f"`{record.unit.name}`"
    names = sorted(record.binds)
    if names:
        return ", ".join(f"`{name}`" for name in names[:3])
    if record.cell is None:
        return "the main cell"
    return f"`{record.unit.root}`" if record.unit.root else "a statement that is needed"
