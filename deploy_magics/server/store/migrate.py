"""Bring a database to the newest form: the whole way or not at all.

SQLite too runs the steps in one transaction here (by default it would keep half of a failed one).
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from deploy_magics.errors import ServiceError
from deploy_magics.server.store.database import Store

_PLACE = Path(__file__).parent / "migrations"
_LOCK = 7_205_759


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(_PLACE).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def head() -> str:
    found = ScriptDirectory.from_config(config()).get_current_head()
    assert found is not None
    return found


def migrate(store: Store) -> None:
    """Raises ServiceError: the database is newer than this program, or it is no database."""
    try:
        with store.engine.begin() as connection:
            if not store.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            current = MigrationContext.configure(connection).get_current_revision()
            if current == head():
                return
            known = {
                script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()
            }
            if current is not None and current not in known:
                raise ServiceError(
                    "The database was written by a newer deploy_magics.", "Upgrade this server."
                )
            if current is None and inspect(connection).has_table("accounts"):
                raise ServiceError("The database has tables but no version.", "Restore a backup.")
            command.upgrade(config(connection), "head")
    except DatabaseError as error:
        raise ServiceError(
            f"The database cannot be opened: {str(error.orig).splitlines()[0]}.",
            "See: deploy-magics doctor",
        ) from error
