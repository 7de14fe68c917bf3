"""Versions of a model, numbered from 1, and the revisions (zips) of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, select

from deploy_magics.errors import ConflictError, NotFoundError, RejectedError
from deploy_magics.server.services import plans
from deploy_magics.server.services.audit import Audit
from deploy_magics.server.services.models import Models
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.rules import clean_json, clean_name, clean_text
from deploy_magics.server.services.runs import end_runs
from deploy_magics.server.store.blobs import Blob
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Model, Project, Revision, Version

PYTHON_VERSIONS = tuple(f"3.{minor}" for minor in range(7, 15))
CHANGEABLE = (
    "name",
    "description",
    "labels",
    "settings",
    "plan",
    "python_version",
    "active_revision_id",
    "latest_revision_id",
)
REVISION_CHANGEABLE = ("status", "error_message", "has_request", "has_requests")


class Versions:
    def __init__(self, store: Store, audit: Audit, models: Models) -> None:
        self._store = store
        self._audit = audit
        self._models = models

    def create(
        self, who: Principal, model_id: str, *, name: str | None = None, **fields: Any
    ) -> Version:
        """The next number of the model; ``name`` is "v<number>" unless given.

        ``fields``: description, labels, settings, plan, python_version, rollback_of.
        The model's first version becomes its default.
        """
        rollback_of = fields.pop("rollback_of", None)
        values = checked(fields)
        with self._store.write() as session:
            self._models.get(who, model_id)
            model = session.get_one(Model, model_id, with_for_update=self._store.row_locks)
            newest = select(func.max(Version.number)).where(Version.model_id == model_id)
            number = (session.scalar(newest) or 0) + 1
            name = self._free_name(who, model, name, number)
            row = Version(
                model_id=model_id, number=number, name=name, rollback_of=rollback_of, **values
            )
            session.add(row)
            session.flush()
            if model.default_version_id is None:
                model.default_version_id = row.id
            self._record(who, "create", row, model, f"Created version {name} of {model.name}")
        return row

    def _free_name(self, who: Principal, model: Model, name: str | None, number: int) -> str:
        if name is not None:
            name = clean_name(name, "version name", limit=64)
            if self.find(model.id, name) is not None:
                raise ConflictError(f"The model has a version {name!r} already.", status=409)
            return name
        name = f"v{number}"
        while self.find(model.id, name) is not None:
            name += "-1"
        return name

    def list(
        self, who: Principal, model_id: str, *, limit: int | None = None, offset: int = 0
    ) -> Sequence[Version]:
        """Newest first."""
        self._models.get(who, model_id)
        query = select(Version).where(Version.model_id == model_id)
        query = query.order_by(Version.number.desc()).limit(limit).offset(offset)
        with self._store.read() as session:
            return session.scalars(query).all()

    def get(self, who: Principal, version_id: str, *, model_id: str | None = None) -> Version:
        """Raises NotFoundError, also for another account's version or another model's."""
        query = (
            select(Version, Model.project_id)
            .join(Model, Model.id == Version.model_id)
            .join(Project, Project.id == Model.project_id)
            .where(Version.id == version_id, Project.account_id == who.account_id)
        )
        with self._store.read() as session:
            found = session.execute(query).first()
        if found is None or (model_id is not None and found[0].model_id != model_id):
            raise NotFoundError("There is no such version.", status=404)
        who.may_see(found[1])
        return found[0]

    def find(self, model_id: str, name: str) -> Version | None:
        query = select(Version).where(Version.model_id == model_id, Version.name == name)
        with self._store.read() as session:
            return session.scalars(query).first()

    def by_name(self, who: Principal, model_id: str, name: str) -> Version:
        self._models.get(who, model_id)
        row = self.find(model_id, name)
        if row is None:
            raise NotFoundError("There is no such version.", status=404)
        return row

    def update(self, who: Principal, version_id: str, **changes: Any) -> Version:
        """Change the named columns (``CHANGEABLE``)."""
        values = checked(changes)
        with self._store.write() as session:
            row = session.merge(self.get(who, version_id))
            model = session.get_one(Model, row.model_id)
            taken = self.find(row.model_id, values["name"]) if "name" in values else None
            if taken is not None and taken.id != row.id:
                raise ConflictError(f"The model has a version {taken.name!r} already.", status=409)
            for key, value in values.items():
                setattr(row, key, value)
            self._record(who, "update", row, model, f"Changed version {row.name} of {model.name}")
        return row

    def delete(self, who: Principal, version_id: str) -> None:
        """With its revisions and variables; its runs are stopped. The newest is default then."""
        with self._store.write() as session:
            row = session.merge(self.get(who, version_id))
            model = session.get_one(Model, row.model_id, with_for_update=self._store.row_locks)
            end_runs(session, version_id=row.id)
            session.delete(row)
            session.flush()
            if model.default_version_id == row.id:
                rest = select(Version.id).where(Version.model_id == model.id)
                model.default_version_id = session.scalar(rest.order_by(Version.number.desc()))
            self._record(who, "delete", row, model, f"Deleted version {row.name} of {model.name}")

    def add_revision(
        self,
        who: Principal,
        version_id: str,
        blob: Blob | None,
        *,
        status: str = "success",
        trigger: str = "upload",
        file_name: str = "model.zip",
    ) -> Revision:
        """A new revision of the version (``blob`` None: an empty one).

        With status "success" it is active at once; else ``update_revision`` activates it.
        """
        with self._store.write() as session:
            version = session.merge(self.get(who, version_id))
            row = Revision(
                version_id=version.id,
                sha256=blob.sha256 if blob else None,
                size=blob.size if blob else 0,
                status=status,
                trigger=trigger,
                file_name=file_name,
                created_by=who.account_id,
            )
            session.add(row)
            session.flush()
            version.latest_revision_id = row.id
            if status == "success":
                version.active_revision_id = row.id
        return row

    def update_revision(self, revision_id: str, **changes: Any) -> Revision | None:
        """For the worker: status, error_message, …; "success" makes it the active one.

        Answers None where the revision was deleted meanwhile.
        """
        with self._store.write() as session:
            row = session.get(Revision, revision_id)
            if row is None:
                return None
            for key, value in changes.items():
                if key not in REVISION_CHANGEABLE:
                    raise RejectedError(f"A revision has no {key!r}.", status=400)
                setattr(row, key, value)
            version = session.get_one(Version, row.version_id)
            if changes.get("status") == "success" and version.latest_revision_id == row.id:
                version.active_revision_id = row.id
        return row

    def revisions(self, who: Principal, version_id: str) -> Sequence[Revision]:
        """Newest first."""
        self.get(who, version_id)
        query = select(Revision).where(Revision.version_id == version_id)
        query = query.order_by(Revision.created_at.desc(), Revision.id)
        with self._store.read() as session:
            return session.scalars(query).all()

    def revision(self, who: Principal, version_id: str, revision_id: str) -> Revision:
        self.get(who, version_id)
        with self._store.read() as session:
            row = session.get(Revision, revision_id)
        if row is None or row.version_id != version_id:
            raise NotFoundError("There is no such revision.", status=404)
        return row

    def active_revision(self, version: Version) -> Revision | None:
        if version.active_revision_id is None:
            return None
        with self._store.read() as session:
            return session.get(Revision, version.active_revision_id)

    def numbers(self, version_ids: Collection[str]) -> dict[str, int]:
        """The number of each version, by id."""
        found: dict[str, int] = {}
        wanted = list(version_ids)
        with self._store.read() as session:
            for start in range(0, len(wanted), 500):
                part = Version.id.in_(wanted[start : start + 500])
                rows = session.execute(select(Version.id, Version.number).where(part))
                found.update({str(version): int(number) for version, number in rows})
        return found

    def active_revisions(self, versions: Sequence[Version]) -> dict[str, Revision]:
        """The active revision of each, by version id."""
        wanted = [row.active_revision_id for row in versions if row.active_revision_id]
        found: dict[str, Revision] = {}
        with self._store.read() as session:
            for start in range(0, len(wanted), 500):
                query = select(Revision).where(Revision.id.in_(wanted[start : start + 500]))
                found.update({row.version_id: row for row in session.scalars(query)})
        return found

    def _record(self, who: Principal, action: str, row: Version, model: Model, event: str) -> None:
        self._audit.record(
            who,
            action,
            "version",
            row.name,
            event,
            project_id=model.project_id,
            model_id=model.id,
            version_id=row.id,
        )


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """Only known columns, in the form in which both databases keep them."""
    clean: dict[str, Any] = {}
    for key, value in values.items():
        if key not in CHANGEABLE:
            raise RejectedError(f"A version has no {key!r}.", status=400)
        if key == "name":
            value = clean_name(value, "version name", limit=64)
        elif key == "description":
            value = clean_text(value)
        elif key == "plan":
            value = plans.get(value or plans.DEFAULT_PLAN).name
        elif key == "python_version":
            value = python_version(value)
        else:
            value = clean_json(value, key)
        clean[key] = value
    return clean


def python_version(value: Any) -> str | None:
    """ "3.11" from "3.11" or "3.11.4"; None where nothing is asked."""
    if value in (None, ""):
        return None
    short = ".".join(str(value).strip().split(".")[:2])
    if short not in PYTHON_VERSIONS:
        raise RejectedError(
            f"Python {str(value)[:20]!r} is not offered.",
            f"Choose one of {', '.join(PYTHON_VERSIONS)}.",
            status=400,
        )
    return short
