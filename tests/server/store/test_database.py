"""Transactions are whole; waiting is bounded; two writers do not lose to each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select, text

from deploy_magics.errors import ConflictError, ServiceError
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account, Meta


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url)
    yield opened
    opened.close()


def test_sqlite_is_durable_and_waits(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    with store.read() as session:
        found = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }
    store.close()


def test_an_exception_leaves_nothing(store: Store) -> None:
    with pytest.raises(ValueError, match="half way"), store.write() as session:
        session.add(Meta(name="a", value="1"))
        session.flush()
        raise ValueError("half way")
    with store.read() as session:
        assert session.get(Meta, "a") is None


def test_a_write_within_a_write_joins_it(store: Store) -> None:
    with pytest.raises(ValueError, match="outer"), store.write():
        with store.write() as session:
            session.add(Meta(name="inner", value="1"))
        with store.read() as session:
            assert session.get(Meta, "inner") is not None
        raise ValueError("outer")
    with store.read() as session:
        assert session.get(Meta, "inner") is None


def test_a_taken_name_is_a_conflict(store: Store) -> None:
    with store.write() as session:
        session.add(Account(name="ann"))
    with pytest.raises(ConflictError), store.write() as session:
        session.add(Account(name="ann"))


def test_read_then_write_from_many_threads_loses_nothing(store: Store) -> None:
    """With deferred transactions this is where SQLite fails at once."""
    with store.write() as session:
        session.add(Meta(name="count", value="0"))

    def work() -> None:
        for _ in range(10):
            with store.write() as session:
                row = session.get(Meta, "count", with_for_update=True)
                assert row is not None
                row.value = str(int(row.value) + 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert session.scalars(select(Meta.value).where(Meta.name == "count")).one() == "80"


def test_a_locked_database_is_busy_and_not_broken(sqlite_url: str) -> None:
    other, store = Store(sqlite_url), Store(sqlite_url, busy_seconds=0.2)
    with other.write() as session:
        session.add(Meta(name="held", value="1"))
        session.flush()
        with pytest.raises(ServiceError) as caught, store.write() as late:
            late.add(Meta(name="late", value="1"))
        assert caught.value.status == 503
    with store.read() as session:
        assert session.get(Meta, "held") is not None
    store.close()
    other.close()


def test_a_full_disk_is_said_to_be_full(sqlite_url: str) -> None:
    """SQLite's own page limit stands in for the disk."""
    store = Store(sqlite_url)
    with store.read() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
    with pytest.raises(ServiceError) as caught, store.write() as session:
        session.execute(text(f"PRAGMA max_page_count={pages}"))
        session.add(Meta(name="large", value="x" * 1_000_000))
        session.flush()
    assert caught.value.status == 507
    with store.read() as session:
        assert session.get(Meta, "large") is None
    store.close()


def test_a_database_that_is_away_is_busy(tmp_path: Path) -> None:
    store = Store("postgresql://nobody:x@127.0.0.1:1/none")
    with pytest.raises(ServiceError) as caught:
        store.ping()
    assert caught.value.status == 503
    assert "nobody:x" not in str(caught.value)


def test_a_server_that_cut_every_connection_is_found_again(store: Store, database_url: str) -> None:
    """As after a restart of PostgreSQL; SQLite has nothing to cut."""
    store.ping()
    if not store.is_sqlite:
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    store.ping()
    with store.write() as session:
        session.add(Meta(name="after", value="1"))
    with store.read() as session:
        assert session.get(Meta, "after") is not None


def test_no_connection_left_is_busy_and_passes(database_url: str) -> None:
    """On PostgreSQL; SQLite knows no number of connections."""
    if database_url.startswith("sqlite"):
        return
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 1 PASSWORD 'few'")
        url = make_url(database_url).set(username="few", password="few")
        store = Store(url)
        try:
            with psycopg.connect(url.render_as_string(hide_password=False)):
                with pytest.raises(ServiceError) as caught:
                    store.ping()
                assert caught.value.status == 503
            await_ping(store)
        finally:
            store.close()
            owner.execute("DROP ROLE few")


def await_ping(store: Store) -> None:
    """The other end learns a moment later that a connection was closed."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return store.ping()
        except ServiceError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
