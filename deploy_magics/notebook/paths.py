"""Recognising one file in two statements, by the words that stand where its path does."""

from __future__ import annotations

import ast
import re

_ON_PATHS = frozenset(
    {"read_text", "read_bytes", "write_text", "write_bytes", "touch", "unlink", "mkdir", "exists"}
    | {"is_file", "stat", "iterdir", "glob"}
)
_TWO_PATHS = frozenset({"copyfile", "copy2", "urlretrieve"})


def path_parts(name: str, node: ast.Call) -> list[ast.expr]:
    """The expressions of a call that say which file."""
    func = node.func
    if isinstance(func, ast.Attribute) and name in _ON_PATHS:
        return [func.value]
    count = 2 if name in _TWO_PATHS else 1
    named = [keyword.value for keyword in node.keywords if "path" in (keyword.arg or "")]
    own = [func.value] if name == "open" and isinstance(func, ast.Attribute) else []
    return [*own, *node.args[:count], *named]


def file_tokens(*parts: ast.expr) -> frozenset[str]:
    """Names of files that stand there literally; ``=x`` for a variable ``x``."""
    tokens: set[str] = set()
    for part in parts:
        for node in ast.walk(part):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                base = re.split(r"[/\\]", node.value.rstrip("/\\"))[-1]
                if "." in base and len(base) < 256 and "\n" not in base:
                    tokens.add(base)
            elif isinstance(node, ast.Name):
                tokens.add(f"={node.id}")
    return frozenset(tokens)


def same_file(one: frozenset[str], other: frozenset[str]) -> str:
    """A word by which both may be one file; empty when nothing speaks for it."""
    literal = [{token for token in tokens if token[0] != "="} for tokens in (one, other)]
    common = literal[0] & literal[1] if all(literal) else one & other
    return min(common, default="").lstrip("=")
