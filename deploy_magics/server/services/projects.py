"""Projects: what an account's models lie in. Every account has a personal one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from deploy_magics.errors import ConflictError, NotFoundError
from deploy_magics.server.services.audit import Audit
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.rules import clean_name, clean_text
from deploy_magics.server.services.runs import end_runs
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Project


class Projects:
    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def create(self, who: Principal, name: str, description: str = "") -> Project:
        """Raises ConflictError when the account has a project of that name."""
        who.require_whole_account()
        name = clean_name(name, "project name")
        description = clean_text(description)
        with self._store.write() as session:
            if _named(session, who.account_id, name) is not None:
                raise ConflictError(f"You have a project named {name!r} already.", status=409)
            row = Project(account_id=who.account_id, name=name, description=description)
            session.add(row)
            session.flush()
            self._audit.record(
                who, "create", "project", name, f"Created project {name}", project_id=row.id
            )
        return row

    def list(self, who: Principal) -> Sequence[Project]:
        """The oldest first; the personal project is the first."""
        query = select(Project).where(Project.account_id == who.account_id)
        if who.project_id is not None:
            query = query.where(Project.id == who.project_id)
        with self._store.read() as session:
            return session.scalars(query.order_by(Project.created_at, Project.id)).all()

    def get(self, who: Principal, project_id: str) -> Project:
        """Raises NotFoundError for what is not there and for what is another's, alike."""
        with self._store.read() as session:
            row = session.get(Project, project_id)
        if row is None or row.account_id != who.account_id:
            raise NotFoundError("There is no such project.", status=404)
        who.may_see(row.id)
        return row

    def by_name(self, who: Principal, name: str) -> Project:
        with self._store.read() as session:
            row = _named(session, who.account_id, name)
        if row is None:
            raise NotFoundError("There is no such project.", status=404)
        who.may_see(row.id)
        return row

    def delete(self, who: Principal, project_id: str) -> None:
        """With its models, versions and variables; its runs are stopped."""
        with self._store.write() as session:
            row = self.get(who, project_id)
            if row.id == who.account_id:
                raise ConflictError("The personal project stays.", status=409)
            end_runs(session, project_id=row.id)
            session.delete(session.merge(row))
            self._audit.record(
                who, "delete", "project", row.name, f"Deleted project {row.name}", project_id=row.id
            )


def _named(session: Session, account_id: str, name: str) -> Project | None:
    query = select(Project).where(Project.account_id == account_id, Project.name == name)
    return session.scalars(query).first()
