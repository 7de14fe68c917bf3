"""The input and output fields of a UbiOps deployment: given by name, or read off its code."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UsageError

TYPES = (
    *("int", "string", "double", "bool", "dict", "file"),
    *("array_int", "array_double", "array_string", "array_file"),
)
_CALLS = {"int": "int", "float": "double", "str": "string", "bool": "bool", "dict": "dict"}
_CALLS |= {"len": "int", "round": "double", "sum": "double", "list": "array_double"}
Fields = list[dict[str, Any]]


def given(fields: Mapping[str, str], option: str) -> Fields:
    """Fields as an option names them, ``NAME=TYPE``."""
    for name, kind in fields.items():
        if kind not in TYPES:
            raise UsageError(
                f"{option} {name}={kind}: there is no type {kind!r}.",
                f"Types are {', '.join(TYPES)}.",
            )
    return [{"name": name, "data_type": kind} for name, kind in fields.items()]


def defines_deployment(source: str) -> bool:
    """Whether a program is a UbiOps package's: it has a class ``Deployment``."""
    return _deployment(source) is not None


def read_off(source: str) -> tuple[Fields, Fields]:
    """What ``request`` reads of its data, and the keys of what it returns; none of them: plain.

    Raises:
        UsageError: a field whose type the code does not tell.
    """
    found = _deployment(source)
    if found is None:
        return [], []
    methods = {each.name: each for each in found.body if isinstance(each, ast.FunctionDef)}
    request = methods.get("request") or methods.get("requests")
    if request is None:
        raise UsageError(
            "The class Deployment has neither a request nor a requests method.",
            "UbiOps calls request(self, data).",
        )
    arguments = [each.arg for each in request.args.args]
    data = arguments[1] if len(arguments) > 1 else ""
    return _known(_inputs(request, data), "--input"), _known(_outputs(request), "--output")


def _deployment(source: str) -> ast.ClassDef | None:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Deployment":
            return node
    return None


def _inputs(request: ast.FunctionDef, data: str) -> dict[str, str | None]:
    """Keys that are read of the data, with the type that the reading around them tells."""
    found: dict[str, str | None] = {}
    parents = {child: node for node in ast.walk(request) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(request):
        name, kind = _read_key(node, data)
        if name is not None:
            around = parents.get(node)
            if isinstance(around, ast.Call) and node in around.args:
                kind = kind or _call_type(around)
            found[name] = found.get(name) or kind
    return found


def _read_key(node: ast.AST, data: str) -> tuple[str | None, str | None]:
    """``data["key"]`` and ``data.get("key", default)``."""
    if isinstance(node, ast.Subscript) and _is_name(node.value, data):
        return _text(node.slice), None
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
        return None, None
    if node.func.attr != "get" or not _is_name(node.func.value, data):
        return None, None
    return _text(node.args[0]), _type(node.args[1]) if len(node.args) > 1 else None


def _outputs(request: ast.FunctionDef) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for node in ast.walk(request):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                name = _text(key) if key is not None else None
                if name is not None:
                    found[name] = found.get(name) or _type(value)
    return found


def _type(node: ast.AST) -> str | None:
    """The type of an expression, where it is plain to see."""
    if isinstance(node, ast.Constant):
        names = {bool: "bool", int: "int", float: "double", str: "string"}
        return names.get(type(node.value))
    if isinstance(node, ast.JoinedStr):
        return "string"
    if isinstance(node, (ast.Compare, ast.BoolOp)):
        return "bool" if isinstance(node, ast.Compare) else None
    if isinstance(node, (ast.Dict, ast.DictComp)):
        return "dict"
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Div):
            return "double"
        sides = {_type(node.left), _type(node.right)}
        return "string" if "string" in sides else "double" if "double" in sides else None
    return _call_type(node) if isinstance(node, ast.Call) else None


def _call_type(node: ast.Call) -> str | None:
    return _CALLS.get(node.func.id) if isinstance(node.func, ast.Name) else None


def _known(found: Mapping[str, str | None], option: str) -> Fields:
    unknown: Iterable[str] = [name for name, kind in found.items() if kind is None]
    if unknown:
        listed = " ".join(f"{option} {name}=TYPE" for name in unknown)
        raise UsageError(
            f"The code does not tell the type of {', '.join(unknown)}.",
            f"Say {listed}; types are {', '.join(TYPES)}.",
        )
    return [{"name": name, "data_type": str(kind)} for name, kind in found.items()]


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
