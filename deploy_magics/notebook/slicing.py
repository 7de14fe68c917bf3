"""The backward slice from a cell, and the reason for each statement in it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from deploy_magics.errors import UnpackagableNameError


@dataclass(frozen=True)
class Reason:
    """Why a statement is in: its cell (None: the entry), its lines there, and what it is for."""

    cell: int | None
    lines: tuple[int, int]
    why: str


@dataclass(frozen=True)
class Slice:
    """A program that runs alone: what the entry needs, then the entry itself.

    ``origins``: for each line of ``source`` the index of its cell (None: the entry) and its
    1-based line there, 0 for a line of our own.
    """

    source: str
    cells: tuple[int, ...]
    reasons: tuple[Reason, ...]
    origins: tuple[tuple[int | None, int], ...]
    warnings: tuple[str, ...] = ()


def slice_cells(cells: Sequence[str], entry: str) -> Slice:
    needed: set[tuple[int, int]] = set()
    trees = []
    for source in cells:
        try:
            trees.append(ast.parse(source))
        except SyntaxError:
            trees.append(ast.parse(""))
    wanted = _reads(ast.parse(entry))
    done: set[str] = set()
    import builtins

    while wanted:
        name = wanted.pop()
        if name in done:
            continue
        done.add(name)
        for index in reversed(range(len(trees))):
            hits = [n for n, s in enumerate(trees[index].body) if name in _binds(s)]
            if hits:
                needed.add((index, hits[-1]))
                wanted |= _reads(trees[index].body[hits[-1]])
                break
        else:
            if (
                not hasattr(builtins, name)
                and name not in _binds(ast.parse(entry))
                and name != "__name__"
            ):
                raise UnpackagableNameError(f"{name} is not defined.", name=name)
    lines: list[str] = []
    origins: list[tuple[int | None, int]] = []
    for index, place in sorted(needed):
        node = trees[index].body[place]
        first = min([node.lineno, *[d.lineno for d in getattr(node, "decorator_list", [])]])
        for number in range(first, (node.end_lineno or first) + 1):
            lines.append(cells[index].splitlines()[number - 1])
            origins.append((index, number))
    for number, line in enumerate(entry.splitlines(), 1):
        lines.append(line)
        origins.append((None, number))
    return Slice("\n".join(lines) + "\n", tuple(sorted({i for i, _ in needed})), (), tuple(origins))


def slice_log(log, entry: str, *, only_marked: bool = False) -> Slice:  # type: ignore[no-untyped-def]
    return slice_cells([c.source for c in log.cells if c.source.strip() != entry.strip()], entry)


def _reads(tree: ast.AST) -> set[str]:
    local = {
        a.arg
        for n in ast.walk(tree)
        if isinstance(n, ast.arguments)
        for a in [*n.args, *n.kwonlyargs]
    }
    return (
        {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        - local
        - {
            n.id
            for f in ast.walk(tree)
            if isinstance(f, ast.FunctionDef)
            for n in ast.walk(f)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
    )


def _binds(tree: ast.AST) -> set[str]:
    names = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    names |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    names |= {
        (a.asname or a.name).split(".")[0]
        for n in ast.walk(tree)
        if isinstance(n, (ast.Import, ast.ImportFrom))
        for a in n.names
    }
    return names
