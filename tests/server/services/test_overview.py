"""The overview: the newest of each model, of this account only, in few queries."""

from __future__ import annotations

from sqlalchemy import event

from deploy_magics.server.dialects import blankly_shapes
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.services.overview import LATEST
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.blobs import Blob


def fill(services: Services, who: Principal, name: str, versions: int, runs: int) -> str:
    model = services.models.create(who, who.account_id, name)
    with services.store.write():
        for _ in range(versions):
            version = services.versions.create(who, model.id)
            services.versions.add_revision(who, version.id, Blob(f"{version.number:064}", 7))
        version = services.versions.get(who, version.id)
        for number in range(runs):
            services.runs.create(who, "backtest", version, description=str(number))
    return model.id


def test_the_newest_of_each_model_and_how_many_there_are(
    services: Services, ann: Principal, bob: Principal
) -> None:
    many = fill(services, ann, "many", LATEST + 5, LATEST + 5)
    fill(services, ann, "few", 2, 1)
    services.models.create(ann, ann.account_id, "none")
    fill(services, bob, "bobs", 1, 1)
    # a gap in the numbers takes nothing away
    middle = services.versions.by_name(ann, many, f"v{LATEST}")
    services.versions.delete(ann, middle.id)
    (project,) = blankly_shapes.overview(services.overview.latest(ann))
    found = {model["name"]: model for model in project["models"]}
    assert list(found) == ["many", "few", "none"]
    numbers = [version["version"] for version in found["many"]["versions"]]
    assert numbers == [n for n in range(LATEST + 5, 0, -1) if n != LATEST][:LATEST]
    assert found["many"]["versionCount"] == LATEST + 4
    assert found["many"]["versions"][0]["sha256"] == f"{LATEST + 5:064}"
    assert [run["description"] for run in found["many"]["runs"]] == [
        str(number) for number in range(LATEST + 4, 4, -1)
    ]
    assert found["many"]["runs"][0]["version"] == LATEST + 5
    assert [len(found["few"][what]) for what in ("versions", "runs")] == [2, 1]
    assert found["none"]["versions"] == found["none"]["runs"] == []


def test_as_many_queries_for_many_models_as_for_one(services: Services, ann: Principal) -> None:
    asked: list[str] = []
    event.listen(
        services.store.engine, "before_cursor_execute", lambda _, __, text, *___: asked.append(text)
    )
    counts = []
    for number in range(2):
        for more in range(1 + 9 * number):
            fill(services, ann, f"M{number}-{more}", 1, 1)
        asked.clear()
        services.overview.latest(ann)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 10


def test_a_projects_token_sees_its_own_project(services: Services, ann: Principal) -> None:
    fill(services, ann, "mine", 1, 1)
    project = services.projects.create(ann, "P")
    text, _ = services.tokens.create(ann, "narrow", project_id=project.id)
    latest = services.overview.latest(services.tokens.by_token(text))
    assert [row.name for row in latest.projects] == ["P"]
    assert latest.models == latest.versions == latest.runs == []


def test_the_fingerprint_follows_every_change(services: Services, ann: Principal) -> None:
    seen = {services.overview.fingerprint(ann)}
    model = services.models.create(ann, ann.account_id, "M")
    seen.add(services.overview.fingerprint(ann))
    version = services.versions.create(ann, model.id)
    services.versions.add_revision(ann, version.id, Blob("0" * 64, 1))
    seen.add(services.overview.fingerprint(ann))
    run = services.runs.create(ann, "backtest", services.versions.get(ann, version.id))
    seen.add(services.overview.fingerprint(ann))
    services.runs.stop(ann, run.id)
    seen.add(services.overview.fingerprint(ann))
    services.models.update(ann, model.id, description="new")
    seen.add(services.overview.fingerprint(ann))
    assert len(seen) == 6
    services.models.delete(ann, model.id)
    assert services.overview.fingerprint(ann) in seen  # as nothing was there in the beginning
    other = principal(services.accounts.create("carl"))
    before = services.overview.fingerprint(ann)
    services.models.create(other, other.account_id, "X")
    assert services.overview.fingerprint(ann) == before
