"""What a place of the program does to names and objects. Shared by a notebook's statements and by
the summary of a function's body, which differ in what a name is to them."""

from __future__ import annotations

import ast

from deploy_magics.notebook.objects import Arguments, Key, Obj, Value


class Walker:
    """What a place of the program does. The methods that raise are given by the subclasses."""

    def __init__(self) -> None:
        self.scopes: list[tuple[str, dict[str, Value]]] = []
        self.modules: dict[str, Obj] = {}
        self.imported: set[str] = set()
        self.lazy_annotations = False

    # what a subclass gives

    def read_outer(self, name: str) -> Value:
        raise NotImplementedError

    def bind_outer(self, name: str, value: Value) -> None:
        raise NotImplementedError

    def unbind(self, name: str) -> None:
        raise NotImplementedError

    def touch(self, value: Value, *, shallow: bool = False) -> None:
        """The program goes on the state that ``value`` has here."""
        raise NotImplementedError

    def change(self, value: Value) -> None:
        raise NotImplementedError

    def hold(self, value: Value, key: Key, content: Value) -> None:
        raise NotImplementedError

    def fresh(self, kind: str, name: str = "") -> Obj:
        raise NotImplementedError

    def make_function(self, node: ast.AST, name: str, owner: Obj | None) -> Obj:
        raise NotImplementedError

    def call_known(self, callee: Obj, arguments: Arguments, thrown: bool) -> Value:
        """A call of a function, a class or an unknown parameter."""
        raise NotImplementedError

    def call_unknown_method(
        self, receiver: Value, method: str, arguments: Arguments, thrown: bool, inplace: bool
    ) -> Value:
        raise NotImplementedError

    def invoke(self, value: Value) -> None:
        """Functions in ``value`` may be called here by code that nobody looks into."""
        raise NotImplementedError

    def access_file(self, tokens: frozenset[str], *, writes: bool) -> None:
        raise NotImplementedError

    def is_builtin(self, name: str) -> bool:
        raise NotImplementedError

    # names

    def read(self, name: str) -> Value:
        for place, (kind, names) in enumerate(reversed(self.scopes)):
            # a class's names are seen by its own statements only, not by what is nested in them
            if name in names and (kind != "class" or place == 0):
                return names[name]
        return self.read_outer(name)

    def bind(self, name: str, value: Value) -> None:
        if self.scopes and self.scopes[-1][0] == "class":
            self.scopes[-1][1][name] = value
        else:
            self.bind_outer(name, value)

    # objects

    def module(self, name: str) -> Obj:
        """The one object of a module (or of a name in one)."""
        if name not in self.modules:
            self.modules[name] = Obj("module", name)
        return self.modules[name]

    def element(self, value: Value, key: Key) -> Value:
        """What subscript or attribute ``key`` of ``value`` gives."""
        found: set[Obj] = set()
        for obj in value:
            if obj.kind == "module":
                found.add(self.module(f"{obj.name}.{key}"))
                continue
            exact = obj.under(key) if key is not None else []
            loose = [content for held, content in obj.held if held is None or key is None]
            found.update(exact, loose)
            if obj.kind == "instance" and obj.info is not None and key is not None:
                inherited = self.class_attribute(obj.info, key)
                found.update(inherited)
                exact += inherited
            if obj.kind not in ("plain", "class", "function") and not exact:
                found.add(self.part(obj, key))
        return frozenset(found)

    def part(self, obj: Obj, key: Key) -> Obj:
        """An object inside another of which nothing is known."""
        if key not in obj.parts:
            obj.parts[key] = Obj("opaque", "part", obj.owner, obj.born)
        return obj.parts[key]

    def class_attribute(self, cls: Obj, name: str) -> list[Obj]:
        """What a class, or a known base of it, binds to ``name``."""
        waiting, seen = [cls], set()
        while waiting:
            current = waiting.pop(0)
            if current in seen:
                continue
            seen.add(current)
            found = current.under(name)
            if found:
                return found
            waiting += current.under("__bases__")
        return []

    def contents(self, value: Value) -> Value:
        """What iterating over ``value`` gives."""
        return self.element(frozenset(obj for obj in value if obj.kind != "module"), None)
