"""What is kept of uploads and for how long: as long as something of the account uses it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from deploy_magics.errors import NotFoundError, ServiceError
from deploy_magics.server import housekeeping
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.tables import Account


def keep(services: Services, who: Principal, data: bytes) -> str:
    with services.blobs.stage() as stage, services.store.write():
        stage.write(data)
        return services.uploads.keep(who, stage).sha256


def version_of(services: Services, who: Principal, model_id: str, sha256: str) -> Any:
    with services.store.write():
        version = services.versions.create(who, model_id)
        services.versions.add_revision(who, version.id, services.uploads.require(who, sha256))
        return services.versions.get(who, version.id)


def stored(services: Services, who: Principal) -> int:
    with services.store.read() as session:
        return session.get_one(Account, who.account_id).stored


@pytest.mark.parametrize("deleted", ["version", "model", "project"])
def test_what_nothing_uses_any_more_goes_and_its_room_is_free(
    services: Services, ann: Principal, bob: Principal, deleted: str
) -> None:
    both, mine = keep(services, ann, b"both"), keep(services, ann, b"mine")
    assert keep(services, bob, b"both") == both
    project = services.projects.create(ann, "P")
    model = services.models.create(ann, project.id, "M")
    old, new = (version_of(services, ann, model.id, sha256) for sha256 in (mine, both))
    other = services.models.create(bob, bob.account_id, "B")
    version_of(services, bob, other.id, both)
    services.uploads.sweep(older_than=-1)
    assert stored(services, ann) == 8
    if deleted == "version":
        services.versions.delete(ann, old.id)
        services.versions.delete(ann, new.id)
    elif deleted == "model":
        services.models.delete(ann, model.id)
    else:
        services.projects.delete(ann, project.id)
    services.uploads.sweep(older_than=-1)
    assert stored(services, ann) == 0
    assert not services.blobs.exists(mine)
    # Bob's is the same bytes, and still his
    assert services.blobs.read(both) == b"both"
    assert stored(services, bob) == 4
    for sha256 in (mine, both):
        with pytest.raises(NotFoundError):
            services.uploads.require(ann, sha256)


def test_a_run_keeps_its_prices_until_it_is_gone(services: Services, ann: Principal) -> None:
    package, prices = keep(services, ann, b"zip"), keep(services, ann, b"bars")
    model = services.models.create(ann, ann.account_id, "M")
    version = version_of(services, ann, model.id, package)
    blob = services.uploads.require(ann, prices)
    run = services.runs.create(ann, "backtest", version, prices={"EUR-USD": blob})
    held = services.queue.claim("w", 60)
    assert held is not None
    services.models.delete(ann, model.id)
    housekeeping.clear(services)
    services.uploads.sweep(older_than=-1)
    # its process may still read them
    assert services.blobs.read(prices) == b"bars"
    services.queue.finish(run.id, "w", held.attempts, "cancelled")
    housekeeping.clear(services)
    services.uploads.sweep(older_than=-1)
    assert list(services.blobs.names()) == []
    assert stored(services, ann) == 0


def test_a_full_account_has_room_again_after_deleting(services: Services, ann: Principal) -> None:
    services.uploads._quota = 6
    model = services.models.create(ann, ann.account_id, "M")
    version = version_of(services, ann, model.id, keep(services, ann, b"12345"))
    with pytest.raises(ServiceError, match="used up"):
        keep(services, ann, b"67890")
    services.versions.delete(ann, version.id)
    services.uploads.sweep(older_than=-1)
    keep(services, ann, b"67890")


def test_what_came_just_now_is_left(services: Services, ann: Principal) -> None:
    fresh = keep(services, ann, b"fresh")
    housekeeping.clear(services)
    assert services.uploads.require(ann, fresh).size == 5


def test_a_crash_between_row_and_file_leaves_what_the_next_sweep_takes(
    services: Services, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = keep(services, ann, b"old")

    def crash(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(services.blobs, "delete", crash)
        with pytest.raises(KeyboardInterrupt):
            services.uploads.sweep(older_than=-1)
    assert services.uploads.known(ann, sha256) is None  # its row is gone, its file is not
    assert services.blobs.exists(sha256)
    assert services.uploads.sweep(older_than=-1) == 1
    assert not services.blobs.exists(sha256)


def test_sweeping_takes_nothing_that_somebody_just_refers_to(
    services: Services, ann: Principal
) -> None:
    """Uploads of one content, and sweeps without mercy, at once: no version without its bytes."""
    model = services.models.create(ann, ann.account_id, "M")
    over = threading.Event()
    wrong: list[object] = []

    def sweep() -> None:
        while not over.is_set():
            try:
                services.uploads.release(older_than=-1)
                services.uploads.drop([name for name, _ in services.blobs.names()])
            except Exception as error:
                wrong.append(error)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            with services.blobs.stage() as stage:
                stage.write(b"the same")
                with services.store.write():
                    blob = services.uploads.keep(ann, stage)
                    version = services.versions.create(ann, model.id)
                    services.versions.add_revision(ann, version.id, blob)
            if not services.blobs.exists(blob.sha256):
                wrong.append(version.number)
            services.versions.delete(ann, version.id)
    finally:
        over.set()
        sweeper.join()
    assert wrong == []
