"""Rules that every dialect relies on: variables, accounts, schedules, what is cleared away."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlalchemy import select, update

from deploy_magics.errors import ConflictError, DeployMagicsError, RejectedError, ServiceError
from deploy_magics.server import housekeeping
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.rules import clean_json, clean_name, clean_text
from deploy_magics.server.services.schedules import checked_cron, next_time
from deploy_magics.server.store.blobs import Blob
from deploy_magics.server.store.tables import Run, Variable, Version


@pytest.fixture
def version(services: Services, ann: Principal) -> Version:
    model = services.models.create(ann, ann.account_id, "RSI")
    version = services.versions.create(ann, model.id)
    services.versions.add_revision(ann, version.id, Blob("0" * 64, 1))
    return services.versions.get(ann, version.id)


def test_a_run_sees_version_over_model_over_project(
    services: Services, ann: Principal, version: Version
) -> None:
    variables = services.variables
    project = variables.scope(ann, project_id=ann.account_id)
    model = variables.scope(ann, model_id=version.model_id)
    own = variables.scope(ann, version_id=version.id)
    for scope, names in ((project, "ABC"), (model, "BC"), (own, "C")):
        for name in names:
            variables.create(ann, scope, name, scope.level, secret=name == "B")
    assert variables.effective(version.id) == {"A": "project", "B": "model", "C": "version"}
    seen = {row.name: (row.value, level) for row, level in variables.inherited(ann, own)}
    assert seen == {"A": ("project", "project"), "B": (None, "model"), "C": ("version", None)}


def test_secrets_stay_secret_and_in_their_row(
    services: Services, ann: Principal, version: Version
) -> None:
    variables = services.variables
    scope = variables.scope(ann, version_id=version.id)
    secret = variables.create(ann, scope, "KEY", "sesame", secret=True)
    with pytest.raises(RejectedError):
        variables.update(ann, scope, secret.id, secret=False)
    variables.update(ann, scope, "KEY", name="NEW_KEY")
    assert variables.effective(version.id) == {"NEW_KEY": "sesame"}
    other = variables.create(ann, scope, "OTHER", "x", secret=True)
    with services.store.write() as session:
        stolen = select(Variable.cipher).where(Variable.id == secret.id).scalar_subquery()
        session.execute(update(Variable).where(Variable.id == other.id).values(cipher=stolen))
    with pytest.raises(ServiceError, match="row"):
        variables.effective(version.id)


def test_copies_overwrite_and_keep_secrets(
    services: Services, ann: Principal, version: Version
) -> None:
    variables = services.variables
    model = variables.scope(ann, model_id=version.model_id)
    own = variables.scope(ann, version_id=version.id)
    variables.create(ann, model, "KEY", "sesame", secret=True)
    variables.create(ann, own, "KEY", "old")
    (copied,) = variables.copy(ann, model, own)
    assert (copied.secret, copied.value) == (True, None)
    assert variables.effective(version.id) == {"KEY": "sesame"}


def test_of_many_at_the_limit_exactly_as_many_pass(services: Services, ann: Principal) -> None:
    services.models._quota = 3
    outcomes: list[str] = []

    def create(number: int) -> None:
        try:
            services.models.create(ann, ann.account_id, f"M{number}")
            outcomes.append("made")
        except ConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=create, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] * 3 + ["refused"] * 7


def test_versions_made_at_once_are_numbered_without_gap(
    services: Services, ann: Principal, version: Version
) -> None:
    threads = [
        threading.Thread(target=services.versions.create, args=(ann, version.model_id))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [row.number for row in services.versions.list(ann, version.model_id)]
    assert numbers == list(range(9, 0, -1))


def test_the_first_version_is_the_default_and_the_newest_follows_it(
    services: Services, ann: Principal, version: Version
) -> None:
    second = services.versions.create(ann, version.model_id)
    third = services.versions.create(ann, version.model_id, name="candidate")
    assert services.models.get(ann, version.model_id).default_version_id == version.id
    services.versions.delete(ann, version.id)
    assert services.models.get(ann, version.model_id).default_version_id == third.id
    with pytest.raises(ConflictError):
        services.versions.update(ann, second.id, name="candidate")


def test_a_revision_that_fails_to_build_leaves_the_old_one_active(
    services: Services, ann: Principal, version: Version
) -> None:
    new = services.versions.add_revision(ann, version.id, Blob("1" * 64, 1), status="queued")
    services.versions.update_revision(new.id, status="failed", error_message="no")
    assert services.versions.get(ann, version.id).active_revision_id == version.active_revision_id
    better = services.versions.add_revision(ann, version.id, Blob("2" * 64, 1), status="queued")
    services.versions.update_revision(better.id, status="success")
    assert services.versions.get(ann, version.id).active_revision_id == better.id
    assert services.versions.update_revision("gone", status="success") is None


def test_unknown_columns_are_refused(services: Services, ann: Principal, version: Version) -> None:
    for change in ({"project_id": "x"}, {"account_id": "x"}, {"id": "x"}):
        with pytest.raises(RejectedError):
            services.models.update(ann, version.model_id, **change)
        with pytest.raises(RejectedError):
            services.versions.update(ann, version.id, **change)


def test_a_screen_is_not_queued_twice_and_a_missed_one_once(
    services: Services, ann: Principal, version: Version
) -> None:
    schedule = services.schedules.set(ann, version, "0 * * * *", template={"live": False})
    due = schedule.next_at
    (first,) = services.schedules.tick(due + 1)
    assert services.schedules.tick(due + 3601) == []
    held = services.queue.claim("w1", 60)
    assert held is not None
    services.queue.finish(first.id, "w1", held.attempts, "succeeded")
    # ten hours away: made up for once
    assert len(services.schedules.tick(due + 36_000)) == 1
    found = services.schedules.of_model(version.model_id)
    assert found is not None
    assert found.next_at > due + 36_000
    services.schedules.enable(version.model_id, False)
    assert services.schedules.tick(due + 1e9) == []


@pytest.mark.parametrize(
    "cron", ["", "every day", "* * * *", "61 * * * *", "* * * * * *", "x" * 999]
)
def test_what_is_no_schedule(cron: str) -> None:
    with pytest.raises(RejectedError):
        checked_cron(cron)


def test_schedules_are_utc() -> None:
    assert next_time("30 14 * * 1-5", 1_795_219_200) == 1_795_444_200  # from a Saturday


def test_what_is_deleted_goes_when_its_processes_are_gone(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "live", version)
    folder = services.settings.run_folder(run.id)
    folder.mkdir()
    held = services.queue.claim("w1", 60)
    assert held is not None
    services.models.delete(ann, version.model_id)
    assert housekeeping.remove_deleted(services) == 0
    assert services.queue.finish(run.id, "w1", held.attempts, "cancelled")
    assert housekeeping.remove_deleted(services) == 1
    assert not folder.exists()
    with services.store.read() as session:
        assert session.get(Run, run.id) is None


def test_logs_past_their_time_go_and_rows_stay(
    services: Services, ann: Principal, version: Version
) -> None:
    run = services.runs.create(ann, "backtest", version)
    folder = services.settings.run_folder(run.id)
    folder.mkdir()
    held = services.queue.claim("w1", 60)
    assert held is not None
    assert housekeeping.remove_old(services, -1) == 0
    services.queue.finish(run.id, "w1", held.attempts, "succeeded")
    assert housekeeping.remove_old(services, 3600) == 0
    assert housekeeping.remove_old(services, -1) == 1
    assert services.runs.get(ann, run.id).state == "succeeded"
    housekeeping.clear(services)


def test_answers_are_pruned(services: Services, ann: Principal, monkeypatch: Any) -> None:
    services.answers.keep(ann, "k", "digest", {"a": 1})
    assert services.answers.find(ann, "k", "digest") == {"a": 1}
    later = time.time() + 4 * 86_400
    monkeypatch.setattr("deploy_magics.server.services.answers.time.time", lambda: later)
    services.answers.prune()
    assert services.answers.find(ann, "k", "digest") is None


def test_accounts_are_found_by_name_and_address(services: Services, ann: Principal) -> None:
    assert services.accounts.by_name("ann@x.org").id == ann.account_id
    for taken in ({"name": "ann"}, {"name": "other", "email": "ann@x.org"}, {"name": "ann@x.org"}):
        with pytest.raises(ConflictError):
            services.accounts.create(**taken)


@pytest.mark.parametrize(
    "value",
    ["", " ", "a/b", "a\\b", "..", "a\x00", "a\nb", "a\u202eb", "x" * 129, "\ud800", None, 7],
)
def test_names_that_are_none(value: Any) -> None:
    with pytest.raises(RejectedError):
        clean_name(value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 10**400, "a\x00", "\ud800", {"a": {"b": "\x00"}}, [[[]]] * 20_000],
)
def test_json_that_a_database_would_not_take(value: Any) -> None:
    with pytest.raises(DeployMagicsError):
        clean_json({"x": value}, "arguments")
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(RejectedError):
        clean_json(deep, "arguments")


def test_text_is_kept_as_it_is(services: Services, ann: Principal) -> None:
    text = 'Zürich – "RSI" <b>30</b>\n\tИ 日本 🙂'
    assert clean_text(text) == text
    project = services.projects.create(ann, "Zürich 🙂", text)
    assert services.projects.get(ann, project.id).description == text
