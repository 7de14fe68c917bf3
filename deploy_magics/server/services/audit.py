"""Who did what: one line for each change that was acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import AuditEvent

ACTIONS = ("create", "update", "delete", "info")


class Audit:
    def __init__(self, store: Store) -> None:
        self._store = store

    def record(
        self,
        who: Principal,
        action: str,
        object_type: str,
        object_name: str,
        event: str,
        *,
        project_id: str | None = None,
        model_id: str | None = None,
        version_id: str | None = None,
    ) -> AuditEvent:
        """Write a line, in the caller's transaction where there is one."""
        row = AuditEvent(
            account_id=who.account_id,
            actor=who.email or who.name,
            action=action,
            object_type=object_type,
            object_name=object_name[:255],
            event=" ".join(event.split()),
            project_id=project_id,
            model_id=model_id,
            version_id=version_id,
        )
        with self._store.write() as session:
            session.add(row)
        return row

    def list(
        self,
        who: Principal,
        *,
        project_id: str | None = None,
        model_id: str | None = None,
        action: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> Sequence[AuditEvent]:
        """Newest first, of this account only."""
        query = select(AuditEvent).where(AuditEvent.account_id == who.account_id)
        if project_id is not None:
            query = query.where(AuditEvent.project_id == project_id)
        if model_id is not None:
            query = query.where(AuditEvent.model_id == model_id)
        if action:
            query = query.where(AuditEvent.action == action)
        query = query.order_by(AuditEvent.at.desc(), AuditEvent.id).limit(limit).offset(offset)
        with self._store.read() as session:
            return session.scalars(query).all()
