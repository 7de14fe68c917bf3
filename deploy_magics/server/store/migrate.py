"""Bring a database to the newest form: the whole way or not at all.

SQLite too runs the steps in one transaction here (by default it would keep half of a failed one).
Alembic is imported only where there is something to do: it is a fifth of the server's start.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from deploy_magics.errors import ServiceError
from deploy_magics.server.store.database import Store

if TYPE_CHECKING:
    from alembic.config import Config

# the newest script in migrations/versions; a test holds the two together
HEAD = "0001"
_PLACE = Path(__file__).parent / "migrations"
_LOCK = 7_205_759


def config(connection: Connection | None = None) -> Config:
    """Alembic's view of the migrations, on this connection."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(_PLACE).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def migrate(store: Store) -> None:
    """Raises ServiceError: the database is newer than this program, or it is no database."""
    try:
        with store.engine.begin() as connection:
            if not store.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            current = version_of(connection)
            if current != HEAD:
                _upgrade(connection, current)
    except DatabaseError as error:
        raise ServiceError(
            f"The database cannot be opened: {str(error.orig).splitlines()[0]}.",
            "See: deploy-magics doctor",
        ) from error


def version_of(connection: Connection) -> str | None:
    """The form of this database; None for one without any."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _upgrade(connection: Connection, current: str | None) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config()).walk_revisions()
    if current is not None and current not in {script.revision for script in scripts}:
        raise ServiceError(
            "The database was written by a newer deploy_magics.", "Upgrade this server."
        )
    if current is None and inspect(connection).has_table("accounts"):
        raise ServiceError("The database has tables but no version.", "Restore a backup.")
    command.upgrade(config(connection), "head")
