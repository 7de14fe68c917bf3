"""The queue: claimed once, reclaimed when a worker dies, fair, and never taken back by the late."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlalchemy import insert

from deploy_magics.server.services import Services, plans
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.blobs import Blob
from deploy_magics.server.store.tables import Run, Version

BLOB = Blob("0" * 64, 1)


@pytest.fixture
def version(services: Services, ann: Principal) -> Version:
    return make_version(services, ann, "RSI")


def make_version(services: Services, who: Principal, name: str) -> Version:
    model = services.models.create(who, who.account_id, name)
    version = services.versions.create(who, model.id)
    services.versions.add_revision(who, version.id, BLOB)
    return services.versions.get(who, version.id)


def claim(services: Services, owner: str = "w1", lease: float = 60.0, **options: Any) -> Run | None:
    return services.queue.claim(owner, lease, **options)


def taken(services: Services, owner: str = "w1", lease: float = 60.0) -> Run:
    run = claim(services, owner, lease)
    assert run is not None
    return run


def test_oldest_first_and_each_once(services: Services, ann: Principal, version: Version) -> None:
    made = [services.runs.create(ann, "backtest", version).id for _ in range(3)]
    assert [taken(services).id for _ in range(3)] == made
    assert claim(services) is None


def test_many_workers_claim_each_run_once(
    services: Services, ann: Principal, version: Version
) -> None:
    made = {services.runs.create(ann, "backtest", version).id for _ in range(30)}
    found: list[str] = []

    def work(owner: str) -> None:
        while (run := claim(services, owner)) is not None:
            found.append(run.id)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # on PostgreSQL a claim skips rows that another holds and may come away empty: ask again
    work("last")
    assert sorted(found) == sorted(made)


def test_the_run_of_a_dead_worker_is_taken_again(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "backtest", version)
    dead = taken(services, "dead", lease=-1)
    again = taken(services, "w2")
    assert (again.id, again.attempts) == (run.id, 2)
    assert services.queue.heartbeat(run.id, "dead", dead.attempts, 60) is None
    assert not services.queue.finish(run.id, "dead", dead.attempts, "succeeded")
    assert services.queue.finish(run.id, "w2", 2, "failed", "it raised")
    ended = services.runs.get(ann, run.id)
    assert (ended.state, ended.error, ended.owner) == ("failed", "it raised", None)


def test_a_clock_that_jumps_does_not_take_a_workers_own_runs(
    services: Services, ann: Principal, version: Version
) -> None:
    services.runs.create(ann, "backtest", version)
    taken(services, "w1", lease=-3600)
    assert claim(services, "w1") is None


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 30 * 86_400.0])
def test_no_clock_that_is_set_starts_a_run_twice(
    services: Services,
    ann: Principal,
    version: Version,
    monkeypatch: pytest.MonkeyPatch,
    jump: float,
) -> None:
    """Another machine's worker shares PostgreSQL; SQLite has one machine and one worker."""
    run = services.runs.create(ann, "backtest", version)
    held = taken(services, "w1")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    other = "w1" if services.store.is_sqlite else "w2"
    assert not services.queue.is_due(other)
    assert claim(services, other) is None
    assert services.queue.heartbeat(run.id, "w1", held.attempts, 60) == "running"
    monkeypatch.undo()
    assert claim(services, other) is None
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    assert services.queue.finish(run.id, "w1", held.attempts, "succeeded")
    ended = services.runs.get(ann, run.id)
    assert ended.started_at is not None and ended.ended_at is not None
    assert ended.ended_at >= ended.started_at


def test_a_back_off_does_not_wait_for_a_clock_that_was_set_back(
    services: Services, ann: Principal, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = services.runs.create(ann, "live", version)
    held = taken(services)
    assert services.queue.release(run.id, "w1", held.attempts, not_before=time.time() + 60)
    assert claim(services) is None
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)
    assert taken(services).id == run.id


def test_a_heartbeat_answers_what_is_wanted(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "backtest", version)
    held = taken(services)
    beat = services.queue.heartbeat(run.id, "w1", held.attempts, 60, progress={"done": 5})
    assert beat == "running"
    services.runs.stop(ann, run.id)
    assert services.queue.heartbeat(run.id, "w1", held.attempts, 60) == "stopped"
    assert services.runs.get(ann, run.id).progress == {"done": 5}


def test_what_waits_is_cancelled_at_once(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "backtest", version)
    assert services.runs.stop(ann, run.id).state == "cancelled"
    assert claim(services) is None


def test_stopped_and_finished_in_the_same_moment_is_stopped(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "backtest", version)
    held = taken(services)
    services.runs.stop(ann, run.id)
    assert services.queue.finish(run.id, "w1", held.attempts, "succeeded")
    assert services.runs.get(ann, run.id).state == "cancelled"


