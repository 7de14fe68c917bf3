"""What a function does when it is called, found once, from its text alone."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy_magics.notebook.objects import NOTHING, Arguments, Key, Obj, Value
from deploy_magics.notebook.statements import Functions, StatementWalker, Step

if TYPE_CHECKING:
    from deploy_magics.notebook.program import Program

_SCOPES = (*Functions, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NO_NAMES = (ast.Constant, ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop)
_REPEATING = (ast.For, ast.While, ast.AsyncFor, *_SCOPES)
_NAME_ERRORS = frozenset({"NameError", "Exception", "BaseException"})


@dataclass(eq=False)
class Call:
    """A call in a body of something that is only known where the function is called."""

    callee: Obj | None
    receiver: Value
    method: str
    arguments: Arguments
    thrown: bool
    inplace: bool
    result: Obj


class Function:
    """The summary of one function; its objects are symbols until a call gives them meaning.

    Attributes:
        late: global names it (or what is nested in it) reads when called; True for those that it
            can do without, since a ``NameError`` is caught.
        writes: global names it binds; True where every call does so.
        stateful: a call changes what it remembers (``nonlocal``, a captured container).
    """

    def __init__(self, node: ast.AST, name: str, owner: Obj | None) -> None:
        self.name = name
        self.owner = owner
        arguments: ast.arguments = node.args  # type: ignore[attr-defined]
        self.places = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        self.keywords = {*self.places, *(argument.arg for argument in arguments.kwonlyargs)}
        self.extra = [item.arg for item in (arguments.vararg, arguments.kwarg) if item is not None]
        self.symbols: dict[str, Obj] = {}
        for parameter in (*self.places, *self.keywords, *self.extra):
            self.symbols.setdefault(parameter, symbol(("parameter", parameter), self))
        self.late: dict[str, bool] = {}
        self.writes: dict[str, bool] = {}
        self.written: dict[str, Value] = {}
        self.changes: set[Obj] = set()
        self.flows: dict[tuple[Obj, Key, Obj], None] = {}
        self.calls: list[Call] = []
        self.invokes: set[Obj] = set()
        self.returns: set[Obj] = set()
        self.captured: set[Obj] = set()
        self.files: list[tuple[frozenset[str], bool]] = []
        self.generator = False
        self.stateful = False

    @property
    def title(self) -> str:
        """How a user knows it: with its class."""
        return f"{self.owner.name}.{self.name}" if self.owner is not None else self.name


def symbol(info: object, owner: object) -> Obj:
    """Stands for a parameter, a global name, or a part of either."""
    made = Obj("symbol", "part" if isinstance(info, tuple) and info[0] == "part" else "", owner)
    made.info = info
    return made


class BodyWalker(StatementWalker):
    """Goes through a body without regard to order: what may happen, not when."""

    def __init__(
        self,
        function: Function,
        node: ast.AST,
        program: Program,
        parent: BodyWalker | None,
        lazy: bool,
    ) -> None:
        super().__init__()
        self.function = function
        self.node = node
        self.program = program
        self.parent = parent
        self.modules = program.modules
        self.imported = program.imported
        self.lazy_annotations = lazy
        self.skims = False
        self.depth = 0
        self.left = False
        self.guarded = 0
        self.names = names = bound_names(node)
        self.globals = names.globals
        self.local = (names.bound | function.symbols.keys()) - names.globals - names.nonlocals
        self.locals: dict[str, Value] = {
            name: frozenset({made}) for name, made in function.symbols.items()
        }

    def run(self) -> None:
        """Fills the summary; a body with loops or inner functions is gone through twice."""
        node = self.node
        if isinstance(node, ast.Lambda):
            self.returned(self.ev(node.body))
            return
        body: list[ast.stmt] = node.body  # type: ignore[attr-defined]
        for last in (False, True) if self.names.repeats else (True,):
            self.skims = not last
            self.function.calls.clear()
            self.left = False
            self.statements(body)
        self.function.generator = self.names.yields

    # names

    def read_outer(self, name: str) -> Value:
        walker: BodyWalker | None = self
        while walker is not None:
            if name in walker.local:
                value = walker.locals.get(name, NOTHING)
                if walker is not self:
                    self.function.captured |= value
                return value
            walker = walker.parent
        if name == "__class__" and self.function.owner is not None:
            return frozenset({self.function.owner})
        self.late(name)
        return frozenset({self.program.global_symbol(name)})

    def late(self, name: str) -> None:
        known = self.function.late.get(name, True)
        self.function.late[name] = known and bool(self.guarded)

    def bind_outer(self, name: str, value: Value) -> None:
        if name in self.globals:
            must = self.depth == 0 and not self.left
            self.function.writes[name] = self.function.writes.get(name, False) or must
            self.function.written[name] = self.function.written.get(name, NOTHING) | value
            return
        walker: BodyWalker | None = self
        while walker is not None and name not in walker.local:
            walker = walker.parent
        if walker is None:
            return
        walker.locals[name] = walker.locals.get(name, NOTHING) | value
        if walker is not self:
            self.function.stateful = True

    def unbind(self, name: str) -> None:
        """Locals are taken without order, so that nothing ends."""

    def is_builtin(self, name: str) -> bool:
        walker: BodyWalker | None = self
        while walker is not None:
            if name in walker.local:
                return False
            walker = walker.parent
        if any(name in names for _, names in self.scopes) or not self.program.is_builtin(name):
            return False
        self.late(name)
        return True

    # effects

    def touch(self, value: Value, *, shallow: bool = False) -> None:
        """Whoever calls the function goes on the state of all it reads."""

    def change(self, value: Value) -> None:
        for obj in value:
            outside = obj.kind in ("symbol", "result", "module") or obj.owner is not self.function
            if outside:
                self.function.changes.add(obj)

    def hold(self, value: Value, key: Key, content: Value) -> None:
        for obj in value:
            for other in content:
                if obj.kind in ("symbol", "result", "module"):
                    self.function.flows[(obj, key, other)] = None
                elif obj is not other:
                    obj.held.setdefault((key, other), 0)

    def fresh(self, kind: str, name: str = "") -> Obj:
        return Obj(kind, name, self.function)

    def part(self, obj: Obj, key: Key) -> Obj:
        if obj.kind not in ("symbol", "result"):
            return super().part(obj, key)
        if key not in obj.parts:
            if _depth(obj) >= 3:
                return obj
            obj.parts[key] = symbol(("part", obj, key), obj.owner)
        return obj.parts[key]

    def returned(self, value: Value) -> None:
        self.function.returns |= value

    def do_Return(self, node: ast.Return) -> None:
        super().do_Return(node)
        self.left = True

    def make_function(self, node: ast.AST, name: str, owner: Obj | None) -> Obj:
        made = self.fresh("function", name)
        made.function = Function(node, name, owner)
        if self.skims:  # or else a nest of functions would be gone through 2 ** depth times
            return made
        BodyWalker(made.function, node, self.program, self, self.lazy_annotations).run()
        for inner, optional in made.function.late.items():
            self.function.late[inner] = self.function.late.get(inner, True) and optional
        for captured in made.function.captured:
            made.held[("captured", captured), captured] = 0
            if captured.owner is not self.function:
                self.function.captured.add(captured)
        return made

    # calls

    def call_known(self, callee: Obj, arguments: Arguments, thrown: bool) -> Value:
        return self._record(callee, NOTHING, "", arguments, thrown, False)

    def call_unknown_method(
        self, receiver: Value, method: str, arguments: Arguments, thrown: bool, inplace: bool
    ) -> Value:
        symbols = frozenset(obj for obj in receiver if obj.kind in ("symbol", "result"))
        others = receiver - symbols
        value = NOTHING
        if others or not symbols:
            value = self.default_method(others, method, arguments, thrown, inplace)
        if symbols:
            value |= self._record(None, symbols, method, arguments, thrown, inplace)
        return value

    def _record(
        self,
        callee: Obj | None,
        receiver: Value,
        method: str,
        arguments: Arguments,
        thrown: bool,
        inplace: bool,
    ) -> Value:
        result = self.fresh("result")
        call = Call(callee, receiver, method, arguments, thrown, inplace, result)
        result.info = call
        self.function.calls.append(call)
        return frozenset({result})

    def invoke(self, value: Value) -> None:
        for obj in value:
            if obj.kind == "symbol":
                self.function.invokes.add(obj)
            elif obj.kind == "function":
                self._record(obj, NOTHING, "", Arguments(), True, False)

    def super_value(self) -> Value:
        made = symbol(("super", self.function.owner), self.function)
        return frozenset({made}) if self.function.places else NOTHING

    def access_file(self, tokens: frozenset[str], *, writes: bool) -> None:
        self.function.files.append((tokens, writes))

    # statements

    def branches(self, paths: list[Step], *, may_skip: bool) -> None:
        self.depth += 1
        for path in paths:
            path()
        self.depth -= 1

    def do_Try(self, node: ast.Try) -> None:
        guard = int(catches_name_error(node))
        self.guarded += guard
        self.depth += 1
        self.statements(node.body)
        self.guarded -= guard
        for handler in node.handlers:
            self.do_ExceptHandler(handler)
        self.statements(node.orelse)
        self.depth -= 1
        self.statements(node.finalbody)

    def star_import(self, module: str) -> None:
        """Not allowed in a function."""

    def future(self, names: list[str]) -> None:
        """Not allowed in a function."""


def catches_name_error(node: ast.Try) -> bool:
    """Whether a name that is missing in the body of a ``try`` does no harm."""
    for handler in node.handlers:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(kind is None or getattr(kind, "id", "") in _NAME_ERRORS for kind in kinds):
            return True
    return False


@dataclass
class Names:
    """The names of one scope, without those of the scopes in it."""

    bound: set[str]
    globals: set[str]
    nonlocals: set[str]
    yields: bool = False
    repeats: bool = False


def bound_names(function: ast.AST) -> Names:
    """What a function's body binds, and what it declares otherwise."""
    names = Names(set(), set(), set())
    if isinstance(function, ast.Lambda):
        waiting: list[tuple[ast.AST, bool]] = [(function.body, False)]
    else:
        waiting = [(node, False) for node in function.body]  # type: ignore[attr-defined]
    while waiting:
        node, nested = waiting.pop()
        if isinstance(node, _NO_NAMES):
            continue
        _note(node, names, nested)
        if isinstance(node, _SCOPES):
            outside = [*getattr(node, "decorator_list", []), *getattr(node, "bases", [])]
            waiting += [(child, nested) for child in outside]
            continue
        inside = nested or isinstance(node, _COMPREHENSIONS)
        waiting += [(child, inside) for child in ast.iter_child_nodes(node)]
    return names


