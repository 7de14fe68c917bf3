"""Models: Blankly's models and UbiOps' deployments are the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from deploy_magics.errors import ConflictError, NotFoundError, RejectedError
from deploy_magics.server.services.audit import Audit
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.projects import Projects
from deploy_magics.server.services.rules import clean_json, clean_name, clean_text
from deploy_magics.server.services.runs import end_runs
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account, Model, Project

KINDS = ("strategy", "screener", "deployment")
CHANGEABLE = (
    "name",
    "kind",
    "description",
    "labels",
    "settings",
    "default_version_id",
    "input_type",
    "output_type",
    "input_fields",
    "output_fields",
)


class Models:
    def __init__(self, store: Store, audit: Audit, projects: Projects, *, quota: int) -> None:
        self._store = store
        self._audit = audit
        self._projects = projects
        self._quota = quota

    def create(
        self,
        who: Principal,
        project_id: str,
        name: str,
        *,
        kind: str = "strategy",
        description: str = "",
        **fields: Any,
    ) -> Model:
        """``fields``: labels, settings, input_type, output_type, input_fields, output_fields.

        Raises:
            ConflictError: the project has a model of that name, or the account has too many.
            NotFoundError: no such project.
        """
        values = checked(dict(fields, name=name, kind=kind, description=description))
        with self._store.write() as session:
            project = self._projects.get(who, project_id)
            session.get(Account, who.account_id, with_for_update=self._store.row_locks)
            self._within_quota(who)
            if self.find(who, project_id, values["name"]) is not None:
                raise ConflictError(
                    f"The project has a model named {values['name']!r} already.", status=409
                )
            row = Model(project_id=project.id, **values)
            session.add(row)
            session.flush()
            self._record(who, "create", row, f"Created model {row.name}")
        return row

    def list(self, who: Principal, project_id: str) -> Sequence[Model]:
        self._projects.get(who, project_id)
        query = select(Model).where(Model.project_id == project_id)
        with self._store.read() as session:
            return session.scalars(query.order_by(Model.created_at, Model.id)).all()

    def get(self, who: Principal, model_id: str, *, project_id: str | None = None) -> Model:
        """With ``project_id`` the model must lie in that project.

        Raises:
            NotFoundError: also for another account's model.
        """
        query = select(Model).join(Project, Project.id == Model.project_id)
        query = query.where(Model.id == model_id, Project.account_id == who.account_id)
        with self._store.read() as session:
            row = session.scalars(query).first()
        if row is None or (project_id is not None and row.project_id != project_id):
            raise NotFoundError("There is no such model.", status=404)
        who.may_see(row.project_id)
        return row

    def find(self, who: Principal, project_id: str, name: str) -> Model | None:
        """The model of that name in a project that the caller may see."""
        self._projects.get(who, project_id)
        query = select(Model).where(Model.project_id == project_id, Model.name == name)
        with self._store.read() as session:
            return session.scalars(query).first()

    def by_name(self, who: Principal, project_id: str, name: str) -> Model:
        row = self.find(who, project_id, name)
        if row is None:
            raise NotFoundError("There is no such model.", status=404)
        return row

    def update(self, who: Principal, model_id: str, **changes: Any) -> Model:
        """Change the named columns (``CHANGEABLE``). Raises ConflictError for a taken name."""
        values = checked(changes)
        with self._store.write() as session:
            row = session.merge(self.get(who, model_id))
            name = values.get("name", row.name)
            if name != row.name and self.find(who, row.project_id, name) is not None:
                raise ConflictError(f"The project has a model {name!r} already.", status=409)
            for column, value in values.items():
                setattr(row, column, value)
            self._record(who, "update", row, f"Changed model {row.name}")
        return row

    def delete(self, who: Principal, model_id: str) -> None:
        """With its versions, revisions and variables; its runs are stopped."""
        with self._store.write() as session:
            row = session.merge(self.get(who, model_id))
            end_runs(session, model_id=row.id)
            session.delete(row)
            self._record(who, "delete", row, f"Deleted model {row.name}")

    def _within_quota(self, who: Principal) -> None:
        query = (
            select(func.count()).select_from(Model).join(Project, Project.id == Model.project_id)
        )
        with self._store.read() as session:
            count = session.scalar(query.where(Project.account_id == who.account_id)) or 0
        if count >= self._quota:
            raise ConflictError(f"You have {count} models, which is the most.", status=409)

    def _record(self, who: Principal, action: str, row: Model, event: str) -> None:
        place = {"project_id": row.project_id, "model_id": row.id}
        self._audit.record(who, action, "model", row.name, event, **place)


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """Only known columns, in the form in which both databases keep them."""
    clean: dict[str, Any] = {}
    for key, value in values.items():
        if key not in CHANGEABLE:
            raise RejectedError(f"A model has no {key!r}.", status=400)
        if key == "name":
            value = clean_name(value, "model name")
        elif key == "description":
            value = clean_text(value)
        elif key == "kind" and value not in KINDS:
            raise RejectedError("The type is 'strategy' or 'screener'.", status=400)
        else:
            value = clean_json(value, key)
        clean[key] = value
    return clean
