"""Databases for the tests: SQLite always, PostgreSQL 15 where its programs are installed.

Each test gets an empty database with all tables, which were migrated once. PostgreSQL runs as an
unprivileged user on a free loopback port, one cluster for each process that runs tests.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from deploy_magics.server.store.database import Store
from deploy_magics.server.store.migrate import HEAD, migrate

POSTGRES = Path("/usr/lib/postgresql/15/bin")
DATABASES = ["sqlite", *(["postgresql"] if (POSTGRES / "postgres").exists() else [])]
START_SECONDS = 120.0


def _unprivileged(*, follow: bool = False) -> list[str]:
    """PostgreSQL refuses to run as root; what goes on running ends with the tests."""
    ending = ["--pdeathsig", "QUIT"] if follow else []
    if os.getuid() != 0:
        return ["setpriv", *ending] if follow else []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *ending]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a running cluster, without a database's name."""
    folder = Path(tempfile.mkdtemp(prefix="deploy-magics-pg-"))
    try:
        password = secrets.token_hex(16)
        word = folder / "password"
        word.write_text(password)
        if os.getuid() == 0:
            for path in (folder, word):
                shutil.chown(path, "postgres", "postgres")
        data = folder / "data"
        subprocess.run(
            [
                *_unprivileged(),
                str(POSTGRES / "initdb"),
                f"--pgdata={data}",
                "--username=tests",
                f"--pwfile={word}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        port = _free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "max_connections": 200,
        }
        command = [*_unprivileged(follow=True), str(POSTGRES / "postgres"), "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            url = f"postgresql://tests:{password}@127.0.0.1:{port}"
            _wait(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> Callable[[], str]:
    """Answers the URL of a database that has all tables and nothing in them.

    It is one and the same, emptied: whatever still holds it is cut off first.
    """
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE tests")
    url = f"{postgresql}/tests"
    store = Store(url)
    migrate(store)
    store.close()

    def make() -> str:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = 'tests' AND pid <> pg_backend_pid()"
            )
            names = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            tables = ", ".join(f'"{name}"' for (name,) in names if name != "alembic_version")
            connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
            connection.execute("UPDATE alembic_version SET version_num = %s", (HEAD,))
        return url

    return make


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite"
    store = Store(f"sqlite:///{path}")
    migrate(store)
    store.close()
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A new SQLite database with all tables."""
    path = tmp_path / "database.sqlite"
    shutil.copyfile(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A new database with all tables; the test runs once for each kind."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        return url
    make: Callable[[], str] = request.getfixturevalue("migrated_postgresql")
    return make()
