"""kill -9 while the migrations run: the old form or the new one, never a part of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from deploy_magics.server.store import tables_signals
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.migrate import HEAD

# one process that has imported everything forks those that die, and looks at what they left
SOURCE = """
import json, os, signal, sys
from alembic import command
from sqlalchemy import event, inspect
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.migrate import migrate, version_of

def attempt(last):
    store, seen = Store(sys.argv[1]), []
    def count(*_):
        seen.append(1)
        if len(seen) == last:
            os.kill(os.getpid(), signal.SIGKILL)
    event.listen(store.engine, "before_cursor_execute", count)
    if last == 0:
        event.listen(store.engine, "commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    migrate(store)
    os._exit(0)

def look():
    store = Store(sys.argv[1])
    with store.engine.connect() as connection:
        print(json.dumps([version_of(connection), len(inspect(connection).get_table_names())]))
    store.close()

number, status = 0, 9  # 0 is the commit, then every third statement
while status:
    child = os.fork()
    if not child:
        attempt(number)
    _, status = os.waitpid(child, 0)
    assert status in (0, 9), status
    look()
    number += 3 if number else 1
"""


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """A database without any table, of the kind of ``database_url``."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
        return
    cluster = request.getfixturevalue("postgresql")
    with psycopg.connect(f"{cluster}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty")
        yield f"{cluster}/empty"
        connection.execute("DROP DATABASE empty WITH (FORCE)")


def test_a_migration_is_whole_or_not_at_all(empty_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SOURCE, empty_url], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    forms = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(forms) > 12
    *killed, whole = forms
    assert killed == [[None, 0]] * len(killed)
    assert whole[0] == HEAD
    store = Store(empty_url)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables_signals.Base.metadata) == []
    store.close()
