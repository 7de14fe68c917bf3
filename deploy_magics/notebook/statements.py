"""One way through statements, shared by notebooks and by the bodies of their functions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable

from deploy_magics.notebook.calling import CallWalker, Functions
from deploy_magics.notebook.expressions import literal
from deploy_magics.notebook.knowledge import ACCESSORS
from deploy_magics.notebook.objects import NOTHING, Arguments, Obj, Value, union

Step = Callable[[], None]
_METHOD_KINDS = frozenset({"staticmethod", "classmethod", "property"})
_ACCESSOR_MODULES = frozenset(ACCESSORS.values())


class StatementWalker(CallWalker):
    """Adds statements to expressions. ``branches`` is where notebooks and functions differ."""

    def branches(self, paths: list[Step], *, may_skip: bool) -> None:
        """Takes one of several ways, or none of them."""
        raise NotImplementedError

    def star_import(self, module: str) -> None:
        raise NotImplementedError

    def statements(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            self.statement(node)

    def statement(self, node: ast.AST) -> None:
        method: Callable[[ast.AST], None] | None = getattr(self, f"do_{type(node).__name__}", None)
        if method is not None:
            method(node)
        else:
            self.do_other(node)

    def do_other(self, node: ast.AST) -> None:
        """A statement of a later Python: its parts in order, names stored in it are bound."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.stmt, ast.ExceptHandler)):
                self.statement(child)
            else:
                self.use(child)

    # simple statements

    def do_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.touch(self.call(node.value, thrown=True))
        elif isinstance(node.value, ast.Await) and isinstance(node.value.value, ast.Call):
            self.touch(self.call(node.value.value, thrown=True))
        else:
            self.use(node.value)

    def do_Pass(self, node: ast.AST) -> None:
        """Nothing."""

    do_Break = do_Continue = do_Nonlocal = do_Global = do_Pass

    def do_Assign(self, node: ast.Assign) -> None:
        value = self.ev(node.value)
        for target in node.targets:
            self.assign(target, value)

    def do_AnnAssign(self, node: ast.AnnAssign) -> None:
        value = self.ev(node.value) if node.value is not None else None
        self.annotation(node.annotation)
        if value is not None:
            self.assign(node.target, value)

    def annotation(self, node: ast.expr | None) -> None:
        """Read when defined, unless ``from __future__ import annotations`` holds."""
        if node is not None and not self.lazy_annotations:
            self.use(node)

    def do_AugAssign(self, node: ast.AugAssign) -> None:
        extra = self.use(node.value)
        if not isinstance(node.target, ast.Name):
            base = (
                node.target.value
                if isinstance(node.target, (ast.Attribute, ast.Subscript))
                else None
            )
            self.touch(self.ev(base) if base is not None else NOTHING)
            self.assign(node.target, extra)
            return
        value = self.read(node.target.id)
        self.touch(value)
        changed = frozenset(obj for obj in value if obj.name != "part")
        if changed:
            self.change(changed)
            self.hold(changed, None, self.contents(extra))
        result = value if changed else frozenset({self.fresh("opaque")} if extra else ())
        self.bind(node.target.id, result)

    def assign(self, target: ast.AST, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self.unpack(target.elts, value)
        elif isinstance(target, ast.Starred):
            made = frozenset({self.fresh("plain")})
            self.hold(made, None, value)
            self.assign(target.value, made)
        elif isinstance(target, ast.Attribute):
            base = self.ev(target.value)
            self.change(self.stored_in(base) | self.state_behind(target.value))
            self.hold(base, target.attr, value)
            self.rebind_in_module(base, target.attr)
        elif isinstance(target, ast.Subscript):
            name = self.namespace_key(target)
            if name is not None:
                self.bind_outer(name, value)
                return
            base = self.ev(target.value)
            self.use(target.slice)
            self.change(base | self.wrapped(base))
            self.hold(base, literal(target.slice), value)
        else:
            self.use(target)

    def stored_in(self, base: Value) -> Value:
        """An attribute set deep in a module is a setting of the module."""
        roots = set()
        for obj in base:
            name = obj.name if obj.kind == "module" else ""
            while name and name not in self.imported:
                name = name.rpartition(".")[0]
            if name:
                roots.add(self.module(name))
        return base | roots

    def rebind_in_module(self, base: Value, attribute: str) -> None:
        """``module.name = value``: whoever reads that name of the module reads this."""
        places = {self.module(f"{obj.name}.{attribute}") for obj in base if obj.kind == "module"}
        if places:
            self.change(frozenset(places))

    def unpack(self, targets: list[ast.expr], value: Value) -> None:
        self.consume(value)
        if value:
            self.touch(value)
        for place, target in enumerate(targets):
            starred = any(isinstance(other, ast.Starred) for other in targets)
            self.assign(target, self.element(value, None if starred else place))

    def do_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.unbind(target.id)
            elif isinstance(target, (ast.Subscript, ast.Attribute)):
                base = self.ev(target.value)
                if isinstance(target, ast.Subscript):
                    self.use(target.slice)
                self.change(base)
            else:
                for inner in getattr(target, "elts", []):
                    self.do_Delete(ast.Delete(targets=[inner]))

    def do_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = self.import_module(alias.name)
            top, _, rest = alias.name.partition(".")
            if alias.asname:
                self.bind(alias.asname, frozenset({module}))
            else:
                root = self.module(top)
                if rest:
                    self.change(frozenset({self.module(f"{top}.{rest.partition('.')[0]}")}))
                self.bind(top, frozenset({root}))

    def do_ImportFrom(self, node: ast.ImportFrom) -> None:
        name = "." * node.level + (node.module or "")
        if name == "__future__":
            self.future([alias.name for alias in node.names])
            return
        self.import_module(name)
        for alias in node.names:
            if alias.name == "*":
                self.star_import(name)
            else:
                target = self.module(f"{name}.{alias.name}")
                self.bind(alias.asname or alias.name, frozenset({target}))

    def future(self, names: list[str]) -> None:
        if "annotations" in names:
            self.lazy_annotations = True

    def import_module(self, name: str) -> Obj:
        """The module's object; what is not of the standard library is looked for on sys.path."""
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names:
            if "sys.path" in self.modules:
                self.touch(frozenset({self.modules["sys.path"]}))
            self.access_file(frozenset({f"{top}.py", top}), writes=False)
        self.imported.add(name)
        module = self.module(name)
        if top in _ACCESSOR_MODULES:
            self.change(frozenset({self.module(top)}))
        return module

    # definitions

    def do_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = [(self.ev(item), item) for item in node.decorator_list]
        owner = self.scopes[-1][1].get("__class_object__") if self.scopes else None
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
        with self.type_parameters(node):
            made = self.make_function(node, node.name, next(iter(owner), None) if owner else None)
            for argument in every:
                self.annotation(argument.annotation)
            self.annotation(node.returns)
        self.defaults(made, node.args)
        kinds = [item.id for _, item in decorators if isinstance(item, ast.Name)]
        made.info = next((kind for kind in kinds if kind in _METHOD_KINDS), None)
        self.bind(node.name, self.decorated(frozenset({made}), decorators))

    do_AsyncFunctionDef = do_FunctionDef

    def decorated(self, value: Value, decorators: list[tuple[Value, ast.expr]]) -> Value:
        """A decorator of the notebook is a call; any other is taken to hand back what it got."""
        for decorator, node in reversed(decorators):
            known = [
                obj for obj in decorator if obj.kind in ("function", "class", "symbol", "result")
            ]
            for obj in known:
                value = self.call_value(frozenset({obj}), Arguments([value]), False) or value
            if not known:
                self.touch(decorator)
                value |= self.registered(node, value)
        return value

    def registered(self, node: ast.expr, value: Value) -> Value:
        """``@app.route("/")``: what is no module may keep what it decorates; ``@x.setter`` adds."""
        place = node.func if isinstance(node, ast.Call) else node
        if not isinstance(place, ast.Attribute):
            return NOTHING
        kinds = ("opaque", "instance", "symbol", "function", "plain")
        base = frozenset(obj for obj in self.ev(place.value) if obj.kind in kinds)
        if place.attr in ("setter", "getter", "deleter"):
            return base
        if base:
            self.change(base)
            self.hold(base, None, value)
        return NOTHING

    def do_ClassDef(self, node: ast.ClassDef) -> None:
        decorators = [(self.ev(item), item) for item in node.decorator_list]
        made = self.fresh("class", node.name)
        cls = frozenset({made})
        names: dict[str, Value] = {"__class_object__": cls}
        with self.type_parameters(node):
            bases = [self.ev(base) for base in node.bases]
            self.hold(cls, "__bases__", union(bases))
            for keyword in node.keywords:
                self.hold(cls, "__metaclass__", self.use(keyword.value))
            self.scopes.append(("class", names))
            self.statements(node.body)
            self.scopes.pop()
        del names["__class_object__"]
        made.info = node.name
        for name, value in names.items():
            if value:
                self.hold(cls, name, value)
        for base in union(bases):
            if base.kind == "class":
                for hook in self.class_attribute(base, "__init_subclass__"):
                    self.call_value(frozenset({hook}), Arguments([cls]), True)
        self.bind(node.name, self.decorated(cls, decorators))

    def do_TypeAlias(self, node: ast.AST) -> None:
        self.bind(node.name.id, NOTHING)  # type: ignore[attr-defined]
        with self.type_parameters(node):
            for part in ast.walk(node.value):  # type: ignore[attr-defined]
                if isinstance(part, ast.Name) and self.is_bound(part.id):
                    self.use(part)

    # compound statements

    def do_If(self, node: ast.If) -> None:
        self.use(node.test)
        self.branches(
            [lambda: self.statements(node.body), lambda: self.statements(node.orelse)],
            may_skip=False,
        )

    def do_For(self, node: ast.For | ast.AsyncFor) -> None:
        items = self.iterate(node.iter)

        def once() -> None:
            self.assign(node.target, items)
            self.statements(node.body)

        self.branches([once], may_skip=True)
        self.statements(node.orelse)

    do_AsyncFor = do_For

    def do_While(self, node: ast.While) -> None:
        self.use(node.test)
        forever = bool(literal(node.test))
        self.branches([lambda: self.statements(node.body)], may_skip=not forever)
        self.statements(node.orelse)

    def do_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.use(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        self.statements(node.body)

    do_AsyncWith = do_With

    def do_Try(self, node: ast.Try) -> None:
        def handled(handler: ast.ExceptHandler) -> Step:
            def step() -> None:
                self.branches([lambda: self.statements(node.body)], may_skip=True)
                self.do_ExceptHandler(handler)

            return step

        def plain() -> None:
            self.statements(node.body)
            self.statements(node.orelse)

        alive = [handler for handler in node.handlers if not _leaves(handler.body)]
        self.branches([plain, *(handled(handler) for handler in alive)], may_skip=False)
        for handler in node.handlers:
            if handler not in alive:
                self.branches([lambda h=handler: self.do_ExceptHandler(h)], may_skip=True)  # type: ignore[misc]
        self.statements(node.finalbody)

    do_TryStar = do_Try

    def do_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.use(node.type)
        if node.name:
            self.bind(node.name, frozenset({self.fresh("opaque")}))
        self.statements(node.body)
        if node.name:
            self.unbind(node.name)

    def do_Match(self, node: ast.Match) -> None:
        subject = self.use(node.subject)

        def case(item: ast.match_case) -> Step:
            def step() -> None:
                self.pattern(item.pattern, subject)
                self.use(item.guard)
                self.statements(item.body)

            return step

        last = node.cases[-1]
        open_end = not (
            last.guard is None
            and isinstance(last.pattern, ast.MatchAs)
            and last.pattern.pattern is None
        )
        self.branches([case(item) for item in node.cases], may_skip=open_end)

    def pattern(self, node: ast.AST, subject: Value) -> None:
        inside = subject | self.contents(subject)
        for part in ast.walk(node):
            name = getattr(part, "name", None) or getattr(part, "rest", None)
            if isinstance(part, ast.Name):
                self.use(part)
            elif isinstance(name, str):
                self.bind(name, inside)

    def do_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.returned(self.ev(node.value))

    def do_Raise(self, node: ast.Raise) -> None:
        self.use(node.exc)
        self.use(node.cause)


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a block never reaches what follows it."""
    return bool(body) and isinstance(body[-1], (ast.Raise, ast.Return, ast.Continue, ast.Break))


__all__ = ["Functions", "StatementWalker", "Step"]
