"""One way into the database: transactions that are whole, waits that are bounded.

SQLite runs with WAL and synchronous=FULL (with NORMAL a power cut loses acknowledged commits) and
every writing transaction begins IMMEDIATE (a deferred one fails at once where it should wait).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from deploy_magics.errors import ConflictError, ServiceError

BUSY_SECONDS = 5.0
FULL = 1 << 18
"""Bytes: less than this is no space at all."""


class _Remembering(Session):
    """One that reads no row twice by its key, as if somebody held them all.

    For SQLite, where a transaction that writes is alone: elsewhere a row may change until it is
    locked.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.rows: list[object] = []


@event.listens_for(_Remembering, "loaded_as_persistent")
@event.listens_for(_Remembering, "pending_to_persistent")
def _remember(session: _Remembering, row: object) -> None:
    session.rows.append(row)


class Store:
    """The engine and its transactions. A ``write()`` inside a ``write()`` joins it.

    Raises (from ``write`` and ``read``):
        ConflictError: a row of that name exists already.
        ServiceError: status 503 when the database is busy or away, 507 when the disk is full.
    """

    def __init__(self, url: str | URL, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = make_url(url)
        self.busy_seconds = busy_seconds
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # SQLite has one writer at a time: whoever writes has locked every row already
        self.row_locks = not self.is_sqlite
        self._session = _Remembering if self.is_sqlite else Session
        self._writing: ContextVar[Session | None] = ContextVar("writing", default=None)
        self._turn = threading.Lock() if self.is_sqlite else None
        self.engine = self._sqlite() if self.is_sqlite else self._postgresql()
        self._reading = self.engine.execution_options(deploy_magics_reading=True)

    def _sqlite(self) -> Engine:
        if self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            self.url, pool_size=24, max_overflow=24, connect_args={"check_same_thread": False}
        )
        event.listen(engine, "connect", self._pragmas)
        event.listen(engine, "begin", _begin)
        return engine

    def _postgresql(self) -> Engine:
        url = self.url
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        timeouts = f"-c lock_timeout={int(self.busy_seconds * 1000)} -c timezone=UTC"
        return create_engine(
            url,
            pool_size=10,
            max_overflow=20,
            pool_pre_ping=True,
            connect_args={"options": timeouts, "connect_timeout": 10},
        )

    def _pragmas(self, connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the begin event below opens every transaction
        connection.execute(f"PRAGMA busy_timeout={int(self.busy_seconds * 1000)}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end, or not at all."""
        current = self._writing.get()
        if current is not None:
            yield current
            current.flush()
            return
        with (
            self._taking_turns(),
            self._explained(),
            self._session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            mark = self._writing.set(session)
            try:
                yield session
                session.flush()
            finally:
                self._writing.reset(mark)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; inside a ``write()`` it sees what was written there."""
        current = self._writing.get()
        if current is not None:
            yield current
            return
        with self._explained(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        # SQLite's own waiting is polling and unfair: writers of one process queue here instead
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=self.busy_seconds * 2):
            raise ServiceError("The database is busy.", "Try again in a moment.", status=503)
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise ConflictError("Something of that name exists already.", status=409) from error
        except (OperationalError, DBAPIError) as error:
            raise self._of_the_disk(error) or _service_error(error) from error
        except SQLAlchemyError as error:
            raise ServiceError("The database failed.", status=500) from error

    def _of_the_disk(self, error: DBAPIError) -> ServiceError | None:
        """SQLite calls it an I/O error, or a file that cannot be opened, when its helper files
        do not fit any more or may not be made."""
        words = str(error.orig).lower()
        suspect = any(sign in words for sign in ("disk i/o", "unable to open", "readonly"))
        if not (self.is_sqlite and suspect and self.url.database):
            return None
        folder = Path(self.url.database).parent
        if not os.access(folder, os.W_OK) or "readonly" in words:
            return ServiceError(
                "The database may only be read.", "Is its disk mounted so?", status=503
            )
        return _full() if shutil.disk_usage(folder).free < FULL else None

    def ping(self) -> None:
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("deploy_magics_reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _service_error(error: DBAPIError) -> ServiceError:
    cause: Any = error.orig
    words = str(cause).lower()
    state = str(getattr(cause, "sqlstate", "") or "")
    if "disk is full" in words or state == "53100":
        return _full()
    busy = "locked" in words or "busy" in words or state[:2] in ("40", "53", "55", "57", "08")
    if busy or error.connection_invalidated or isinstance(error, OperationalError):
        return ServiceError("The database is busy.", "Try again in a moment.", status=503)
    return ServiceError("The database failed.", status=500)


def _full() -> ServiceError:
    return ServiceError("The server's disk is full.", status=507)
