"""Run by Alembic, on the connection and in the transaction of ``migrate``."""

from __future__ import annotations

from alembic import context

from deploy_magics.server.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=False,
)
context.run_migrations()
