"""Calls of the notebook's own functions: a summary's symbols get the meaning they have here."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from deploy_magics.notebook.functions import Call, Function
from deploy_magics.notebook.objects import NOTHING, Arguments, Obj, Value, union
from deploy_magics.notebook.statements import StatementWalker

_DEEPEST = 20


@dataclass
class Reach:
    """What a function and all it calls may do, whatever it is called with."""

    functions: frozenset[Function] = frozenset()
    inert: bool = True
    changes: frozenset[Obj] = frozenset()
    writes: frozenset[str] = frozenset()
    files: frozenset[tuple[frozenset[str], bool]] = frozenset()


@dataclass
class Frame:
    """One call: what each symbol of the function stands for."""

    callee: Obj
    values: dict[str, Value]
    depth: int
    made: dict[Obj, Value] = field(default_factory=dict)


class Calls(StatementWalker):
    """Applies summaries; mixed into the program that owns the names."""

    def __init__(self) -> None:
        super().__init__()
        self.global_symbols: dict[str, Obj] = {}
        self.method_names: set[str] = set()
        self.epoch = 0
        self._epochs = itertools.count(1)
        self._reach: dict[Function, tuple[int, Reach]] = {}
        self._active: list[Function] = []

    def value_now(self, name: str) -> Value:
        """What a global name stands for at this place, without reading it."""
        raise NotImplementedError

    def call_known(self, callee: Obj, arguments: Arguments, thrown: bool) -> Value:
        if callee.kind == "class":
            return self._instantiate(callee, arguments)
        if callee.function is None:
            return self.call_unknown(frozenset({callee}), arguments, thrown)
        return self._apply(callee, callee.function, arguments)

    def _instantiate(self, cls: Obj, arguments: Arguments) -> Value:
        made = self.fresh("instance", cls.name)
        made.info = cls
        value = frozenset({made})
        self.hold(value, "__class__", frozenset({cls}))
        makers = [m for m in self.class_attribute(cls, "__init__") if m.function is not None]
        for maker in makers:
            self.call_known(maker, arguments.with_first(value), True)
        if not makers:
            self.touch(arguments.all)
            for name, content in arguments.keywords.items():
                self.hold(value, name, content)
            self.hold(value, None, union([*arguments.places, arguments.rest]))
            for hook in self.class_attribute(cls, "__post_init__"):
                if hook.function is not None:
                    self.call_known(hook, Arguments([value]), True)
        return value

    def _apply(self, callee: Obj, function: Function, arguments: Arguments) -> Value:
        reach = self.reach(function)
        frame = Frame(callee, self._bind(callee, function, arguments), len(self._active))
        data = frozenset(obj for obj in arguments.all if obj.kind not in ("function", "class"))
        self.touch(data)
        if not self._active:
            self._apply_reach(reach)
        quiet = reach.inert and not any(obj.kind == "function" for obj in arguments.all)
        if not quiet and function not in self._active and frame.depth < _DEEPEST:
            self._active.append(function)
            try:
                self._perform_all(function, frame)
            finally:
                self._active.pop()
        if function.generator:
            return self._generator(callee, arguments, self._resolve_all(function.returns, frame))
        return self._resolve_all(function.returns, frame)

    def _generator(self, callee: Obj, arguments: Arguments, items: Value) -> Value:
        made = frozenset({self.fresh("iterator", callee.name)})
        self.hold(made, None, frozenset({callee}) | arguments.all | items)
        return made

    def _apply_reach(self, reach: Reach) -> None:
        for obj in reach.changes:
            self.change(self._resolve_global(obj))
        for name in sorted(reach.writes):
            self.branches([lambda n=name: self.bind_outer(n, NOTHING)], may_skip=True)  # type: ignore[misc]
        for tokens, writes in reach.files:
            self.access_file(tokens, writes=writes)

    def _perform_all(self, function: Function, frame: Frame) -> None:
        for call in function.calls:
            self._perform(call, frame)
        for obj in list(function.changes):
            self.change(self._resolve(obj, frame))
        for target, key, content in list(function.flows):
            self.hold(self._resolve(target, frame), key, self._resolve(content, frame))
        for obj in list(function.invokes):
            self.invoke(self._resolve(obj, frame))
        if function.stateful:
            self.change(frozenset({frame.callee}))
        for name, must in function.writes.items():
            value = self._resolve_all(function.written[name], frame)
            if must and frame.depth == 0:
                self.bind_outer(name, value)
            else:
                self.branches([lambda n=name, v=value: self.bind_outer(n, v)], may_skip=True)  # type: ignore[misc]

    def _perform(self, call: Call, frame: Frame) -> Value:
        if call.result in frame.made:
            return frame.made[call.result]
        frame.made[call.result] = NOTHING
        arguments = Arguments(
            [self._resolve_all(value, frame) for value in call.arguments.places],
            {name: self._resolve_all(v, frame) for name, v in call.arguments.keywords.items()},
            self._resolve_all(call.arguments.rest, frame),
        )
        if call.callee is not None:
            callee = self._resolve(call.callee, frame)
            value = self.call_value(callee, arguments, call.thrown) if callee else NOTHING
        else:
            value = self._perform_method(call, arguments, frame)
        frame.made[call.result] = value
        return value

    def _perform_method(self, call: Call, arguments: Arguments, frame: Frame) -> Value:
        results: list[Value] = []
        unknown: set[Obj] = set()
        for outer in call.receiver:
            if _is_super(outer):
                results.append(self._perform_super(outer, call, arguments, frame))
        plain = frozenset(obj for obj in call.receiver if not _is_super(obj))
        for obj in self._resolve_all(plain, frame):
            if obj.kind == "module":
                name = f"{obj.name}.{call.method}"
                results.append(self.call_module(name, arguments, call.thrown))
            elif obj.kind == "instance" and obj.info is not None:
                results.append(self.method_of(obj, call.method, arguments, call.thrown))
            else:
                unknown.add(obj)
        if unknown:
            receiver = frozenset(unknown)
            results.append(
                self.default_method(receiver, call.method, arguments, call.thrown, call.inplace)
            )
        return union(results)

    def _perform_super(
        self, receiver: Obj, call: Call, arguments: Arguments, frame: Frame
    ) -> Value:
        own = self._resolve(receiver, frame)
        bases = receiver.info[1].under("__bases__") if receiver.info[1] is not None else []
        methods = [
            method
            for base in bases
            for method in self.class_attribute(base, call.method)
            if method.function is not None
        ]
        if methods:
            full = arguments.with_first(own)
            return union([self.call_known(method, full, call.thrown) for method in methods])
        return self.default_method(own, call.method, arguments, call.thrown, call.inplace)

    def _bind(self, callee: Obj, function: Function, arguments: Arguments) -> dict[str, Value]:
        values: dict[str, Value] = dict.fromkeys(function.symbols, NOTHING)
        spill = arguments.rest
        for name, value in zip(function.places, arguments.places, strict=False):
            values[name] = value
        for value in arguments.places[len(function.places) :]:
            spill |= value
        for name, value in arguments.keywords.items():
            if name in function.keywords:
                values[name] = value
            else:
                spill |= value
        for name in function.symbols:
            if not values[name]:
                values[name] = frozenset(callee.under(("default", name))) | arguments.rest
        if spill and function.extra:
            packed = frozenset({self.fresh("plain")})
            self.hold(packed, None, spill)
            for name in function.extra:
                values[name] = packed
        return values

    # symbols

    def _resolve_all(self, objs: frozenset[Obj] | set[Obj], frame: Frame) -> Value:
        return union([self._resolve(obj, frame) for obj in list(objs)])

    def _resolve(self, obj: Obj, frame: Frame) -> Value:
        if obj in frame.made:
            return frame.made[obj]
        if obj.kind == "module" or (obj.owner is None and obj.kind != "symbol"):
            return frozenset({obj})
        if obj.kind == "result":
            if frame.depth + len(self._active) > 2 * _DEEPEST:
                return frozenset({self.fresh("opaque")})
            return self._perform_lazily(obj, frame)
        if obj.kind == "symbol":
            return self._resolve_symbol(obj, frame)
        if obj.owner is not frame.callee.function:
            return frozenset(frame.callee.under(("captured", obj)))
        return self._copy(obj, frame)

    def _perform_lazily(self, obj: Obj, frame: Frame) -> Value:
        """The value of a call that was not gone through, since nothing else comes of it."""
        assert isinstance(obj.info, Call)
        function = frame.callee.function
        if function is None or obj.owner is not function:
            return frozenset(frame.callee.under(("captured", obj)))
        self._active.append(function)
        try:
            return self._perform(obj.info, frame)
        finally:
            self._active.pop()

    def _resolve_symbol(self, obj: Obj, frame: Frame) -> Value:
        kind = obj.info[0]
        if kind == "global":
            return self.value_now(obj.info[1])
        if kind == "part":
            return self.element(self._resolve(obj.info[1], frame), obj.info[2])
        if kind == "super":
            function = frame.callee.function
            first = function.places[:1] if function is not None else []
            return union([frame.values.get(name, NOTHING) for name in first])
        if obj.owner is frame.callee.function:
            return frame.values.get(obj.info[1], NOTHING)
        return frozenset(frame.callee.under(("captured", obj)))

    def _resolve_global(self, obj: Obj) -> Value:
        if obj.kind == "module":
            return frozenset({obj})
        if obj.info[0] == "global":
            return self.value_now(obj.info[1])
        return self.element(self._resolve_global(obj.info[1]), obj.info[2])

    def _copy(self, obj: Obj, frame: Frame) -> Value:
        """An object that the function makes: another one at each call."""
        made = self.fresh(obj.kind, obj.name)
        made.function = obj.function
        made.info = obj.info
        value = frozenset({made})
        frame.made[obj] = value
        for key, content in list(obj.held):
            self.hold(value, key, self._resolve(content, frame))
        return value

    # what a function reaches

    def reach(self, function: Function) -> Reach:
        """Of the function and all it calls; kept until a name that functions read is rebound."""
        known = self._reach.get(function)
        if known is not None and known[0] == self.epoch:
            return known[1]
        found: dict[Function, list[Function]] = {}
        waiting = [function]
        done: dict[Function, Reach] = {}
        while waiting:
            current = waiting.pop()
            if current in found or current in done:
                continue
            cached = self._reach.get(current)
            if cached is not None and cached[0] == self.epoch:
                done[current] = cached[1]
                continue
            found[current] = self._callees(current)
            waiting += found[current]
        for current in found:
            done[current] = self._own(current)
        stable = False
        while not stable:
            stable = True
            for current in reversed(found):
                merged = _joined(done[current], [done[other] for other in found[current]])
                if merged != done[current]:
                    done[current], stable = merged, False
        for current in found:
            self._reach[current] = (self.epoch, done[current])
        return done[function]

    def _callees(self, function: Function) -> list[Function]:
        result: list[Function] = []
        for call in function.calls:
            if call.callee is None:
                continue
            for obj in self._callee_now(call.callee):
                if obj.function is not None:
                    result.append(obj.function)
                elif obj.kind == "class":
                    makers = self.class_attribute(obj, "__init__")
                    result += [maker.function for maker in makers if maker.function is not None]
        return result

    def _callee_now(self, obj: Obj) -> Value:
        if obj.kind == "symbol" and obj.info[0] == "global":
            return self.value_now(obj.info[1])
        return frozenset({obj})

    def _own(self, function: Function) -> Reach:
        changes = frozenset(obj for obj in function.changes if _is_global(obj))
        methods = any(self._may_change(call) for call in function.calls)
        quiet = not (function.changes or function.flows or function.writes or function.invokes)
        inert = quiet and not function.stateful and not methods
        writes = frozenset(name for name, must in function.writes.items() if not must)
        later = {call.receiver for call in function.calls if self._may_change(call)}
        changes |= frozenset(obj for value in later for obj in value if _is_global(obj))
        return Reach(frozenset(), inert, changes, writes, frozenset(function.files))

    def _may_change(self, call: Call) -> bool:
        from deploy_magics.notebook.knowledge import changes_receiver

        if not call.method:
            return (
                call.callee is not None
                and call.callee.kind == "symbol"
                and not _is_global(call.callee)
            )
        if call.method in self.method_names or any(_is_super(obj) for obj in call.receiver):
            return True
        inplace = frozenset({"inplace"} if call.inplace else ())
        return changes_receiver(call.method, call.thrown, inplace)


def _joined(own: Reach, others: list[Reach]) -> Reach:
    if not others:
        return own
    return Reach(
        frozenset(),
        own.inert and all(other.inert for other in others),
        own.changes.union(*(other.changes for other in others)),
        own.writes.union(*(other.writes for other in others)),
        own.files.union(*(other.files for other in others)),
    )


def _is_global(obj: Obj) -> bool:
    while obj.kind == "symbol" and obj.info[0] == "part":
        obj = obj.info[1]
    return obj.kind == "module" or (obj.kind == "symbol" and obj.info[0] == "global")


def _is_super(obj: Obj) -> bool:
    return obj.kind == "symbol" and obj.info[0] == "super"
