"""Slices that are known, as in ``slicing_cases.json``; here the target is an expression.

Each is also run: the slice alone must give what the whole notebook gave.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from deploy_magics.notebook import slice_cells
from deploy_magics.notebook.reading import read_cell

CASES = json.loads((Path(__file__).parent / "own_cases.json").read_text("utf-8"))

# syntax that not every Python has: (cells, target, cells needed)
NEWER = [
    (["k = 1", "z = 2", "def pick[T](xs: list[T]) -> T: return xs[k]"], "pick([4, 5])", [0, 2]),
    (["base = int", "z = 2", "type Size = base", "n = Size.__value__(3)"], "n", [0, 2, 3]),
    (
        ["k = 7", "class Box[T]:\n    def get(self) -> T: return k", "b = Box[int]()", "z = 1"],
        "b.get()",
        [0, 1, 2],
    ),
    (["d = {'k': 1}", "k = 'k'", 's = f"{d["k"]:>{len(k)}}"', "z = 1"], "s", [0, 1, 2]),
    (["d = [1]", 's = f"{f"{d[0]}" + "x" # why\n}"', "z = 1"], "s", [0, 1]),
    (["T = int", "def same[T](x: T): return x", "T = str", "y = same(1)"], "y", [1, 3]),
    (["xs = []", "try: xs[0]\nexcept KeyError, IndexError: xs.append(1)", "z = 1"], "xs", [0, 1]),
    (["n = 1", "s = t'{n}'.values", "z = 1"], "s", [0, 1]),
    (["T = 1", "type Pair[T] = tuple[T, T]", "z = 1"], "Pair.__name__", [1]),
]


def parses(cells: list[str]) -> bool:
    try:
        return bool(ast.parse("\n".join(cells)))
    except SyntaxError:
        return False


def value(program: str) -> str:
    """What the last expression of a program comes to."""
    tree = ast.parse(program)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    names: dict[str, object] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(tree, "<program>", "exec"), names)
        return repr(eval(compile(ast.Expression(last.value), "<entry>", "eval"), names))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    cells, target = case["cells"], case["target"]
    found = slice_cells(cells, target)
    assert list(found.cells) == case["expect_cells"]
    whole = [text for cell in cells for unit in read_cell(cell).units for text in unit.lines]
    assert value(found.source) == value("\n".join([*whole, target]))


def test_newer_syntax() -> None:
    """As much of it as this Python knows."""
    for cells, target, needed in NEWER:
        if parses(cells):
            found = slice_cells(cells, target)
            assert list(found.cells) == needed, cells
            assert value(found.source) == value("\n".join([*cells, target]))
