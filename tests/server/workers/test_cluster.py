"""Backtests of the queue on a real Dask cluster, a plan being what a run takes of its worker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from deploy_magics.server.settings import Settings
from deploy_magics.server.workers.cluster import offers
from deploy_magics.server.workers.worker import Worker

DEADLINE = 120.0


def start(folder: Path, what: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
    command += ["--host", "127.0.0.1", "--scheduler-file", str(folder / "scheduler.json")]
    with (folder / f"{what}.log").open("wb") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder
        )


@pytest.fixture
def scheduler(tmp_path: Path, wait_for: Any) -> Iterator[str]:
    """The address of a scheduler with one worker that says what it has."""
    known = tmp_path / "scheduler.json"
    started = [start(tmp_path, "scheduler", "--port", "0", "--no-dashboard", "--no-show")]
    try:
        wait_for(lambda: known.exists() and known.read_text().strip(), "the scheduler")
        resources = ["--resources", "cpus=1 memory=2e9"]
        quiet = ["--no-nanny", "--no-dashboard", "--nthreads", "2", "--memory-limit", "0"]
        local = ["--local-directory", str(tmp_path)]
        started.append(start(tmp_path, "worker", *quiet, *resources, *local))
        yield json.loads(known.read_text())["address"]
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def settings(tmp_path: Path, place: str, scheduler: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", database_url=place, scheduler=scheduler)


def test_runs_end_on_the_cluster(scheduler: str, house: Any, wait_for: Any) -> None:
    with Client(scheduler, timeout=DEADLINE, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=DEADLINE)
        assert offers(client, {"cpus": 1.0, "memory": 1e9})
        assert not offers(client, {"gpus": 1.0})
    worker = Worker(house.services, poll=0.05)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        good = house.run(house.deploy())
        bad = house.run(house.deploy("import sys; sys.exit(3)", name="bad"))
        ended = house.await_state(good, "succeeded", "failed")
        assert (ended.state, ended.error) == ("succeeded", None)
        assert json.loads((house.folder(good) / "result.json").read_text())["orders"]
        assert house.await_state(bad, "succeeded", "failed").state == "failed"
        endless = house.run(house.deploy("import time; time.sleep(3600)", name="endless"))
        house.await_state(endless, "running")
        house.services.runs.stop(house.who, endless.id)
        house.await_state(endless, "cancelled")
    finally:
        worker.stop()
        thread.join(60)
