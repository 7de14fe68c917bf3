"""Migrations are whole or not at all, and end at the tables that the code has."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from deploy_magics.errors import DeployMagicsError, ServiceError
from deploy_magics.server.services import Services
from deploy_magics.server.settings import Settings
from deploy_magics.server.store import tables_signals
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.migrate import HEAD, config, migrate


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url)
    yield opened
    opened.close()


def test_the_migrations_make_the_tables_of_the_code(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert (
            context.get_current_revision()
            == HEAD
            == ScriptDirectory.from_config(config()).get_current_head()
        )
        assert compare_metadata(context, tables_signals.Base.metadata) == []


def test_a_second_time_changes_nothing(store: Store) -> None:
    migrate(store)
    migrate(store)


def test_one_that_fails_half_way_leaves_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default SQLite would keep the tables that were made before the failure."""
    store = Store(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    upgrade: Callable[..., None] = command.upgrade

    def fails(*arguments: object) -> None:
        upgrade(*arguments)
        raise RuntimeError("power failed")

    monkeypatch.setattr(command, "upgrade", fails)
    with pytest.raises(RuntimeError):
        migrate(store)
    with store.engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    migrate(store)
    store.close()


def test_a_newer_database_is_left_alone(store: Store) -> None:
    with store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServiceError, match="newer"):
        migrate(store)


@pytest.mark.parametrize("content", [b"this is not a database at all, sorry" * 40, None])
def test_a_file_that_is_no_database_is_refused_and_kept(
    tmp_path: Path, content: bytes | None
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    path = data / "service.sqlite"
    if content is None:
        with sqlite3.connect(path) as foreign:
            foreign.execute("CREATE TABLE accounts (x)")
        foreign.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(DeployMagicsError):
        Services.open(Settings(data_dir=data))
    assert path.read_bytes()[100:] == before[100:]


def test_a_lost_key_file_stops_the_start(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    Services.open(settings).close()
    settings.keys.unlink()
    with pytest.raises(ServiceError, match="key file"):
        Services.open(settings)


def test_a_lost_database_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    services = Services.open(settings)
    services.blobs.put(b"of somebody")
    services.close()
    for path in settings.data_dir.glob("service.sqlite*"):
        path.rename(tmp_path / path.name)
    with pytest.raises(ServiceError, match="backup"):
        Services.open(settings)
    for path in settings.data_dir.glob("service.sqlite*"):
        path.unlink()  # what was opened was left without any table
    for path in tmp_path.glob("service.sqlite*"):
        path.rename(settings.data_dir / path.name)
    Services.open(settings).close()


def test_a_disk_that_may_only_be_read_stops_the_start(small_disk: Any) -> None:
    if small_disk is None:
        return
    settings = Settings(data_dir=small_disk.path / "data")
    Services.open(settings).close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk.path], check=True)
    with pytest.raises(ServiceError) as caught:
        Services.open(settings)
    assert "read" in str(caught.value)
    subprocess.run(["mount", "-o", "remount,rw", small_disk.path], check=True)
    Services.open(settings).close()
