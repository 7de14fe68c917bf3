"""Run by Alembic, on the connection and in the transaction of ``migrate``."""

from __future__ import annotations

from alembic import context

from deploy_magics.server.store import tables_signals
from deploy_magics.server.store.tables import Base

# each module of tables adds its own to the one metadata
assert tables_signals.Base is Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=False,
)
context.run_migrations()
