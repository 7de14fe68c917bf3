"""The worker over real models: run, fail, stop, restart, adopt, requeue; nothing left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy_magics.errors import ServiceError
from deploy_magics.executor.process import attach
from deploy_magics.server.services.ubiops_templates import TEMPLATES
from deploy_magics.server.starters import starter_zip
from deploy_magics.server.workers import job as job_module
from deploy_magics.server.workers.job import Job
from deploy_magics.server.workers.worker import Capacity, Worker

LOOP_FOREVER = "import time; time.sleep(3600)"
WAIT_ONCE = """
    import os, pathlib, time
    mark = pathlib.Path(os.environ["MARK"])
    if not mark.exists():
        mark.touch()
        time.sleep(3600)
"""


def gone(process: psutil.Process) -> bool:
    """Whether it has ended; somebody may still have to wait for it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def revision(house: Any, version: Any, revision_id: str) -> Any:
    return house.services.versions.revision(house.who, version.id, revision_id)


def await_built(house: Any, wait_for: Any, version: Any, revision_id: str) -> Any:
    def ended() -> Any:
        row = revision(house, version, revision_id)
        return row if row.status in ("success", "failed") else None

    return wait_for(ended, "the build")


class TestBacktest:
    def test_result_lies_in_the_run_folder(self, house: Any, worker: Any) -> None:
        worker()
        run = house.run(house.deploy())
        ended = house.await_state(run, "succeeded", "failed")
        assert (ended.state, ended.error, ended.attempts) == ("succeeded", None, 1)
        result = json.loads((house.folder(run) / "result.json").read_text())
        assert result["orders"]

    def test_model_that_raises_fails_with_its_error(self, house: Any, worker: Any) -> None:
        version = house.deploy()
        bad = house.services.blobs.put(
            _with_script(house, version, "raise ValueError('no luck')").zip_bytes()
        )
        house.services.versions.add_revision(house.who, version.id, bad)
        run = house.run(house.services.versions.get(house.who, version.id))
        worker()
        ended = house.await_state(run, "succeeded", "failed")
        assert ended.state == "failed"
        assert "no luck" in ended.error

    def test_stopped_while_it_runs(self, house: Any, worker: Any, wait_for: Any) -> None:
        worker()
        run = house.run(house.deploy(LOOP_FOREVER))
        guard = house.guard(run)
        house.await_state(run, "running")
        house.services.runs.stop(house.who, run.id)
        assert house.await_state(run, "succeeded", "failed", "cancelled").state == "cancelled"
        assert attach(house.folder(run)).wait(60) is not None
        wait_for(lambda: gone(guard), "the end of the guard")

    def test_worker_that_ends_gives_its_run_back(self, house: Any, worker: Any) -> None:
        first = worker()
        run = house.run(house.deploy(LOOP_FOREVER))
        house.guard(run)
        house.await_state(run, "running")
        first.stop()
        assert house.await_state(run, "queued").owner is None

    def test_worker_ends_when_its_parent_is_gone(self, house: Any, worker_process: Any) -> None:
        assert worker_process().close_input() == 0


def _with_script(house: Any, version: Any, source: str) -> Any:
    from deploy_magics.model.model import Model

    row = house.services.versions.active_revision(version)
    model = Model.from_zip(house.services.blobs.path(row.sha256))
    return Model(model.name, model.manifest, {**model.files, "bot.py": source.encode()})


class TestDatabaseAway:
    def test_an_end_that_cannot_be_written_is_written_later(
        self, house: Any, worker: Any, monkeypatch: Any
    ) -> None:
        real, refused = house.services.queue.finish, []

        def finish(*arguments: Any, **options: Any) -> bool:
            if len(refused) < 3:
                refused.append(1)
                raise ServiceError("The database is busy.", status=503)
            return real(*arguments, **options)

        monkeypatch.setattr(house.services.queue, "finish", finish)
        worker()
        run = house.run(house.deploy())
        live = house.run(house.deploy(name="live"), "live", feed={"kind": "replay", "pace": 0})
        assert house.await_state(run, "succeeded", "failed").attempts == 1
        assert house.await_state(live, "succeeded", "failed").state == "succeeded"

    def test_a_run_is_kept_while_its_package_cannot_be_read(
        self, house: Any, worker: Any, monkeypatch: Any
    ) -> None:
        real, refused = house.services.runs.inputs, []

        def inputs(run_id: str) -> Any:
            if not refused:
                refused.append(1)
                raise ServiceError("The database is busy.", status=503)
            return real(run_id)

        monkeypatch.setattr(house.services.runs, "inputs", inputs)
        monkeypatch.setattr(job_module, "RETRY_SECONDS", 0.1)
        worker()
        run = house.run(house.deploy())
        ended = house.await_state(run, "succeeded", "failed")
        assert (ended.state, ended.attempts) == ("succeeded", 2)


