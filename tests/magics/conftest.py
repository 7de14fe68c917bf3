import atexit
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from keyring.backends import fail

DATA = Path(__file__).parents[2] / "notebooks" / "data" / "EUR-USD_1h.csv"


class TestingShell(InteractiveShell):
    """A shell whose ``run_cell`` raises what the cell raised, and that keeps no history file."""

    __test__ = False

    def run_cell(
        self, raw_cell: str, *args: Any, store_history: bool = True, **options: Any
    ) -> Any:  # type: ignore[override]
        result = super().run_cell(raw_cell, *args, store_history=store_history, **options)
        result.raise_error()
        return result.result


def make_shell() -> Iterator[TestingShell]:
    HistoryManager.enabled = False
    shell = TestingShell()
    try:
        shell.run_line_magic("load_ext", "deploy_magics")
        yield shell
    finally:
        shell.run_line_magic("unload_ext", "deploy_magics")
        HistoryManager.enabled = True
        shell.restore_sys_module_state()
        atexit.unregister(shell.atexit_operations)  # it keeps no history and made no file


def make_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(folder / "home"))
    monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)  # the user's own is left alone
    for name in ("DEPLOY_MAGICS_TOKEN", "DEPLOY_MAGICS_SERVER", "DEPLOY_MAGICS_NOTEBOOK"):
        monkeypatch.delenv(name, raising=False)
    work = folder / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; state lies beside it, nothing of the user's is touched."""
    return make_home(tmp_path, monkeypatch)


@pytest.fixture
def shell(home: Path) -> Iterator[TestingShell]:
    yield from make_shell()


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestingShell]:
    """A shell that is signed in to a server of its own, which ends with the tests of the file."""
    from deploy_magics.actions import embedded

    with pytest.MonkeyPatch.context() as monkeypatch:
        work = make_home(tmp_path_factory.mktemp("road"), monkeypatch)
        (work / "EUR-USD_1h.csv").write_bytes(DATA.read_bytes())
        for shell in make_shell():
            try:
                shell.run_cell("%deploy_login")
                yield shell
            finally:
                assert embedded.stop()
                assert not started_below(str(work.parent))


def started_below(folder: str) -> list[str]:
    """Command lines of the processes, but this one, that work below a folder."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if folder in command and process.pid != os.getpid():
            found.append(command)
    return found


@pytest.fixture
def processes_below() -> Callable[[str], list[str]]:
    return started_below
