from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from deploy_magics.errors import NotFoundError, RunError
from deploy_magics.executor import history
from deploy_magics.executor.data import PriceSet, load_prices
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.history import RunStore, default_folder, run_key
from deploy_magics.executor.result import BacktestResult

pytestmark = pytest.mark.usefixtures("cache")
Make = Callable[..., BacktestResult]
KEY = "a" * 64


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "results")


def test_a_run_is_found_again_and_says_so(store: RunStore, make_result: Make) -> None:
    result = replace(make_result(), key=KEY)
    written = store.add(result)
    found = store.find(KEY)  # before it is on the disk, and after
    written.result(60)
    again = store.find(KEY)
    for answer in (found, again):
        assert answer is not None
        assert answer.from_cache
        assert answer.to_json() == result.to_json()
    assert store.find("b" * 64) is None
    assert store.find("../" + KEY) is None


def test_it_is_there_after_a_restart(tmp_path: Path, store: RunStore, make_result: Make) -> None:
    """Another process adds it and ends at once; this one finds it."""
    (tmp_path / "result.json").write_text(replace(make_result(), key=KEY).to_json())
    code = (
        "import sys; from pathlib import Path\n"
        "from deploy_magics.executor.history import RunStore\n"
        "from deploy_magics.executor.result import BacktestResult\n"
        "result = BacktestResult.from_json(Path(sys.argv[1]).read_text())\n"
        "RunStore(sys.argv[2]).add(result, notebook='n.ipynb')\n"
    )
    arguments = [str(tmp_path / "result.json"), str(store.folder)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, timeout=120)
    found = store.find(KEY)
    assert found is not None
    assert found.metrics["sharpe"] == 2.5
    assert [run.notebook for run in store.list()] == ["n.ipynb"]


def test_lists_are_newest_first(store: RunStore, make_result: Make) -> None:
    for number, notebook in enumerate(["a.ipynb", "b.ipynb", "a.ipynb"]):
        result = make_result(f"run{number}", args={"to": f"{number}y"})
        store.add(replace(result, created_at=100.0 + number), notebook=notebook)
    assert [run.id for run in store.list()] == ["run2", "run1", "run0"]
    assert [run.id for run in store.list(notebook="a.ipynb")] == ["run2", "run0"]
    assert [run.id for run in store.list(model="RSI", limit=1)] == ["run2"]
    assert store.list(model="other") == []
    first = store.list()[-1]
    assert (first.args, first.symbols, first.initial_value) == ({"to": "0y"}, ("EUR-USD",), 10_000)
    assert first.metrics["sharpe"] == 2.5
    assert store.get("3").id == "run0"
    text = repr(store.list())
    assert "to=1y" in text
    assert "Sharpe" in text
    assert "Where" not in text
    assert [run.number for run in store.list(notebook="a.ipynb")] == [1, 3]
    assert "to=1y" in store.list()._repr_html_()
    assert repr(store.list(model="other")) == "No backtest has been run yet."


def test_by_id_or_its_beginning(store: RunStore, make_result: Make) -> None:
    store.add(make_result("abc1"))
    store.add(make_result("abd2"))
    store.flush()
    assert store.get("abc").id == "abc1"
    assert store.get("abd2").id == "abd2"
    for wrong in ("ab", "zz", "../abc1", "", ".hidden"):
        with pytest.raises(NotFoundError):
            store.get(wrong)
    store.remove("abc1")
    with pytest.raises(NotFoundError):
        store.get("abc1")


def test_damaged_files_are_no_answer(store: RunStore, make_result: Make) -> None:
    store.add(replace(make_result(), key=KEY)).result(60)
    path = store.folder / "run.result"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError):
        store.get("run")
    assert store.find(KEY) is None
    (store.folder / "run.json").write_text("{")
    assert store.list() == []


def test_many_processes_at_once(tmp_path: Path, store: RunStore, make_result: Make) -> None:
    (tmp_path / "result.json").write_text(replace(make_result(), key=KEY).to_json())
    code = (
        "import sys; from dataclasses import replace; from pathlib import Path\n"
        "from deploy_magics.executor.history import RunStore\n"
        "from deploy_magics.executor.result import BacktestResult\n"
        "result = BacktestResult.from_json(Path(sys.argv[1]).read_text())\n"
        "for number in range(10):\n"
        "    RunStore(sys.argv[2]).add(replace(result, id=f'{sys.argv[3]}-{number}'))\n"
    )
    arguments = [str(tmp_path / "result.json"), str(store.folder)]
    processes = [
        subprocess.Popen([sys.executable, "-c", code, *arguments, name]) for name in ("x", "y")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert len(store.list()) == 20
    assert store.find(KEY) is not None
    assert not list(store.folder.glob(".*"))


def test_a_full_disk_does_not_fail_the_run(
    store: RunStore, make_result: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(history, "write_atomically", full)
    store.add(make_result()).result(60)
    assert store.problem == "the result was not kept: No space left on device"
    assert store.list() == []


def test_the_oldest_go_first(
    store: RunStore, make_result: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "KEPT", 2)
    result = make_result()
    for number in range(4):
        store.add(replace(result, id=f"r{number}", created_at=number)).result(60)
    assert len(store.list()) == 2
    assert len(list(store.folder.glob("*.result"))) == 2


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "results"


def test_keys(fake_model: type, prices_frame: pd.DataFrame) -> None:
    prices = load_prices({"A": prices_frame})
    environment = Environment(Path("python"), "e1", "3.11", ())

    def key(
        digest: str = "d",
        args: dict[str, object] | None = None,
        data: PriceSet | None = prices,
        place: Environment | None = environment,
        engine: str = "fast",
    ) -> str:
        return run_key(fake_model(digest=digest), args or {"to": "1y"}, data, place, engine)

    assert key() == key(args={"to": "1y", "end_date": None})
    other = load_prices({"A": prices_frame.assign(close=1.2, high=1.3)})
    different = {
        key(),
        key(digest="e"),
        key(args={"to": "2y"}),
        key(data=other),
        key(data=None),
        key(place=replace(environment, key="e2")),
        key(engine="plain"),
    }
    assert len(different) == 7
