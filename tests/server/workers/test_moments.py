"""What a worker leaves when it dies between two steps, and what users do in between."""

from __future__ import annotations

import json
from typing import Any

import psutil
import pytest

from deploy_magics.server.housekeeping import remove_deleted
from deploy_magics.server.workers.worker import owner_prefix

LOOP_FOREVER = "import time; time.sleep(3600)"
SPOIL = """
    import atexit, glob, os
    def spoil():
        (path,) = glob.glob(os.environ["RUNS"] + "/*/result.json")
        WORK
    if not seen > 1:
        atexit.register(spoil)
"""


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class TestDeadWorker:
    """It had claimed a run and was killed; the next worker of the folder does not wait for the
    lease."""

    @pytest.fixture
    def place(self, database_url: str) -> str:
        return database_url

    @pytest.mark.parametrize("left", ["nothing", "an empty folder", "half a result", "a result"])
    def test_its_run_is_done_once_more(self, house: Any, worker: Any, left: str) -> None:
        run = house.run(house.deploy())
        dead = f"{owner_prefix(house.settings.data_dir)}dead"
        assert house.services.queue.claim(dead, 3600.0).id == run.id
        folder = house.folder(run)
        if left != "nothing":
            folder.mkdir()
        if "result" in left:
            text = json.dumps({"orders": "those of the dead"})
            (folder / "result.json").write_text(text if left == "a result" else text[:9])
        worker()
        ended = house.await_state(run, "succeeded", "failed", "cancelled")
        assert (ended.state, ended.attempts) == ("succeeded", 2)
        assert isinstance(house.services.run_files.result(run.id)["orders"], list)
        late = house.services.queue.finish(run.id, dead, 1, "failed", "too late")
        assert (late, house.now(run).state) == (False, "succeeded")

    def test_its_live_run_is_started_once_more(self, house: Any, worker: Any) -> None:
        run = house.run(house.deploy(), "live", feed={"kind": "replay", "pace": 0})
        dead = f"{owner_prefix(house.settings.data_dir)}dead"
        assert house.services.queue.claim(dead, 3600.0).id == run.id
        worker()
        ended = house.await_state(run, "succeeded", "failed", "cancelled")
        assert (ended.state, ended.attempts) == ("succeeded", 2)

    def test_anothers_run_waits_for_its_lease(self, house: Any, worker: Any) -> None:
        """Of another folder, perhaps on another machine: only time can tell that it is dead."""
        run = house.run(house.deploy())
        assert house.services.queue.claim("elsewhere", 1.0).id == run.id
        worker()
        ended = house.await_state(run, "succeeded", "failed", "cancelled")
        assert (ended.state, ended.attempts) == ("succeeded", 2)


@pytest.mark.parametrize("kind", ["backtest", "live"])
def test_deleted_while_it_runs(house: Any, worker: Any, wait_for: Any, kind: str) -> None:
    version = house.deploy(LOOP_FOREVER)
    feed = {"kind": "replay", "pace": 0} if kind == "live" else None
    run = house.run(version, kind, feed=feed)
    worker()
    guard = house.guard(run)
    house.services.models.delete(house.who, version.model_id)
    assert house.services.runs.list(house.who) == []
    wait_for(lambda: gone(guard), "the end of the guard")
    wait_for(lambda: remove_deleted(house.services), "the end of the run")
    assert not house.folder(run).exists()


@pytest.mark.parametrize(
    "work", ["os.truncate(path, 20)", "os.truncate(path, 300 << 20)", "os.unlink(path)"]
)
def test_a_result_that_is_not_whole_is_no_success(house: Any, worker: Any, work: str) -> None:
    version = house.deploy(SPOIL.replace("WORK", work))
    house.variable(version, "RUNS", str(house.settings.runs_dir))
    run = house.run(version)
    worker()
    ended = house.await_state(run, "succeeded", "failed", "cancelled")
    assert ended.state == "failed"
    assert "result" in ended.error