def test_a_released_run_waits_for_its_time(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "live", version)
    held = taken(services)
    later = time.time() + 300
    assert services.queue.release(run.id, "w1", held.attempts, not_before=later, restarts=1)
    assert claim(services) is None
    assert services.runs.get(ann, run.id).restarts == 1


def test_a_released_run_that_is_to_stop_is_cancelled(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "live", version)
    held = taken(services)
    services.runs.stop(ann, run.id)
    assert services.queue.release(run.id, "w1", held.attempts)
    ended = services.runs.get(ann, run.id)
    assert ended.state == "cancelled"
    assert ended.ended_at is not None


def test_one_live_run_of_a_model_at_a_time(
    services: Services, ann: Principal, version: Version
) -> None:
    old = services.runs.create(ann, "live", version)
    held = taken(services)
    new = services.runs.create(ann, "live", version)
    assert services.runs.get(ann, old.id).wanted == "stopped"
    assert claim(services) is None
    services.queue.finish(old.id, "w1", held.attempts, "cancelled")
    assert taken(services).id == new.id


def test_a_crowd_of_one_account_does_not_keep_another_waiting(
    services: Services, ann: Principal, bob: Principal, version: Version
) -> None:
    for _ in range(5):
        services.runs.create(ann, "backtest", version)
    late = services.runs.create(bob, "backtest", make_version(services, bob, "mine"))
    taken(services)
    assert taken(services).id == late.id


def test_a_crowd_waits_its_turn_also_where_one_runs_at_a_time(
    services: Services, ann: Principal, bob: Principal, version: Version
) -> None:
    """Nobody has anything running when the only slot is free: who was served last waits."""
    for _ in range(5):
        services.runs.create(ann, "backtest", version)
    others = make_version(services, bob, "mine")
    late = [services.runs.create(bob, "backtest", others).id for _ in range(2)]
    served = []
    for _ in range(7):
        run = taken(services)
        assert services.queue.finish(run.id, "w1", run.attempts, "succeeded")
        served.append(run.id)
    assert [place for place, run_id in enumerate(served) if run_id in late] == [1, 3]


def test_a_queue_of_ten_thousand_is_claimed_from_as_quickly_as_ever(
    services: Services, ann: Principal, bob: Principal, version: Version
) -> None:
    """Not timed: ten claims must not take the minutes that a quadratic search would."""
    model = services.models.get(ann, version.model_id)
    with services.store.write() as session:
        made = {"account_id": ann.account_id, "project_id": model.project_id}
        made |= {"model_id": model.id, "version_id": version.id}
        kinds = ("backtest", "live")
        session.execute(insert(Run), [{**made, "kind": kinds[n % 2]} for n in range(10_000)])
    late = services.runs.create(bob, "backtest", make_version(services, bob, "mine"))
    first, second = taken(services), taken(services)
    assert (first.account_id, second.id) == (ann.account_id, late.id)
    for _ in range(10):
        assert taken(services).account_id == ann.account_id


def test_a_plan_that_does_not_fit_is_left(
    services: Services, ann: Principal, version: Version
) -> None:
    large = services.runs.create(ann, "backtest", version, plan="medium")
    assert claim(services, free_cpus=1, free_memory=plans.get("nano").memory) is None
    small = services.runs.create(ann, "backtest", version, plan="nano")
    fits = claim(services, free_cpus=1, free_memory=plans.get("nano").memory)
    assert fits is not None
    assert fits.id == small.id
    assert taken(services).id == large.id


def test_an_ended_live_run_starts_again_under_its_id(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "live", version)
    held = taken(services)
    services.queue.finish(run.id, "w1", held.attempts, "failed", "crashed")
    assert services.runs.start(ann, run.id).state == "queued"
    again = taken(services)
    assert (again.id, again.attempts, again.error) == (run.id, 2, None)


def test_only_named_kinds_are_claimed(services: Services, ann: Principal, version: Version) -> None:
    services.runs.create(ann, "build", version)
    assert claim(services, kinds=("backtest", "live")) is None
    assert taken(services).kind == "build"


def test_a_schedule_made_under_a_clock_ahead_does_not_wait_for_it(
    services: Services, ann: Principal, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 30 * 86_400)
    services.schedules.set(ann, version, "0 * * * *")
    monkeypatch.undo()
    assert services.schedules.tick() == []
    found = services.schedules.of_model(version.model_id)
    assert found is not None and found.next_at is not None
    assert found.next_at <= now() + 3600
    monkeypatch.setattr(time, "time", lambda: now() - 7200)  # and set back while it runs
    services.schedules.tick()
    found = services.schedules.of_model(version.model_id)
    assert found is not None and found.next_at is not None
    assert found.next_at <= now() - 3600
