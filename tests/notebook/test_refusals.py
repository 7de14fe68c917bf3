"""What is refused, what is told, and where lines come from."""

from __future__ import annotations

import pytest

from deploy_magics.errors import DeployMagicsError, UnpackagableNameError, UsageError
from deploy_magics.notebook import slice_cells

REFUSED = {
    "never_defined": (["a = 1"], "a + fee", "`fee` is read by the main cell", None),
    "close_name": (["stop_loss = 1"], "stop_los", "Did you mean `stop_loss`?", None),
    "in_a_function": (["def f(): return fee"], "f()", "`fee` is read by `f`", None),
    "in_a_method": (["class S:\n    def go(self): return fee"], "S", "by `S.go`", None),
    "in_a_nested_function": (
        ["def f():\n    def g(): return fee\n    return g"],
        "f()()",
        "`fee` is read by `f`",
        None,
    ),
    "deleted": (["x = 1", "del x"], "x", "cell 2 deleted it", None),
    "deleted_late": (["x = 1", "def f(): return x", "del x"], "f", "cell 3 deleted it", None),
    "from_the_shell": (["files = !ls"], "files", "shell (!ls)", None),
    "from_the_shell_in_two": (["a, b = !ls"], "b", "magic", None),
    "from_a_line_magic": (["t = %timeit -o 1"], "t", "%timeit", None),
    "from_capture": (["%%capture out\nprint(1)"], "out.stdout", "%%capture", None),
    "in_the_middle": (["p = %pwd", "q = len(p)", "r = q + 1"], "r", "`p` is read by cell 2", 1),
    "last_result": (["1 + 1"], "_ + 1", "memory of a result", None),
    "numbered_result": (["1 + 1"], "Out[1]", "memory of a result", None),
    "by_run": (["%run helpers.py"], "helper()", "%run helpers.py", None),
    "by_pylab": (["%pylab inline"], "linspace(0, 1)", "%pylab", None),
    "by_own_cell_magic": (["%%backtest\nLIMIT = 3"], "LIMIT", "--run", None),
    "by_other_cell_magic": (["%%cython\ndef fast(): pass"], "fast()", "%%cython", None),
    "awaits": (["import asyncio", "x = await asyncio.sleep(0, 5)"], "x", "asyncio.run", None),
    "reset": (["x = 1", "%reset -f"], "x", "`x` is read", None),
    "shell_in_a_needed_function": (
        ["def f():\n    out = !ls\n    return out"],
        "f()",
        "shell",
        None,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    cells, entry, part, cell = REFUSED[name]
    with pytest.raises(UnpackagableNameError) as caught:
        slice_cells(cells, entry)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    if cell is not None:
        assert caught.value.cell == cell


def test_an_unused_refused_name_does_no_harm() -> None:
    found = slice_cells(["files = !ls", "a = 1\nx = nowhere if False else 2"], "a")
    assert found.source.splitlines() == ["a = 1", "", "a"]


def test_own_magic_with_run_defines_its_names() -> None:
    assert slice_cells(["%%backtest --run --to 1y\nLIMIT = 3"], "LIMIT").cells == (0,)


def test_the_entry_may_carry_its_own_magic() -> None:
    found = slice_cells(
        ["k = 1"], "%%backtest --to 1y\n# the strategy\ny = k\n\n# the end\nprint(y)"
    )
    assert found.source == "k = 1\n\n# the strategy\ny = k\n\n# the end\nprint(y)\n"
    assert found.origins == (
        (0, 1),
        (None, 0),
        (None, 2),
        (None, 3),
        (None, 4),
        (None, 5),
        (None, 6),
    )


def test_an_entry_that_does_not_parse_is_one_line() -> None:
    with pytest.raises(UsageError, match="line 1"):
        slice_cells([], "x = (")


WARNED = {
    "cd": (["%cd data", "x = 1"], "x", "changes the working directory"),
    "env": (["%env KEY=1", "x = 1"], "x", "sets environment variables"),
    "magic_inside": (["if True:\n    %cd data\n    x = 1"], "x", "is left out"),
    "star": (["from os_not_loaded import *"], "anything", "cannot be known for sure"),
    "exec": (["code = 'x' + '=1'", "exec(code)"], "x", "cannot be known for sure"),
    "main_guard": (["if __name__ == '__main__':\n    x = 1"], "x", "__main__"),
    "display": (["def f(): display(1)"], "f()", "stand-in prints"),
    "unread": (["x = 1", "y = = 2"], "x", "could not be read"),
    "cd_in_entry": (["x = 1"], "%cd data\nx", "left out"),
}


@pytest.mark.parametrize("name", WARNED)
def test_warning(name: str) -> None:
    cells, entry, part = WARNED[name]
    found = slice_cells(cells, entry)
    assert any(part in warning for warning in found.warnings), found.warnings
    assert all("\n" not in warning for warning in found.warnings)


def test_no_warnings_for_a_plain_notebook() -> None:
    cells = ["%load_ext deploy_magics\n%matplotlib inline\nimport math", "!pip install x", "len?"]
    assert slice_cells(cells, "if __name__ == '__main__':\n    math.pi").warnings == ()


def test_a_stand_in_for_display_runs() -> None:
    found = slice_cells(["def f(v): display(v)"], "from __future__ import annotations\nf(3)")
    exec(compile(found.source, "<slice>", "exec"), {})
    assert found.source.startswith("from __future__ import annotations\ndef display")


LINES = {
    "magic_over_two_lines": ("%config \\\n  A.b = 1\nx = (1,\n     2)\n", "x", [3, 4]),
    "leading_blank_lines": ("\n\n\nx = 1", "x", [4]),
    "cell_magic_body": ("%%time\n\ny = 2\nx = y", "x", [3, 4]),
    "decorated": (
        "import functools\n@functools.cache\ndef x():\n    return 1",
        "x()",
        [1, 2, 3, 4],
    ),
    "shell_with_continuation": ("!ls \\\n -l \\\n -a\nx = 1", "x", [4]),
    "help_between": ("a = 1\na?\nx = a", "x", [1, 3]),
    "semicolons": ("a = 1; x = a", "x", [1, 1]),
    "comment_goes_with_it": ("# what it is\nx = 1  # one\n\n# another\ny = 2", "x", [1, 2]),
    "windows_line_ends": ("a = 1\r\nx = a\r\n", "x", [1, 2]),
    "prompts": (">>> a = 1\n>>> x = a", "x", [1, 2]),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_know_where_they_come_from(name: str) -> None:
    cell, entry, numbers = LINES[name]
    found = slice_cells([cell], entry)
    assert len(found.origins) == len(found.source.splitlines())
    assert [line for index, line in found.origins if index == 0 and line] == numbers
    texts = cell.replace("\r\n", "\n").split("\n")
    for text, (index, line) in zip(found.source.splitlines(), found.origins, strict=True):
        if index == 0 and line:
            assert text.strip() in texts[line - 1]


def test_reasons_name_the_name_and_its_reader() -> None:
    cells = ["import math", "def sma(v): return math.fsum(v)", "xs = []", "xs.append(1)"]
    cells.append("class Cross:\n    def signal(self): return sma(xs)")
    found = slice_cells(cells, "Cross().signal()")
    whys = {reason.cell: reason.why for reason in found.reasons}
    assert whys[1] == "defines `sma`, read by `Cross.signal`"
    assert whys[3] == "changes `xs`, read by `Cross.signal`"
    assert whys[0] == "defines `math`, read by `sma`"
    assert whys[None] == "the main cell itself"


def test_every_refusal_is_our_own_error() -> None:
    assert issubclass(UnpackagableNameError, DeployMagicsError)
