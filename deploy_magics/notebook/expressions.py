"""One way through expressions: what is read, made and handed on."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy_magics.notebook import knowledge
from deploy_magics.notebook.objects import NOTHING, Key, Obj, Value, union
from deploy_magics.notebook.walker import Walker


class ExpressionWalker(Walker):
    """``use`` goes on the state of what comes out, ``ev`` hands it on without looking at it."""

    # expressions

    def use(self, node: ast.AST | None) -> Value:
        """Evaluates, and depends on the state of what comes out."""
        if node is None:
            return NOTHING
        value = self.ev(node)
        if value:
            self.touch(value)
        return value

    def ev(self, node: ast.AST) -> Value:
        """Evaluates: the objects that come out may be handed on without being looked at."""
        method: Callable[[ast.AST], Value] | None = getattr(self, f"ev_{type(node).__name__}", None)
        if method is not None:
            return method(node)
        return self.ev_other(node)

    def ev_other(self, node: ast.AST) -> Value:
        """Any expression, those of a later Python too: its parts are used, a new object comes."""
        values = [self.use(child) for child in ast.iter_child_nodes(node)]
        return frozenset({self.fresh("opaque")}) if union(values) else NOTHING

    def ev_Constant(self, node: ast.Constant) -> Value:
        return NOTHING

    def ev_Name(self, node: ast.Name) -> Value:
        if isinstance(node.ctx, ast.Load):
            return self.read(node.id)
        self.bind(node.id, NOTHING)
        return NOTHING

    def ev_Compare(self, node: ast.Compare) -> Value:
        values = [self.use(child) for child in (node.left, *node.comparators)]
        self.consume(union(values) if any(isinstance(op, ast.In) for op in node.ops) else NOTHING)
        return frozenset({self.fresh("opaque")}) if _is_array(union(values)) else NOTHING

    def ev_JoinedStr(self, node: ast.JoinedStr) -> Value:
        for child in node.values:
            self.ev(child)
        return NOTHING

    def ev_FormattedValue(self, node: ast.FormattedValue) -> Value:
        self.use(node.value)
        self.use(node.format_spec)
        return NOTHING

    def ev_UnaryOp(self, node: ast.UnaryOp) -> Value:
        value = self.use(node.operand)
        return frozenset({self.fresh("opaque")}) if value else NOTHING

    def ev_BoolOp(self, node: ast.BoolOp) -> Value:
        return union([self.use(child) for child in node.values])

    def ev_IfExp(self, node: ast.IfExp) -> Value:
        self.use(node.test)
        return self.ev(node.body) | self.ev(node.orelse)

    def ev_NamedExpr(self, node: ast.NamedExpr) -> Value:
        value = self.ev(node.value)
        if isinstance(node.target, ast.Name):
            self.bind_walrus(node.target.id, value)
        return value

    def bind_walrus(self, name: str, value: Value) -> None:
        """Past comprehensions, to the scope around them."""
        inner = []
        while self.scopes and self.scopes[-1][0] == "comprehension":
            inner.append(self.scopes.pop())
        self.bind(name, value)
        self.scopes += reversed(inner)

    def ev_Starred(self, node: ast.Starred) -> Value:
        return self.contents(self.use(node.value))

    def ev_Await(self, node: ast.Await) -> Value:
        return self.use(node.value)

    def ev_Yield(self, node: ast.Yield) -> Value:
        self.returned(self.use(node.value) if node.value else NOTHING)
        return frozenset({self.fresh("opaque")})

    def ev_YieldFrom(self, node: ast.YieldFrom) -> Value:
        self.returned(self.contents(self.use(node.value)))
        return NOTHING

    def returned(self, value: Value) -> None:
        """What a function's body hands out; nothing to a notebook's statements."""

    def ev_List(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        made = frozenset({self.fresh("plain")})
        for place, child in enumerate(node.elts):
            value = self.ev(child)
            if value:
                self.hold(made, None if isinstance(child, ast.Starred) else place, value)
        immutable = isinstance(node, ast.Tuple) and not any(obj.held for obj in made)
        return NOTHING if immutable else made

    ev_Tuple = ev_List
    ev_Set = ev_List

    def ev_Dict(self, node: ast.Dict) -> Value:
        made = frozenset({self.fresh("plain")})
        for key, child in zip(node.keys, node.values, strict=True):
            if key is None:
                self.hold(made, None, self.contents(self.use(child)))
            else:
                self.use(key)
                self.hold(made, literal(key), self.ev(child))
        return made

    def ev_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Value:
        return self.comprehension(node.generators, [node.elt], "plain")

    ev_SetComp = ev_ListComp

    def ev_GeneratorExp(self, node: ast.GeneratorExp) -> Value:
        return self.comprehension(node.generators, [node.elt], "iterator")

    def ev_DictComp(self, node: ast.DictComp) -> Value:
        return self.comprehension(node.generators, [node.key, node.value], "plain")

    def comprehension(
        self, generators: list[ast.comprehension], results: list[ast.expr], kind: str
    ) -> Value:
        made = frozenset({self.fresh(kind)})
        source = self.iterate(generators[0].iter)
        if kind == "iterator":
            self.hold(made, None, self.ev(generators[0].iter))
        self.scopes.append(("comprehension", {}))
        for place, generator in enumerate(generators):
            items = source if place == 0 else self.iterate(generator.iter)
            self.comprehension_target(generator.target, items)
            for test in generator.ifs:
                self.use(test)
        for result in results:
            value = self.use(result)
            if value:
                self.hold(made, None, value)
        self.scopes.pop()
        return made

    def comprehension_target(self, target: ast.expr, items: Value) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                whole = node is target
                self.scopes[-1][1][node.id] = items if whole else self.contents(items)

    def iterate(self, node: ast.expr) -> Value:
        """What a loop over ``node`` gives; an iterator is used up by it."""
        value = self.use(node)
        self.consume(value)
        return self.contents(value)

    def consume(self, value: Value) -> None:
        used_up = frozenset(obj for obj in value if obj.kind == "iterator")
        if used_up:
            behind = {o for obj in used_up for _, o in obj.held if o.kind == "iterator"}
            self.change(used_up | behind)

    def is_bound(self, name: str) -> bool:
        return True

    @contextmanager
    def type_parameters(self, node: ast.AST) -> Iterator[None]:
        """``def first[T](…)``: names of a scope around the definition; their bounds are read when
        somebody asks for them."""
        parameters = getattr(node, "type_params", None)
        if not parameters:
            yield
            return
        self.scopes.append(("comprehension", {each.name: NOTHING for each in parameters}))
        try:
            for part in itertools.chain.from_iterable(map(ast.walk, parameters)):
                if isinstance(part, ast.Name) and self.is_bound(part.id):
                    self.use(part)
            yield
        finally:
            self.scopes.pop()

    def ev_Lambda(self, node: ast.Lambda) -> Value:
        made = self.make_function(node, "<lambda>", None)
        self.defaults(made, node.args)
        return frozenset({made})

    def ev_Attribute(self, node: ast.Attribute) -> Value:
        value = self.ev(node.value)
        self.touch(value, shallow=True)
        self.accessor(node.attr)
        return self.bound_methods(value, node.attr) or self.element(value, node.attr)

    def bound_methods(self, value: Value, name: str) -> Value:
        """``book.put`` without a call, where a later call of it would change ``book``."""
        owners = []
        for obj in value:
            if obj.kind == "instance" and obj.info is not None:
                found = self.class_attribute(obj.info, name)
                plain = [m for m in found if m.kind == "function" and m.info != "property"]
                owners += [obj] if plain else []
            elif obj.kind not in ("module", "class", "function"):
                owners += [obj] if knowledge.changes_receiver(name, False) else []
        if not owners:
            return NOTHING
        made = self.fresh("method", name)
        made.info = name
        self.hold(frozenset({made}), "__self__", frozenset(owners))
        return frozenset({made})

    def accessor(self, name: str) -> None:
        """A word on pandas objects may be there by an import whose name nobody reads."""
        module = knowledge.ACCESSORS.get(name)
        if module and module in self.modules:
            self.touch(frozenset({self.modules[module]}))

    def ev_Subscript(self, node: ast.Subscript) -> Value:
        name = self.namespace_key(node)
        if name is not None:
            return self.read(name)
        value = self.use(node.value)
        self.use(node.slice)
        if isinstance(node.slice, ast.Slice):
            return self.sliced(value)
        return self.element(value, literal(node.slice))

    def sliced(self, value: Value) -> Value:
        """A view of arrays, a copy of lists that are known, something inside what is not."""
        views = frozenset(obj for obj in value if obj.name.startswith("numpy."))
        plain = frozenset(obj for obj in value if obj.kind == "plain")
        rest = value - views - plain
        copy = frozenset({self.copy_of(plain)}) if plain else NOTHING
        return views | copy | self.element(rest, ":")

    def copy_of(self, value: Value) -> Obj:
        made = self.fresh("plain")
        for obj in value:
            for key, content in list(obj.held):
                self.hold(frozenset({made}), key, frozenset({content}))
            if obj.kind not in ("plain", "module", "function", "class"):
                made.kind = "opaque"
                self.hold(frozenset({made}), None, frozenset({self.part(obj, None)}))
        return made

    def wrapped(self, value: Value) -> Value:
        """What is changed through what only stands in front of it."""
        return frozenset(
            content for obj in value if obj.name in knowledge.WRAPPERS for _, content in obj.held
        )

    def state_behind(self, node: ast.AST) -> Value:
        """The module whose state ``decimal.getcontext()`` hands out."""
        if not isinstance(node, ast.Call):
            return NOTHING
        func = node.func
        name = getattr(func, "attr", getattr(func, "id", ""))
        if not name.startswith("get") or not isinstance(func, (ast.Name, ast.Attribute)):
            return NOTHING
        if isinstance(func, ast.Name) and self.is_builtin(name):
            return NOTHING
        names = [obj.name for obj in self.ev(func) if obj.kind == "module"]
        return frozenset(self.module(name.rpartition(".")[0] or name) for name in names)

    def namespace_key(self, node: ast.Subscript) -> str | None:
        """``x`` of ``globals()["x"]``, of ``locals()`` and ``vars()`` outside functions."""
        key = literal(node.slice)
        return key if is_namespace(node.value) and isinstance(key, str) else None

    def defaults(self, made: Obj, arguments: ast.arguments) -> None:
        """Default values are read when the function is made; it holds them."""
        plain = [*arguments.posonlyargs, *arguments.args]
        named = plain[len(plain) - len(arguments.defaults) :] if arguments.defaults else []
        pairs = list(zip(named, arguments.defaults, strict=True))
        pairs += [
            (name, value)
            for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if value is not None
        ]
        for name, default in pairs:
            value = self.ev(default)
            if value:
                self.hold(frozenset({made}), ("default", name.arg), value)


def literal(node: ast.AST) -> Key:
    """The value of a literal, None for anything else (and for an unhashable one)."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = literal(node.operand)
        return -inner if isinstance(inner, (int, float)) else None
    return None


def is_namespace(node: ast.AST) -> bool:
    """``globals()`` and the like."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    return node.func.id in ("globals", "locals", "vars") and not node.args


def _is_array(value: Value) -> bool:
    return any(obj.kind in ("opaque", "symbol", "result") for obj in value)