class TestScreens:
    def test_a_screener_runs_when_it_is_due(self, house: Any, worker: Any, wait_for: Any) -> None:
        version = house.version("movers", kind="screener")
        blob = house.services.blobs.put(starter_zip("movers"))
        house.services.versions.add_revision(house.who, version.id, blob)
        version = house.services.versions.get(house.who, version.id)
        house.services.schedules.set(house.who, version, "30 14 * * 1-5")
        assert house.services.schedules.tick(time.time() + 7 * 86_400)
        worker()
        (run,) = house.services.runs.list(house.who, kind="screen")
        ended = house.await_state(run, "succeeded", "failed")
        assert (ended.state, ended.error) == ("succeeded", None)
        assert json.loads((house.folder(run) / "result.json").read_text())["screeners"]


class TestCapacity:
    def test_plans_are_what_is_enforced_and_what_is_free(self, house: Any) -> None:
        run = house.run(house.deploy(), plan="small")
        limits = Job(house.services, run).limits
        assert (limits.cpus, limits.memory) == (2.0, 4096 << 20)
        small = Worker(house.services, capacity=Capacity(2.0, 1 << 40))
        assert small._claim_long()  # alone, whatever its size
        house.run(house.deploy(name="second"))
        try:
            assert not small._claim_long()  # the first has all of the cores
        finally:
            small.stop()
            small._end()

    def test_slots_of_builds_and_requests_are_their_own(self, house: Any) -> None:
        version = house.version(kind="deployment")
        for _ in range(3):
            house.upload(version, {"deployment.py": "import time; time.sleep(3600)"})
        busy = Worker(house.services, capacity=Capacity(1.0, 1 << 40))
        try:
            assert [busy._claim_short() for _ in range(3)] == [True, True, False]
            house.run(house.deploy(name="second"))
            assert busy._claim_long()
        finally:
            busy._end()


class TestLive:
    def test_replay_runs_to_its_end(self, house: Any, worker: Any) -> None:
        worker()
        run = house.run(house.deploy(), "live", feed={"kind": "replay", "pace": 0})
        ended = house.await_state(run, "succeeded", "failed", "cancelled")
        assert (ended.state, ended.error) == ("succeeded", None)
        events = (house.folder(run) / "events.jsonl").read_text()
        assert '"order"' in events

    def test_starts_again_after_a_kill_and_gives_up_at_last(
        self, house: Any, worker: Any, monkeypatch: Any
    ) -> None:
        from deploy_magics.server.workers import live

        monkeypatch.setattr(live, "FIRST_DELAY", 0.01)
        monkeypatch.setattr(live, "GIVE_UP", 2)
        worker()
        run = house.run(
            house.deploy("import os; os._exit(7)"), "live", feed={"kind": "replay", "pace": 0}
        )
        ended = house.await_state(run, "failed", "succeeded")
        assert (ended.state, ended.restarts, ended.attempts) == ("failed", 2, 3)
        assert ended.error.startswith("Given up after 2 restarts.")

    def test_stop_and_start(self, house: Any, worker: Any) -> None:
        worker()
        run = house.run(house.deploy(), "live", feed={"kind": "replay", "pace": 5})
        house.guard(run)
        house.await_state(run, "running")
        house.services.runs.stop(house.who, run.id)
        house.await_state(run, "cancelled")
        house.services.runs.start(house.who, run.id)
        assert house.await_state(run, "running", "failed").state == "running"
        house.services.runs.stop(house.who, run.id)
        house.await_state(run, "cancelled")

    def test_guard_that_is_killed_is_started_again(
        self, house: Any, worker: Any, wait_for: Any
    ) -> None:
        worker()
        run = house.run(house.deploy(), "live", feed={"kind": "replay", "pace": 5})
        first = house.guard(run)
        house.await_state(run, "running")
        first.send_signal(signal.SIGKILL)
        wait_for(lambda: house.now(run).attempts == 2, "a second attempt")
        house.await_state(run, "running")
        house.services.runs.stop(house.who, run.id)
        house.await_state(run, "cancelled")


class TestBuild:
    def test_states_and_methods(self, house: Any, worker: Any, wait_for: Any) -> None:
        version = house.version(kind="deployment")
        first = house.upload(version, {"deployment_package/deployment.py": TEMPLATES[2].code[9:]})
        assert revision(house, version, first).status == "queued"
        worker()
        code = "class Deployment:\n    def request(self, data):\n        return data\n"
        built = house.upload(version, {"deployment.py": code})
        row = await_built(house, wait_for, version, built)
        assert (row.status, row.has_request, row.has_requests) == ("success", True, False)

    def test_failure_leaves_the_active_revision(
        self, house: Any, worker: Any, wait_for: Any
    ) -> None:
        worker()
        version = house.version(kind="deployment")
        code = "class Deployment:\n    def request(self, data):\n        return data\n"
        good = house.upload(version, {"any_name/deployment.py": code})
        assert await_built(house, wait_for, version, good).status == "success"
        for files, words in (
            ({"deployment.py": "raise RuntimeError('broken')"}, "RuntimeError: broken"),
            ({"deployment.py": "x = 1"}, "does not contain a class named 'Deployment'"),
            ({"deployment.py": "class Deployment: pass"}, "neither a 'request'"),
            ({"main.py": code}, "does not contain deployment.py"),
            ({"deployment.py": code, "requirements.txt": "-r /etc/passwd"}, "requirements"),
            ({"deployment.py": code, "requirements.txt": "no-such-thing-x==99"}, "no-such-thing-x"),
        ):
            bad = house.upload(version, files)
            row = await_built(house, wait_for, version, bad)
            assert row.status == "failed", files
            assert words in row.error_message
        assert house.services.versions.get(house.who, version.id).active_revision_id == good


