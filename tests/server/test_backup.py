"""A backup taken while the server is written to: whole, and every blob that it names is there."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from sqlalchemy import make_url, select

from deploy_magics.server.backup import backup
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.settings import Settings
from deploy_magics.server.store.tables import Revision


def test_a_copy_in_the_midst_of_writing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    services = Services.open(settings)
    ann = Principal(services.accounts.create("ann", owner=True).id, "ann")
    over = threading.Event()
    acknowledged: list[int] = []

    def write() -> None:
        model = services.models.create(ann, ann.account_id, "M")
        while not over.is_set():
            with services.blobs.stage() as stage, services.store.write():
                stage.write(b"%d" % len(acknowledged))
                version = services.versions.create(ann, model.id)
                blob = services.uploads.keep(ann, stage)
                services.versions.add_revision(ann, version.id, blob)
            acknowledged.append(version.number)

    writer = threading.Thread(target=write)
    writer.start()
    copies = []
    for number in range(3):
        while len(acknowledged) < 10 * (number + 1):
            over.wait(0.01)
        before = len(acknowledged)
        copies.append((before, backup(settings, tmp_path / f"backup-{number}")))
    over.set()
    writer.join()
    services.close()
    for before, folder in copies:
        shutil.copy(settings.keys, folder.with_name(f"{folder.name}.key"))
        restored = Services.open(Settings(data_dir=folder))
        with restored.store.read() as session:
            names = session.scalars(select(Revision.sha256)).all()
        assert len(names) >= before
        for name in names:
            assert name is not None
            assert restored.blobs.is_whole(name)
        restored.close()


def test_postgresql_is_dumped(
    services: Services, settings: Settings, ann: Principal, tmp_path: Path
) -> None:
    """By pg_dump where the database is PostgreSQL; by SQLite's own copy where it is not."""
    folder = backup(settings, tmp_path / "backup")
    kind = make_url(settings.database).get_backend_name()
    name = "service.sqlite" if kind == "sqlite" else "service.pgdump"
    assert (folder / name).stat().st_size > 1000
