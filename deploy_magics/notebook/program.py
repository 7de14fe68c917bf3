"""A notebook's executions gone through in order: for each statement what it needs, and why."""

from __future__ import annotations

import ast
import bisect
from collections.abc import Callable
from dataclasses import replace

from deploy_magics.notebook.applying import Calls
from deploy_magics.notebook.functions import BodyWalker, Function, catches_name_error, symbol
from deploy_magics.notebook.knowledge import changes_receiver
from deploy_magics.notebook.objects import (
    NOTHING,
    UNBOUND,
    Arguments,
    Binding,
    Key,
    Obj,
    Value,
    merge,
)
from deploy_magics.notebook.paths import same_file
from deploy_magics.notebook.reading import Unit
from deploy_magics.notebook.records import KNOWN, Missing, Need, Record, exports
from deploy_magics.notebook.statements import Step


class Program(Calls):
    """The state of the names after the statements that it was given, and their history."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []
        self.names: dict[str, Binding] = {}
        self.history: dict[str, list[tuple[int, Binding]]] = {}
        self.late_names: set[str] = set()
        self.stars: list[tuple[int, str]] = []
        self.wild: list[int] = []
        self.written_files: list[tuple[int, frozenset[str]]] = []
        self.moves: list[int] = []
        self.future_at: int | None = None
        self.version = 0
        self.moment = 0
        self._record: Record | None = None
        self._diffs: list[dict[str, Binding]] = []
        self._undo: list[Callable[[], object]] | None = None
        self._guarded = 0
        self._refused = ""

    @property
    def place(self) -> int:
        """The number of the statement that is gone through."""
        return len(self.records) - 1

    # statements in

    def add(self, cell: int | None, unit: Unit, *, certain: bool = True) -> Record:
        """Goes through one statement; not ``certain``: it may have run in part or not at all."""
        record = Record(len(self.records), cell, unit)
        self.records.append(record)
        self._note_undo(self.records.pop)
        self._record, self._refused = record, unit.refused
        names: dict[str, Binding] = {}
        self._diffs.append(names)
        node = unit.node
        assert node is not None
        try:
            if certain:
                self.statement(node)
            else:
                self.branches([lambda: self.statement(node)], may_skip=True)
        except RecursionError:
            self._coarse(node)
        finally:
            self.scopes.clear()
            self._active.clear()
            del self._diffs[:]
            self._record, self._guarded = None, 0
        for name in names:
            self._remember(name, record.place)
        record.unit = replace(unit, node=None)
        record.binds = set(names)
        record.version = self.version
        return record

    def reset(self) -> None:
        """``%reset``: every name is gone."""
        for name in list(self.names):
            self._set(name, UNBOUND)
            self._remember(name, self.place)

    def _coarse(self, node: ast.AST) -> None:
        """Nested too deeply to be gone through: every name in it is read, or bound."""
        self.scopes.clear()
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                if isinstance(part.ctx, ast.Load):
                    self.touch(self.read_outer(part.id))
                else:
                    self.bind_outer(part.id, frozenset({self.fresh("opaque")}))
            elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.bind_outer(part.name, frozenset({self.fresh("opaque")}))

    def trial(self) -> Trial:
        """What is added within ``with program.trial():`` is forgotten at its end."""
        return Trial(self)

    def begin(self) -> None:
        epoch = self.epoch
        self._undo = [lambda: setattr(self, "epoch", epoch)]

    def roll_back(self) -> None:
        steps, self._undo = self._undo or [], None
        for step in reversed(steps):
            step()

    def _note_undo(self, step: Callable[[], object]) -> None:
        if self._undo is not None:
            self._undo.append(step)

    # names

    def read_outer(self, name: str) -> Value:
        binding = self.names.get(name, UNBOUND)
        record = self._record
        assert record is not None
        needs, missing = self.resolve(name, binding, record.place)
        record.needs += needs
        if not binding.defs:
            record.plain.add(name)
        if missing is not None and not self._guarded:
            record.missing.append(missing)
        return binding.value

    def resolve(self, name: str, binding: Binding, place: int) -> tuple[list[Need], Missing | None]:
        """What reading ``name`` at ``place`` needs, where ``binding`` is what it is there."""
        needs = [Need(at, "defines", name) for at in sorted(binding.defs) if at != place]
        if binding.refused:
            return needs, Missing(name, binding)
        latest = max(binding.defs, default=-1)
        stars = [(at, module) for at, module in self.stars if latest < at < place]
        if not binding.defs and (binding.gone is not None or name in KNOWN):
            if binding.gone is not None:
                after = binding.gone
                stars = [(at, module) for at, module in stars if at > after]
            stars = [(at, module) for at, module in stars if exports(module, name, name in KNOWN)]
            if binding.gone is not None and name in KNOWN and not stars:
                return [Need(binding.gone, "uncovers", name, only_with=name)], None
        else:
            stars = [(at, module) for at, module in stars if exports(module, name, False)]
        needs += [Need(at, "may define", name) for at, _ in stars]
        if binding.defs and not binding.missing:
            return needs, None
        if binding.defs or stars or name in KNOWN:
            return needs, None
        wild = [at for at in self.wild if at < place]
        needs += [Need(at, "may define", name) for at in wild]
        return needs, None if wild else Missing(name, binding)

    def binding_at(self, name: str, place: int) -> Binding:
        """What ``name`` was when statement ``place`` had run."""
        steps = self.history.get(name, [])
        index = bisect.bisect_right(steps, place, key=lambda step: step[0]) - 1
        return steps[index][1] if index >= 0 else UNBOUND

    def value_now(self, name: str) -> Value:
        return self.names.get(name, UNBOUND).value

    def bind_outer(self, name: str, value: Value) -> None:
        place = self.place
        for obj in value:
            obj.label = obj.label or (obj.name if obj.kind == "module" else name)
        self._set(name, Binding(frozenset({place}), value, refused=self._refused))

    def unbind(self, name: str) -> None:
        old = self.names.get(name, UNBOUND)
        record = self._record
        if record is not None:
            record.needs += [Need(at, "defines", name) for at in old.defs if at != record.place]
        self._set(name, Binding(missing=True, gone=self.place))

    def _set(self, name: str, binding: Binding) -> None:
        old = self.names.get(name)
        if self._diffs:
            self._diffs[-1].setdefault(name, old or UNBOUND)
        if name in self.late_names:
            self.version += 1
            kinds = {obj.kind for obj in binding.value | (old.value if old else NOTHING)}
            if kinds & {"function", "class", "instance", "module"}:
                self.epoch = next(self._epochs)
        self.names[name] = binding
        self._note_undo(lambda: self._restore(name, old))

    def _restore(self, name: str, old: Binding | None) -> None:
        if old is None:
            self.names.pop(name, None)
        else:
            self.names[name] = old

    def _remember(self, name: str, place: int) -> None:
        steps = self.history.setdefault(name, [])
        steps.append((place, self.names.get(name, UNBOUND)))
        self._note_undo(steps.pop)

    def is_builtin(self, name: str) -> bool:
        if name not in KNOWN or any(name in names for _, names in self.scopes):
            return False
        binding = self.names.get(name)
        if binding is not None and (binding.defs or not binding.missing):
            return False
        if self._record is not None:
            self.read_outer(name)
        return not any(exports(module, name, True) for _, module in self.stars)

    def is_bound(self, name: str) -> bool:
        return name in self.names

    # objects

    def touch(self, value: Value, *, shallow: bool = False) -> None:
        record = self._record
        if record is not None:
            for obj in value:
                record.states[(obj, shallow and obj.kind == "module")] = self.moment

    def change(self, value: Value) -> None:
        place = self.place
        for obj in value:
            if not obj.changes or obj.changes[-1] != place:
                obj.changes.append(place)
                self._note_undo(obj.changes.pop)
        self.touch(value, shallow=True)

    def hold(self, value: Value, key: Key, content: Value) -> None:
        self.moment += 1
        for obj in value:
            for other in content:
                if obj is not other and (key, other) not in obj.held:
                    obj.held[key, other] = self.moment
                    self._note_undo(lambda o=obj, k=(key, other): o.held.pop(k, None))  # type: ignore[misc]

    def fresh(self, kind: str, name: str = "") -> Obj:
        return Obj(kind, name, None, self.place)

    def global_symbol(self, name: str) -> Obj:
        """The one symbol of a global name in all summaries."""
        if name not in self.global_symbols:
            self.global_symbols[name] = symbol(("global", name), None)
        return self.global_symbols[name]

    def make_function(self, node: ast.AST, name: str, owner: Obj | None) -> Obj:
        made = self.fresh("function", name)
        made.function = Function(node, name, owner)
        if owner is not None and name != "__init__":
            self.method_names.add(name)
        scopes, self.scopes = self.scopes, []
        try:
            walker = BodyWalker(made.function, node, self, None, self.lazy_annotations)
            comprehensions = [names for kind, names in scopes if kind == "comprehension"]
            for names in comprehensions:
                walker.local |= names.keys()
                walker.locals = {**names, **walker.locals}
            walker.run()
        finally:
            self.scopes = scopes
        for late in made.function.late:
            self.late_names.add(late)
        return made

    def call_unknown_method(
        self, receiver: Value, method: str, arguments: Arguments, thrown: bool, inplace: bool
    ) -> Value:
        return self.default_method(receiver, method, arguments, thrown, inplace)

    def invoke(self, value: Value) -> None:
        self.touch(frozenset(obj for obj in value if obj.kind == "function"))
        seen: set[Obj] = set()
        waiting = [obj for obj in value if obj.kind != "module"]
        while waiting:
            obj = waiting.pop()
            if obj in seen or len(seen) > 200:
                continue
            seen.add(obj)
            if obj.function is not None:
                self._apply_reach(self.reach(obj.function))
                if obj.function.stateful:
                    self.change(frozenset({obj}))
            elif obj.kind == "method":
                if changes_receiver(obj.info, False):
                    self.change(frozenset(obj.under("__self__")))
            elif obj.kind not in ("module", "class"):
                waiting += [content for _, content in obj.held]

    # files and the like

    def access_file(self, tokens: frozenset[str], *, writes: bool) -> None:
        record = self._record
        if record is None:
            return
        if writes:
            self.written_files.append((record.place, tokens))
            self._note_undo(self.written_files.pop)
            return
        record.needs += [
            Need(at, "changes the folder that files are read from", "")
            for at in self.moves
            if at != record.place
        ]
        for place, written in self.written_files:
            word = same_file(written, tokens)
            if word and place != record.place:
                record.needs.append(Need(place, "writes", word))

    def call_module(self, name: str, arguments: Arguments, thrown: bool) -> Value:
        if name == "os.chdir":
            self.moves.append(self.place)
            self._note_undo(self.moves.pop)
        return super().call_module(name, arguments, thrown)

    def namespace(self, node: ast.Call) -> None:
        if self._record is not None:
            self._record.plain.add("globals()")

    def unknown_code(self) -> None:
        self.wild.append(self.place)
        self._note_undo(self.wild.pop)

    # statements

    def branches(self, paths: list[Step], *, may_skip: bool) -> None:
        ends: list[dict[str, Binding]] = []
        starts: dict[str, Binding] = {}
        for path in paths:
            diff: dict[str, Binding] = {}
            self._diffs.append(diff)
            try:
                path()
            finally:
                self._diffs.pop()
            ends.append({name: self.names[name] for name in diff})
            for name, old in diff.items():
                starts.setdefault(name, old)
                self.names[name] = old
        if may_skip:
            ends.append({})
        for name, old in starts.items():
            merged: Binding | None = None
            for end in ends:
                other = end.get(name, old)
                merged = other if merged is None else merge(merged, other)
            self._set(name, merged or old)

    def do_Try(self, node: ast.Try) -> None:
        guard = int(catches_name_error(node))
        self._guarded += guard
        super().do_Try(node)
        self._guarded -= guard

    def star_import(self, module: str) -> None:
        self.stars.append((self.place, module))
        self._note_undo(self.stars.pop)
        self.version += 1

    def future(self, names: list[str]) -> None:
        super().future(names)
        if self.lazy_annotations and self.future_at is None:
            self.future_at = self.place
            self._note_undo(self._forget_future)

    def _forget_future(self) -> None:
        self.future_at, self.lazy_annotations = None, False

    def annotation(self, node: ast.expr | None) -> None:
        super().annotation(node)
        record = self._record
        place = self.future_at if self.lazy_annotations else None
        if node is not None and record is not None and place not in (None, record.place):
            record.needs.append(Need(place, "keeps annotations unread", ""))


class Trial:
    """Undoes what a program was given in between."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def __enter__(self) -> Program:
        self.program.begin()
        return self.program

    def __exit__(self, *_: object) -> None:
        self.program.roll_back()