class TestKills:
    """On both databases: nothing is lost, nothing is left behind."""

    @pytest.fixture
    def place(self, database_url: str) -> str:
        return database_url

    def test_killed_worker_leaves_its_run_to_the_next(
        self, house: Any, worker_process: Any, wait_for: Any
    ) -> None:
        mark = house.settings.data_dir / "mark"
        version = house.deploy(WAIT_ONCE)
        house.variable(version, "MARK", str(mark))
        first = worker_process()
        run = house.run(version)
        guard = house.guard(run)
        wait_for(mark.exists, "the first price")
        first.kill()
        worker_process()
        ended = house.await_state(run, "succeeded", "failed")
        assert (ended.state, ended.attempts) == ("succeeded", 2)
        wait_for(lambda: gone(guard), "the end of the first guard")

    def test_survives_the_worker_and_is_adopted(
        self, house: Any, worker_process: Any, wait_for: Any
    ) -> None:
        first = worker_process()
        run = house.run(house.deploy(), "live", feed={"kind": "replay", "pace": 5})
        guard = house.guard(run)
        house.await_state(run, "running")
        first.kill()
        assert not gone(guard)
        second = worker_process()
        before = house.now(run).owner
        wait_for(lambda: house.now(run).owner not in (None, before), "the adoption")
        assert (gone(guard), house.now(run).attempts) == (False, 1)
        assert second.terminate() == 0
        assert not gone(guard)
        worker_process()
        house.services.runs.stop(house.who, run.id)
        assert house.await_state(run, "succeeded", "failed", "cancelled").state == "cancelled"
        wait_for(lambda: gone(guard), "the end of the guard")

    def test_killed_worker_leaves_its_build_to_the_next(
        self, house: Any, worker_process: Any, wait_for: Any
    ) -> None:
        version = house.version(kind="deployment")
        code = (
            "import os, pathlib, time\n"
            "mark = pathlib.Path(os.environ['MARK'])\n"
            "if not mark.exists():\n    mark.touch()\n    time.sleep(3600)\n"
            "class Deployment:\n    def request(self, data):\n        return data\n"
        )
        mark = house.settings.data_dir / "mark"
        house.variable(version, "MARK", str(mark))
        first = worker_process()
        built = house.upload(version, {"deployment.py": code})
        wait_for(mark.exists, "the import")
        assert revision(house, version, built).status == "validating"
        first.kill()
        worker_process()
        assert await_built(house, wait_for, version, built).status == "success"

    def test_killed_again_and_again(
        self, house: Any, worker_process: Any, wait_for: Any, place: str
    ) -> None:
        """Rounds of a worker that is killed at a moment of chance; the seed is in the message."""
        rounds = int(os.environ.get("DEPLOY_MAGICS_KILL_ROUNDS", "4"))
        seed = int(os.environ.get("DEPLOY_MAGICS_KILL_SEED", "1"))
        chance = random.Random(seed)
        strategy, deployment = house.deploy(), house.version("service", kind="deployment")
        code = "class Deployment:\n    def request(self, data):\n        return data\n"
        runs, builds = [], []
        live = house.run(house.deploy(name="live"), "live", feed={"kind": "replay", "pace": 1})
        for _ in range(rounds):
            runs.append(house.run(strategy))
            builds.append(house.upload(deployment, {"deployment.py": code}))
            each = worker_process()
            time.sleep(chance.uniform(0.3, 3.0))
            each.kill()
        worker_process()
        for run in runs:
            ended = house.await_state(run, "succeeded", "failed", "cancelled")
            assert (ended.state, ended.error) == ("succeeded", None), f"seed {seed}"
        for build in builds:
            assert await_built(house, wait_for, deployment, build).status == "success"
        house.await_state(live, "running")
        house.services.runs.stop(house.who, live.id)
        house.await_state(live, "cancelled")
        wait_for(lambda: not guards_in(house.settings.runs_dir), "the end of all guards")


def guards_in(folder: Path) -> list[str]:
    """Processes that have something to do with a run of that folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if str(folder) in command:
            found.append(command)
    return found
