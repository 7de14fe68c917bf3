"""The log of a shell: what it ran, what failed half way, what was there before, marks."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from deploy_magics.errors import UnpackagableNameError
from deploy_magics.notebook import ExecutionLog, slice_log


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell of its own, beside the one that other tests may share, without a database."""
    made = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    made.showtraceback = lambda *args, **options: None  # type: ignore[method-assign]
    made.showsyntaxerror = lambda *args, **options: None  # type: ignore[method-assign]
    yield made
    made.atexit_operations()
    atexit.unregister(made.atexit_operations)


def run(shell: InteractiveShell, *cells: str) -> None:
    for cell in cells:
        shell.run_cell(cell, store_history=True)


def test_every_execution_is_an_entry(shell: InteractiveShell) -> None:
    log = ExecutionLog(shell)
    log.install()
    run(shell, "a = 1", "a = 1", "%time b = a", "syntax error here", "")
    assert [cell.source for cell in log.cells] == ["a = 1", "a = 1", "%time b = a"]
    assert [cell.label for cell in log.cells] == ["cell [1]", "cell [2]", "cell [3]"]
    assert slice_log(log, "b").source == "a = 1\n\nb = a\n\nb\n"
    log.uninstall()
    run(shell, "c = 1")
    assert len(log.cells) == 3


def test_what_ran_before_is_taken_from_history(shell: InteractiveShell) -> None:
    run(shell, "a = 1", "b = a + 1")
    log = ExecutionLog(shell)
    log.install()
    run(shell, "c = b + 1")
    assert slice_log(log, "c").cells == (0, 1, 2)


def test_a_cell_that_raised_half_way(shell: InteractiveShell) -> None:
    log = ExecutionLog(shell)
    log.install()
    run(shell, "x = 0\ny = 0", "x = 1\n1 / 0\ny = 1")
    assert not log.cells[1].succeeded
    assert log.cells[1].failed_line == 2
    assert slice_log(log, "x").source == "x = 1\n\nx\n"
    assert slice_log(log, "y").source == "y = 0\n\ny\n"


def test_a_cell_that_raised_in_a_function_of_another(shell: InteractiveShell) -> None:
    log = ExecutionLog(shell)
    log.install()
    run(shell, "def f():\n\n\n    return 1 / 0", "a = 1\nb = f()\nc = 2")
    assert log.cells[1].failed_line == 2
    assert slice_log(log, "a").source == "a = 1\n\na\n"
    with pytest.raises(UnpackagableNameError):
        slice_log(log, "c")


def test_the_statement_that_raised_may_have_run_in_part(shell: InteractiveShell) -> None:
    log = ExecutionLog(shell)
    log.install()
    run(shell, "n = 0", "for v in (1, 0):\n    n = 1 / v")
    assert slice_log(log, "n").cells == (0, 1)


def test_the_entry_that_ran_before_is_left_out(shell: InteractiveShell) -> None:
    log = ExecutionLog(shell)
    log.install()
    entry = "xs.append(2)\nxs"
    run(shell, "xs = [1]", entry, entry)
    assert slice_log(log, entry).source == "xs = [1]\n\nxs.append(2)\nxs\n"
    assert slice_log(log, "xs").cells == (0, 1, 2)
    run(shell, "xs.append(9)", entry)
    assert slice_log(log, entry).cells == (0, 3)


def test_two_slices_of_one_log_do_not_disturb_each_other(shell: InteractiveShell) -> None:
    log = ExecutionLog(shell)
    log.install()
    run(shell, "xs = [1]", "def f(): return xs")
    first = slice_log(log, "xs.append(3)\nimport os\nx2 = f()\ndel xs")
    assert slice_log(log, "f()").cells == (0, 1)
    assert slice_log(log, "xs.append(3)\nimport os\nx2 = f()\ndel xs") == first


def test_marked_cells_come_along(shell: InteractiveShell) -> None:
    log = ExecutionLog(shell)
    log.tag("c2", ["model"])
    log.install()
    for number, cell in enumerate(["a = 1", "b = 2", "c = 3"], 1):
        shell.run_cell(cell, store_history=True, cell_id=f"c{number}")
    assert slice_log(log, "c").cells == (1, 2)
    log.tag("c3", ["model", "other"])
    assert slice_log(log, "c", only_marked=True).cells == (1, 2)
    with pytest.raises(UnpackagableNameError, match="not tagged"):
        slice_log(log, "a", only_marked=True)


def test_tags_come_with_the_request(shell: InteractiveShell) -> None:
    parent: dict[str, Any] = {"metadata": {"tags": ["model"], "cellId": "one"}}
    shell.get_parent = lambda: parent  # type: ignore[attr-defined]
    log = ExecutionLog(shell)
    log.install()
    run(shell, "a = 1")
    assert log.cells[0].cell_id == "one"
    assert log.cells[0].tags == {"model"}


def test_any_object_with_events_will_do() -> None:
    events = SimpleNamespace(register=lambda *a: None, unregister=lambda *a: None)
    log = ExecutionLog(SimpleNamespace(events=events))
    log.install()
    log.install()
    assert log.cells == ()
    assert log.running is None


def test_the_running_cell_is_not_in_the_log(shell: InteractiveShell) -> None:
    log = ExecutionLog(shell)
    log.install()
    seen: list[Any] = []
    shell.user_ns["look"] = lambda: seen.append((len(log.cells), log.running))
    run(shell, "a = 1", "look()")
    assert seen == [(1, ("look()", None))]
