"""What the front end and the kernel tell each other: tags, marks, changes."""

from typing import Any

import pytest

from deploy_magics.actions import collect, workspace
from deploy_magics.magics import frontend


class Comm:
    def __init__(self) -> None:
        self.taken: Any = None

    def on_msg(self, take: Any) -> None:
        self.taken = take


class Manager:
    def __init__(self) -> None:
        self.targets: dict[str, Any] = {}

    def register_target(self, name: str, opened: Any) -> None:
        self.targets[name] = opened


class Kernel:
    def __init__(self) -> None:
        self.comm_manager = Manager()


def message(data: Any) -> dict[str, Any]:
    return {"content": {"data": data}}


def test_tags_come_when_the_channel_opens_and_later(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = workspace.current().log
    assert log is not None
    seen: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(log, "tag", lambda cell, tags: seen.append((cell, list(tags))))
    monkeypatch.setattr(shell, "kernel", Kernel(), raising=False)
    frontend.listen(shell)
    opened = shell.kernel.comm_manager.targets["deploy_magics"]
    comm = Comm()
    opened(comm, message({"tags": {"c1": ["model"]}}))
    comm.taken(message({"tags": {"c2": []}}))
    for odd in ({}, {"tags": 3}, {"tags": {"c3": "model"}}, None):
        comm.taken(message(odd) if odd is not None else {})
    assert seen == [("c1", ["model"]), ("c2", [])]


def test_the_cells_that_are_shipped_are_marked(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(collect, "announce", lambda kind, payload: told.append((kind, payload)))
    for cell_id, source in [("a", "LOW = 30"), ("b", "OTHER = 1"), ("c", "HIGH = LOW + 40")]:
        shell.run_cell(source, cell_id=cell_id)
    shell.run_cell("%%model\nprint(HIGH)\n", cell_id="d")
    assert told == [("marks", {"cells": ["a", "c", "d"]})]
    shell.run_cell("%model --name Again", cell_id="e")
    assert told[-1] == ("marks", {"cells": ["a", "c", "d"]})


def test_cells_with_a_tag_always_come_along(shell: Any) -> None:
    shell.run_cell("MARKED = 1", cell_id="a")
    shell.run_cell("PLAIN = 2", cell_id="b")
    log = workspace.current().log
    assert log is not None
    log.tag("a", ["model"])
    package = shell.run_cell("%%model\nprint('alone')\n")
    source = package.model.read("bot.py").decode()
    assert "MARKED" in source and "PLAIN" not in source
