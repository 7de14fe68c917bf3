"""What may be wrong with a server, looked at from outside: nothing here changes anything."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select, text

from deploy_magics.errors import DeployMagicsError
from deploy_magics.server.services import KEY_ID
from deploy_magics.server.settings import Settings
from deploy_magics.server.store.blobs import BlobStore
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.keys import Keys
from deploy_magics.server.store.migrate import HEAD, version_of
from deploy_magics.server.store.tables import Meta, Revision, RunInput

# below it two connections that write and checkpoint at one instant can damage a WAL database
SQLITE_FIXED = (3, 51, 3)


class Finding(NamedTuple):
    """``level``: ok, warning or error."""

    level: str
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings one by one: program, disk, database, keys, blobs."""
    if sqlite3.sqlite_version_info < SQLITE_FIXED and settings.database.startswith("sqlite"):
        yield Finding(
            "warning",
            f"SQLite {sqlite3.sqlite_version} has a rare WAL bug, mended in 3.51.3: keep backups, "
            "or use PostgreSQL.",
        )
    else:
        yield Finding("ok", f"SQLite {sqlite3.sqlite_version}")
    if not settings.data_dir.is_dir():
        yield Finding("error", f"{settings.data_dir} is missing: start with deploy-magics serve.")
        return
    yield _disk(settings)
    store = Store(settings.database)
    try:
        yield from _database(settings, store)
    except DeployMagicsError as error:
        yield Finding("error", f"Database: {error}")
    finally:
        store.close()


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.data_dir).free
    words = f"{free / (1 << 30):.1f} GiB free in {settings.data_dir}"
    if free < settings.free_disk:
        return Finding("error", f"{words}: uploads are refused.")
    return Finding("warning" if free < (1 << 30) else "ok", words)


def _database(settings: Settings, store: Store) -> Iterator[Finding]:
    with store.read() as session:
        version = version_of(session.connection())
        if version is None:
            yield Finding("error", "The database is empty: start with deploy-magics serve.")
            return
        if store.is_sqlite:
            answer = session.scalar(text("PRAGMA quick_check"))
            yield Finding("ok" if answer == "ok" else "error", f"Database: {answer}")
        key_id = session.get(Meta, KEY_ID)
        wanted = {
            *session.scalars(select(Revision.sha256).where(Revision.sha256.is_not(None))),
            *session.scalars(select(RunInput.sha256)),
        }
    current = version == HEAD
    yield Finding("ok" if current else "warning", f"Schema {version} (this program: {HEAD})")
    yield _keys(settings, key_id.value if key_id else None)
    yield from _blobs(settings, {str(name) for name in wanted})


def _keys(settings: Settings, key_id: str | None) -> Finding:
    if not settings.keys.exists():
        return Finding("error", f"The key file {settings.keys} is missing.")
    try:
        Keys.open(settings.keys, expected=key_id)
    except DeployMagicsError as error:
        return Finding("error", str(error))
    return Finding("ok", f"Key file {settings.keys}")


def _blobs(settings: Settings, wanted: set[str]) -> Iterator[Finding]:
    blobs = BlobStore(settings.blobs, settings.data_dir / "staging")
    missing = damaged = 0
    for name in sorted(wanted):
        if not blobs.exists(name):
            missing += 1
        elif not blobs.is_whole(name):
            damaged += 1
    bad = missing or damaged
    words = f"{len(wanted)} blobs in use, {missing} missing, {damaged} damaged"
    yield Finding("error" if bad else "ok", words)
