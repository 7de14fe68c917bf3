import atexit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell


class TestingShell(InteractiveShell):
    """A shell whose ``run_cell`` raises what the cell raised, and that keeps no history file."""

    __test__ = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def run_cell(
        self, raw_cell: str, *args: Any, store_history: bool = True, **options: Any
    ) -> Any:  # type: ignore[override]
        result = super().run_cell(raw_cell, *args, store_history=store_history, **options)
        result.raise_error()
        return result.result


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own: state, caches, working folder."""
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    for name in ("DEPLOY_MAGICS_TOKEN", "DEPLOY_MAGICS_SERVER"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def shell(home: Path) -> Iterator[TestingShell]:
    HistoryManager.enabled = False
    shell = TestingShell()
    try:
        shell.run_line_magic("load_ext", "deploy_magics")
        yield shell
    finally:
        shell.run_line_magic("unload_ext", "deploy_magics")
        HistoryManager.enabled = True
        shell.restore_sys_module_state()
        shell.atexit_operations()
        atexit.unregister(shell.atexit_operations)
