"""One way through calls: what is changed, kept and handed out by what is called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from deploy_magics.notebook import knowledge
from deploy_magics.notebook.expressions import ExpressionWalker, is_namespace, literal
from deploy_magics.notebook.objects import NOTHING, Arguments, Obj, Value, union
from deploy_magics.notebook.paths import file_tokens, path_parts

Functions = (ast.FunctionDef, ast.AsyncFunctionDef)
_FIELD_NAME = re.compile(r"\{([A-Za-z_]\w*)")
_QUERY_NAME = re.compile(r"@([A-Za-z_]\w*)")
_FROM_INSIDE = frozenset({"get", "pop", "popitem", "popleft", "setdefault", "values", "items"})
_TYPES = frozenset({"list", "dict", "set", "bytearray", "object"})


class CallWalker(ExpressionWalker):
    """Adds calls to expressions."""

    # calls

    def ev_Call(self, node: ast.Call) -> Value:
        return self.call(node, thrown=False)

    def call(self, node: ast.Call, *, thrown: bool) -> Value:
        func = node.func
        if isinstance(func, ast.Name) and self.is_builtin(func.id):
            return self.call_builtin(func.id, node, thrown)
        if isinstance(func, ast.Attribute):
            receiver = self.ev(func.value)
            self.touch(receiver, shallow=True)
            if thrown:
                self.change(self.state_behind(func.value))
            self.accessor(func.attr)
            arguments = self.arguments(node)
            self.query_names(func.attr, node)
            self.format_names(func, node)
            self.files(func.attr, node)
            return self.call_method(receiver, func.attr, node, arguments, thrown)
        callee = self.ev(func)
        arguments = self.arguments(node)
        if isinstance(func, ast.Name):
            self.files(func.id, node)
        return self.call_value(callee, arguments, thrown)

    def arguments(self, node: ast.Call) -> Arguments:
        result = Arguments()
        for child in node.args:
            value = self.ev(child)
            if isinstance(child, ast.Starred) or result.rest:
                result.rest |= value
            else:
                result.places.append(value)
        for keyword in node.keywords:
            value = self.ev(keyword.value)
            if keyword.arg is None:
                self.touch(value)
                result.rest |= self.contents(value)
            else:
                result.keywords[keyword.arg] = value
        return result

    def call_value(self, callee: Value, arguments: Arguments, thrown: bool) -> Value:
        """A call of what a name or an expression gives."""
        self.touch(callee)
        if not callee:
            return self.call_unknown(NOTHING, arguments, thrown)
        results = []
        for obj in callee:
            if obj.kind == "module":
                results.append(self.call_module(obj.name, arguments, thrown))
            elif obj.kind == "method":
                results.append(self.call_bound(obj, arguments, thrown))
            elif obj.kind in ("function", "class", "symbol", "result"):
                results.append(self.call_known(obj, arguments, thrown))
            elif obj.kind == "instance" and self.element(frozenset({obj}), "__call__"):
                results.append(self.method_of(obj, "__call__", arguments, thrown))
            else:
                results.append(self.call_unknown(frozenset({obj}), arguments, thrown))
        return union(results)

    def call_bound(self, method: Obj, arguments: Arguments, thrown: bool) -> Value:
        """``put`` of ``put = book.put``."""
        results = []
        for owner in method.under("__self__"):
            if owner.kind == "instance":
                results.append(self.method_of(owner, method.info, arguments, thrown))
            else:
                receiver = frozenset({owner})
                results.append(
                    self.call_unknown_method(receiver, method.info, arguments, thrown, False)
                )
        return union(results)

    def call_unknown(self, callee: Value, arguments: Arguments, thrown: bool) -> Value:
        self.touch(arguments.all)
        self.consume(arguments.all)
        self.invoke(arguments.all | callee)
        if thrown and callee:
            self.change(callee)
        return self.unknown_result("", arguments)

    def unknown_result(self, name: str, arguments: Arguments) -> Value:
        """It may keep the functions that it was given, for later."""
        made = frozenset({self.fresh("opaque", name)})
        kept = frozenset(obj for obj in arguments.all if obj.kind in ("function", "method"))
        self.hold(made, None, kept)
        return made

    def method_of(self, obj: Obj, name: str, arguments: Arguments, thrown: bool) -> Value:
        """A method of an instance whose class is known."""
        methods = [m for m in self.class_attribute(obj.info, name) if m.kind == "function"]
        own = frozenset(held for held in obj.under(name) if held.kind in ("function", "method"))
        receiver = frozenset({obj})
        if not methods and not own:
            return self.call_unknown_method(receiver, name, arguments, thrown, False)
        full = arguments.with_first(receiver)
        results = [
            self.call_known(m, arguments if m.info == "staticmethod" else full, thrown)
            for m in methods
        ]
        if own:  # `book.put = log`: it may stand before the class's, without the receiver
            results.append(self.call_value(own, arguments, thrown))
        return union(results)

    def call_method(
        self, receiver: Value, name: str, node: ast.Call, arguments: Arguments, thrown: bool
    ) -> Value:
        results: list[Value] = []
        unknown: set[Obj] = set()
        for obj in receiver:
            if obj.kind == "module":
                results.append(self.call_module(f"{obj.name}.{name}", arguments, thrown))
            elif obj.kind == "instance" and obj.info is not None:
                results.append(self.method_of(obj, name, arguments, thrown))
            elif obj.kind == "class":
                for method in self.class_attribute(obj, name):
                    own = method.kind == "function" and method.info == "classmethod"
                    full = arguments.with_first(frozenset({obj})) if own else arguments
                    results.append(self.call_value(frozenset({method}), full, thrown))
            else:
                unknown.add(obj)
        if unknown or not receiver:
            if not receiver and isinstance(node.func, ast.Attribute):
                self.unbound_method(node.func, arguments)
            inplace = any(
                k.arg == "inplace" and literal(k.value) is not False for k in node.keywords
            )
            rest = frozenset(unknown)
            results.append(self.call_unknown_method(rest, name, arguments, thrown, inplace))
        return union(results)

    def unbound_method(self, func: ast.Attribute, arguments: Arguments) -> None:
        """``list.append(xs, 1)``."""
        is_type = isinstance(func.value, ast.Name) and func.value.id in _TYPES
        if is_type and arguments.places and knowledge.changes_receiver(func.attr, False):
            self.change(arguments.places[0])

    def default_method(
        self, receiver: Value, name: str, arguments: Arguments, thrown: bool, inplace: bool
    ) -> Value:
        """A method that nobody looks into, by its name and by whether its result is kept."""
        kept = thrown and knowledge.keeps_arguments(name)
        later = ("function",) if kept else ()
        self.touch(receiver | frozenset(a for a in arguments.all if a.kind not in later))
        keywords = frozenset({"inplace"} if inplace else ())
        changes = knowledge.changes_receiver(name, thrown, keywords)
        changed = frozenset(obj for obj in receiver if changes or obj.kind == "random")
        if arguments.keywords.get("out"):
            self.change(arguments.keywords["out"])
        if changed:
            self.change(changed | self.wrapped(changed))
            if name not in knowledge.KEEPS_NOTHING:
                self.hold(changed, None, arguments.all)
        if name == "shuffle" and arguments.places:
            self.change(arguments.places[0])
        if not kept:
            self.invoke(arguments.all)
        if name not in ("append", "extend", "add", "update", "insert"):
            self.invoke(receiver)
        self.consume(arguments.all)
        inside = self.contents(receiver) if name in _FROM_INSIDE else NOTHING
        if name in ("items", "popitem", "values"):
            pair = frozenset({self.fresh("plain")})
            self.hold(pair, None, inside)
            outer = frozenset({self.fresh("plain")})
            self.hold(outer, None, pair if name == "items" else inside)
            return outer
        if name in _FROM_INSIDE:
            return inside | union(arguments.places[1:])
        if name == "copy":
            return frozenset({self.copy_of(receiver)}) if receiver else NOTHING
        if not receiver and not arguments.all:
            return NOTHING
        return self.unknown_result("", arguments)

    def call_module(self, name: str, arguments: Arguments, thrown: bool) -> Value:
        """A function of a module, by its qualified name."""
        module = self.module(name.rpartition(".")[0] or name)
        self.touch(frozenset({module}), shallow=True)
        if name in ("os.getenv", "os.putenv", "os.unsetenv"):
            self.touch(frozenset({self.module("os.environ")}))
        if name in ("importlib.import_module", "importlib.reload"):
            self.touch(frozenset({self.module("sys.path")}))
        base = name.partition(".")[0]
        if base == "logging" and name.rpartition(".")[2] != "getLogger" and not thrown:
            self.touch(arguments.all)
            return frozenset({self.fresh("opaque", name)})
        if knowledge.changes_module(name, thrown):
            changed = {module}
            if name in ("os.putenv", "os.unsetenv", "dotenv.load_dotenv"):
                changed.add(self.module("os.environ"))
            self.change(frozenset(changed))
        elif module.name not in self.imported and knowledge.changes_receiver(
            name.rpartition(".")[2], False
        ):
            self.change(frozenset({module}))  # no module but an object in one: sys.path.insert
        return self.call_named(name, arguments)

    def call_named(self, name: str, arguments: Arguments) -> Value:
        """A function by its qualified name, builtin or of a module, whose effect may be known."""
        place = knowledge.CHANGES_ARGUMENT.get(name)
        if place is not None and place < len(arguments.places):
            self.change(arguments.places[place])
            rest = union(arguments.places[place + 1 :])
            self.hold(arguments.places[place], None, rest)
        if name in knowledge.ALIASES and arguments.places:
            return arguments.places[-1 if name == "typing.cast" else 0]
        if name in knowledge.LAZY:
            made = self.fresh("iterator" if name in knowledge.ITERATORS else "opaque", name)
            self.hold(frozenset({made}), None, arguments.all)
            if made.kind == "iterator":
                self.consume(arguments.all)
            return frozenset({made})
        if arguments.keywords.get("out"):
            self.change(arguments.keywords["out"])
        if name.rpartition(".")[2][:1].isupper() and name not in knowledge.COPIES:
            return self.construct(name, arguments)
        self.touch(arguments.all)
        self.consume(arguments.all)
        self.invoke(arguments.all)
        if name in knowledge.COPIES:
            made = self.copy_of(arguments.all)
            if name not in knowledge.PLAIN_COPIES:
                made.kind = "opaque"
            return frozenset({made})
        if name in knowledge.RANDOM_SOURCES:
            return frozenset({self.fresh("random", name)})
        if name in ("next", "random.choice", "max", "min"):
            return self.contents(arguments.all)
        if name in knowledge.PLAIN_RESULT:
            return NOTHING
        if name == "open":
            return frozenset({self.fresh("iterator", name)})
        return self.unknown_result(name, arguments)

    def construct(self, name: str, arguments: Arguments) -> Value:
        """A class keeps what it is given; functions are called later."""
        kind = "iterator" if name.startswith("io.") else "opaque"
        made = self.fresh("random" if name in knowledge.RANDOM_SOURCES else kind, name)
        functions = frozenset(a for a in arguments.all if a.kind in ("function", "method"))
        self.touch(arguments.all - functions)
        self.hold(frozenset({made}), None, arguments.all)
        return frozenset({made})

    def call_builtin(self, name: str, node: ast.Call, thrown: bool) -> Value:
        if name in ("eval", "exec") and node.args:
            value = self.run_text(name, node)
            if value is not None:
                return value
            if name == "exec":
                self.unknown_code()
        if name == "globals" or (name in ("locals", "vars") and not node.args):
            self.namespace(node)
            return NOTHING
        if name == "super" and not node.args:
            return self.super_value()
        arguments = self.arguments(node)
        if name == "vars":
            return arguments.all
        if name in ("setattr", "delattr", "getattr") and len(node.args) > 1:
            self.touch(arguments.places[0])
            key = literal(node.args[1])
            if name == "getattr":
                return self.element(arguments.places[0], key) | union(arguments.places[2:])
            self.hold(arguments.places[0], key, union(arguments.places[2:]))
        if name == "__import__":
            self.touch(frozenset({self.module("sys.path")}))
        if name == "open":
            self.files(name, node)
        return self.call_named(name, arguments)

    def super_value(self) -> Value:
        return NOTHING

    def run_text(self, name: str, node: ast.Call) -> Value | None:
        """Literal code is gone through in place; None where it is not literal."""
        text = literal(node.args[0])
        if not isinstance(text, str) or len(node.args) > 1 or node.keywords:
            return None
        try:
            if name == "eval":
                return self.ev(ast.parse(text.strip(), mode="eval").body)
            body = ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        self.statements(body)
        return NOTHING

    def unknown_code(self) -> None:
        """``exec`` of a text that is not there to be read."""

    def statements(self, body: Iterable[ast.stmt]) -> None:
        raise NotImplementedError

    def namespace(self, node: ast.Call) -> None:
        """``globals()`` taken as a whole: whatever it may be used for is not known."""

    def query_names(self, method: str, node: ast.Call) -> None:
        """Names that pandas reads out of a string: ``df.query("x > @limit")``."""
        if method not in ("query", "eval"):
            return
        for child in node.args:
            for part in ast.walk(child):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    for name in _QUERY_NAME.findall(part.value):
                        self.touch(self.read(name))

    def format_names(self, func: ast.Attribute, node: ast.Call) -> None:
        """Names that ``"{x}".format(**globals())`` reads."""
        text = literal(func.value)
        if not isinstance(text, str) or func.attr not in ("format", "format_map"):
            return
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if any(is_namespace(child) for child in given):
            for name in _FIELD_NAME.findall(text):
                self.touch(self.read(name))

    def files(self, name: str, node: ast.Call) -> None:
        """Tells of files read or written, by the words that stand where the path does."""
        writes, reads = name in knowledge.WRITES_FILE, name in knowledge.READS_FILE
        if name == "open":
            mode = [literal(arg) for arg in node.args[1:2]]
            mode += [literal(k.value) for k in node.keywords if k.arg == "mode"]
            owner = isinstance(node.func, ast.Attribute)
            mode += [literal(arg) for arg in node.args[:1]] if owner else []
            writes = any(isinstance(m, str) and set("wax+") & set(m) and len(m) < 4 for m in mode)
            reads = not writes
        if writes or reads:
            self.access_file(file_tokens(*path_parts(name, node)), writes=writes)
