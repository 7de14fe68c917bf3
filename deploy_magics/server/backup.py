"""A copy of everything while the server runs: database, blobs, run folders; not the key file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, make_url

from deploy_magics.errors import ServiceError, UsageError
from deploy_magics.server.settings import Settings

DATABASE = "service.sqlite"
DUMP = "service.pgdump"


def backup(settings: Settings, target: Path) -> Path:
    """Write a backup into the folder ``target``, which must not exist; answers the folder.

    The database is copied first and as one moment of time; blobs are only ever added, so every
    blob that it refers to is there when they are copied.
    """
    if target.exists():
        raise UsageError(f"{target} exists already.", "Name a new folder.")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    if make_url(settings.database).get_backend_name() == "sqlite":
        _copy_sqlite(Path(make_url(settings.database).database or ""), part / DATABASE)
    else:
        _dump_postgresql(settings, part / DUMP)
    for name in ("blobs", "runs"):
        if (settings.data_dir / name).is_dir():
            shutil.copytree(
                settings.data_dir / name, part / name, symlinks=True, copy_function=_link_or_copy
            )
    part.replace(target)
    return target


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.is_file():
        raise UsageError(f"There is no database at {source}.", "Is --data-dir right?")
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new, pages=4096)
        new.execute("PRAGMA journal_mode=DELETE")
        answer = new.execute("PRAGMA integrity_check").fetchone()[0]
    if answer != "ok":
        raise ServiceError(f"The copied database is damaged: {answer}.")


def _dump_postgresql(settings: Settings, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise UsageError("pg_dump is not installed here.", "Install PostgreSQL's client programs.")
    url = make_url(settings.database)
    plain = URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, url.query
    ).render_as_string()
    # not on the command line, where every user of the machine could read it
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    done = subprocess.run(
        [program, "--format=custom", f"--file={target}", plain],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ServiceError(f"pg_dump failed: {done.stderr.strip().splitlines()[-1]}.")


def _link_or_copy(source: str, target: str) -> str:
    """Blobs never change: on one file system a second name is a copy."""
    if "/blobs/" in source:
        try:
            os.link(source, target)
            return target
        except OSError:
            pass
    try:
        return str(shutil.copy2(source, target))
    except FileNotFoundError:
        return target  # a run folder's file that went away meanwhile