def _note(node: ast.AST, names: Names, nested: bool) -> None:
    if isinstance(node, _REPEATING):
        names.repeats = True
    if isinstance(node, ast.Global):
        names.globals.update(node.names)
    elif isinstance(node, ast.Nonlocal):
        names.nonlocals.update(node.names)
    elif isinstance(node, (ast.Yield, ast.YieldFrom)):
        names.yields = names.yields or not nested
    elif isinstance(node, ast.NamedExpr):
        names.bound.update({node.target.id} if isinstance(node.target, ast.Name) else ())
    elif isinstance(node, ast.Name):
        if not nested and not isinstance(node.ctx, ast.Load):
            names.bound.add(node.id)
    elif isinstance(node, (*Functions, ast.ClassDef)):
        names.bound.add(node.name)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        names.bound.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif not isinstance(node, ast.alias):
        for field in ("name", "rest"):  # except … as, patterns, and what a later Python adds
            text = getattr(node, field, None)
            if isinstance(text, str):
                names.bound.add(text)


def _depth(obj: Obj) -> int:
    depth = 0
    while obj.kind == "symbol" and obj.info[0] == "part":
        obj, depth = obj.info[1], depth + 1
    return depth


__all__ = ["BodyWalker", "Call", "Function", "catches_name_error", "symbol"]
