"""Every import of a source, with its place: lazy ones and those guarded by ``try`` too."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Import:
    """One imported module, absolute.

    ``guarded``: the program goes on without it (``except ImportError``). ``where``: the cell or
    file and the line, for people.
    """

    module: str
    where: str
    guarded: bool = False

    @property
    def top(self) -> str:
        """The package at the top: ``xml`` of ``xml.dom``."""
        return self.module.partition(".")[0]


_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def find(source: str, place: Callable[[int], str]) -> tuple[Import, ...]:
    """The imports of ``source``; ``place`` names a line of it. Nothing for what does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    try:
        return tuple(
            Import(module, place(line), guarded) for module, line, guarded in _walk(tree, False)
        )
    except RecursionError:
        return ()


def _walk(node: ast.AST, guarded: bool) -> Iterator[tuple[str, int, bool]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, node.lineno, guarded) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        if not node.level and node.module:
            yield node.module, node.lineno, guarded
    elif isinstance(node, ast.Call) and (module := _dynamic(node)):
        yield module, node.lineno, guarded
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        for branch in node.orelse:
            yield from _walk(branch, guarded)
        return
    if isinstance(node, ast.Try):
        inside = guarded or any(_catches_import(handler) for handler in node.handlers)
        for statement in node.body:
            yield from _walk(statement, inside)
        others: list[ast.AST] = [*node.handlers, *node.orelse, *node.finalbody]
        for other in others:
            yield from _walk(other, inside)
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, guarded)


def _catches_import(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _IMPORT_ERRORS for kind in kinds)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _dynamic(call: ast.Call) -> str | None:
    """The module of ``importlib.import_module("x")`` or ``__import__("x")``."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name not in ("import_module", "__import__") or not call.args:
        return None
    first = call.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value if first.value and not first.value.startswith(".") else None
    return None
