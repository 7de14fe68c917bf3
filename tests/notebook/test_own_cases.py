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
