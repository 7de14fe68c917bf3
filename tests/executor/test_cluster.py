"""On a real cluster: a scheduler and workers as processes of their own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client

from deploy_magics.errors import RunCancelledError, UnreachableError
from deploy_magics.executor import cluster, cluster_worker
from deploy_magics.executor.cluster import pack, send, submit_backtest
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.result import BacktestResult
from deploy_magics.executor.sweep import SweepResult, sweep
from deploy_magics.executor.sweep_points import PointStore
from deploy_magics.model import Model

DEADLINE = 120.0


class Cluster:
    """Processes on loopback, on ports that the system chooses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"
        )
        deadline = time.monotonic() + DEADLINE
        while not self.file.exists() or not self.file.read_text().strip():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)
        self.address: str = json.loads(self.file.read_text())["address"]

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        with (self.folder / f"{what}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--scheduler-file", str(self.file)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
            )
        self.processes.append(process)
        return process

    def add_worker(self) -> subprocess.Popen[bytes]:
        return self._start(
            "worker", "--host", "127.0.0.1", "--no-nanny", "--nthreads", "1", "--no-dashboard",
            "--memory-limit", "0", "--local-directory", str(self.folder),
        )  # fmt: skip

    def runs(self) -> list[int]:
        """Process ids of models that workers run: they work in a folder of their run."""
        found = []
        for process in self.processes[1:]:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        if "deploy_magics-cluster-" in child.cwd():
                            found.append(child.pid)
        return found

    def close(self) -> None:
        """The workers first: one that loses its scheduler while it ends may never end."""
        scheduler, *workers = self.processes
        for group in (workers, [scheduler]):
            for process in group:
                process.terminate()
            for process in group:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.add_worker()
        made.add_worker()
        with Client(made.address, timeout=DEADLINE, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=DEADLINE)
        yield made
    finally:
        made.close()


@pytest.fixture
def run(
    rsi_model: Model,
    rsi_prices: PriceSet,
    rsi_args: dict[str, Any],
    blankly_environment: Environment,
    tmp_path: Path,
) -> Any:
    def run(grid: Mapping[str, Any], **options: Any) -> SweepResult:
        return sweep(
            rsi_model,
            grid,
            prices=rsi_prices,
            args=rsi_args,
            environment=blankly_environment,
            store=PointStore(tmp_path / "points"),
            **options,
        )

    return run


def unpacked() -> int:
    return len(cluster_worker._unpacked)


def test_the_same_as_here(run: Any, running: Cluster) -> None:
    grid = {"LOW": [30, 35, 40], "SIZE": [100.0, -1.0]}
    there = run(grid, on=running.address, fresh=True)
    here = run(grid, fresh=True)
    columns = [name for name in here.table.columns if name not in ("seconds", "error")]
    assert repr(there.table[columns]) == repr(here.table[columns])
    assert there.errors["error"].tolist() == here.errors["error"].tolist()
    with Client(running.address, set_as_default=False) as client:
        assert set(client.run(unpacked).values()) <= {0, 1}


def test_a_worker_that_dies_and_one_that_joins_lose_nothing(run: Any, running: Cluster) -> None:
    """Each combination stands in the result once, whichever worker it was lost with."""
    values = list(range(21, 41))
    done: list[int] = []

    def on_progress(count: int, total: int, note: str) -> None:
        done.append(count)
        if count == 2:
            running.processes[1].kill()  # the first worker, in the middle of its work
            running.add_worker()

    with Client(running.address, set_as_default=False) as client:
        result = run({"LOW": values}, on=client, on_progress=on_progress)
    assert sorted(result.table["LOW"]) == values
    assert result.errors.empty
    assert done[-1] == len(values)


def test_an_interrupt_ends_the_runs_there(run: Any, running: Cluster) -> None:
    def interrupt(count: int, total: int, note: str) -> None:
        if count == 1:
            raise KeyboardInterrupt

    with Client(running.address, set_as_default=False) as client:
        with pytest.raises(RunCancelledError, match="after 1 of 30 runs"):
            run({"LOW": range(1, 31)}, on=client, on_progress=interrupt)
        wait_until(lambda: not any(client.processing().values()), "tasks went on")
    wait_until(lambda: not running.runs(), "runs went on")


def test_one_whole_run(
    running: Cluster,
    rsi_model: Model,
    rsi_prices: PriceSet,
    rsi_args: dict[str, Any],
    blankly_environment: Environment,
    tmp_path: Path,
) -> None:
    with Client(running.address, set_as_default=False) as client:
        package = send(client, pack(rsi_model, rsi_prices, blankly_environment))
        files = submit_backtest(client, package, rsi_args).result(DEADLINE)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    result = BacktestResult.from_run_folder(tmp_path, model=rsi_model, prices=rsi_prices)
    assert result.metrics["trades"] > 3
    assert json.loads(files["exit.json"])["reason"] == "ended"


def test_a_cancelled_run_ends_on_its_worker(
    running: Cluster, blankly_environment: Environment
) -> None:
    endless = Model.build("Endless", "import blankly\nwhile True:\n    pass\n", requirements=())
    with Client(running.address, set_as_default=False) as client:
        package = send(client, pack(endless, None, blankly_environment))
        future = submit_backtest(client, package, {})
        wait_until(lambda: running.runs(), "the run did not start")
        client.cancel([future])
        wait_until(lambda: not running.runs(), "the run went on")


@pytest.mark.parametrize("when", ["before", "under it"])
def test_a_batch_that_is_killed_loses_nothing(
    when: str,
    rsi_model: Model,
    rsi_prices: PriceSet,
    rsi_args: dict[str, Any],
    blankly_environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = pack(rsi_model, rsi_prices, blankly_environment)
    first = cluster_worker.run_point(package, {"LOW": 30}, rsi_args)
    ready = cluster_worker._ready(package)
    batch = ready.batches[0]
    guard = json.loads((batch.folder / "batch" / "guard.pid").read_text())["pid"]

    def kill() -> bool:
        if batch.alive:
            psutil.Process(guard).kill()
            wait_until(lambda: not batch.alive, "the guard did not die")
        return True

    if when == "before":
        kill()
    else:
        monkeypatch.setattr(cluster_worker, "wanted", kill)
    try:
        again = cluster_worker.run_point(package, {"LOW": 30}, rsi_args)
        assert again.error == "" and again.metrics == first.metrics
        assert bool(ready.batches) == (when == "before")
    finally:
        ready.rest()


@pytest.mark.parametrize(
    ("seconds", "count", "together"),
    [(0.1, 200, 10), (0.0, 1000, 100), (0.1, 16, 2), (30.0, 200, 1), (0.1, 3, 1)],
)
def test_points_in_a_task(seconds: float, count: int, together: int) -> None:
    """A second's work, and some tasks for each of two threads."""
    assert cluster._together(seconds, count, 2) == together


def wait_until(condition: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def test_nobody_there(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT", 1.0)
    with pytest.raises(UnreachableError, match="No Dask scheduler answers"):
        run({"LOW": [1]}, on="tcp://127.0.0.1:9")
