"""Whatever is typed, the slice is a result or one of our own errors."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy_magics.errors import DeployMagicsError
from deploy_magics.notebook import slice_cells
from deploy_magics.notebook.history import FAULT

RELAXED = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
LETTERS = "abcxy_ \t\n\n\n=()[]{}:;,.+-*@%!?\\\"'#$\0\r\f"
WORDS = """
def class lambda return yield await async for in if else try except del import as global from with
match case not None True *= := -> ... !ls %time %%capture %cd ??
"""
OTHERS = ["f'{x}'", "'''", "x = ", "In [1]:", "get_ipython()", ".run_line_magic('time','x')"]
OTHERS += ["\ud800", "é", "\u2028"]
PIECES = [*LETTERS, *WORDS.split(), *OTHERS]


def nested(heads: list[str], last: str) -> str:
    """Blocks in blocks."""
    lines = [f"{'    ' * depth}{head}" for depth, head in enumerate([*heads, last])]
    return "\n".join(lines)


@RELAXED
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), max_size=4), st.text())
def test_pieces_of_programs(cells: list[str], entry: str) -> None:
    check(cells, entry)
    check(cells[:-1], cells[-1] if cells else "")


@RELAXED
@given(st.lists(st.text(max_size=40), max_size=3), st.text(max_size=40))
def test_any_text(cells: list[str], entry: str) -> None:
    check(cells, entry)


DEEP = {
    "parentheses": "(" * 500 + ")" * 500,
    "brackets": "x = " + "[" * 150 + "]" * 150,
    "sum": "x = " + " + ".join(["1"] * 5000),
    "sum_of_names": "y = 1\nx = " + " + ".join(["y"] * 5000),
    "attributes": "import os\nx = os" + ".path" * 3000,
    "calls": "x = f" + "()" * 3000,
    "minus": "x = " + "-" * 5000 + "1",
    "comparisons": "x = " + " < ".join(["1"] * 5000),
    "ifs": nested(["if 1:"] * 95, "x = 1"),
    "elifs": "if 0:\n    x = 0\n" + "".join(f"elif {n}:\n    x = {n}\n" for n in range(3000)),
    "lambdas": "x = " + "lambda: " * 2000 + "1",
    "functions": nested([f"def f{n}():" for n in range(90)], "pass"),
    "strings": "x = " + " ".join(["'a'"] * 20000),
    "subscripts": "x = {}\ny = x" + "[0]" * 3000,
    "long_name": "x" * 100000 + " = 1",
    "null": "x = 1\0",
    "surrogate": "x = '\ud800'",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_deep_nesting(text: str) -> None:
    check([text], "x")
    check([text, text], text)
    check(["def f():\n    " + text.replace("\n", "\n    "), "y = f()"], "f(), y")


def test_a_deep_statement_still_tells_what_it_needs() -> None:
    cells = ["y = 1", "z = 2", "x = " + " + ".join(["y"] * 2000)]
    assert slice_cells(cells, "x").cells == (0, 2)


def check(cells: list[str], entry: str) -> None:
    try:
        found = slice_cells(cells, entry)
    except DeployMagicsError as error:
        assert "\n" not in str(error)
        assert FAULT not in str(error)
        return
    assert len(found.origins) == found.source.count("\n")
    assert not any(FAULT in warning for warning in found.warnings)
