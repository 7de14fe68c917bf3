"""Environment variables of projects, models and versions; secret ones are written, never read.

A version's run sees version over model over project. A secret's cipher text is bound to its row:
copied to another row it does not decrypt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from deploy_magics.errors import ConflictError, NotFoundError, RejectedError
from deploy_magics.server.services.audit import Audit
from deploy_magics.server.services.models import Models
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.projects import Projects
from deploy_magics.server.services.rules import clean_text
from deploy_magics.server.services.versions import Versions
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.keys import Keys
from deploy_magics.server.store.tables import Model, Variable, Version

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?")
_RESERVED = re.compile(r"(LD_|DYLD_|PYTHON|DEPLOY_MAGICS_|BACKTESTING$|PATH$|HOME$)", re.IGNORECASE)
VALUE_LIMIT = 65_536


@dataclass(frozen=True)
class Scope:
    """Where variables lie: a project, one of its models, or one of that model's versions."""

    project_id: str
    model_id: str | None = None
    version_id: str | None = None

    @property
    def id(self) -> str:
        return self.version_id or self.model_id or self.project_id

    @property
    def level(self) -> str:
        return "version" if self.version_id else "model" if self.model_id else "project"


class Variables:
    def __init__(
        self,
        store: Store,
        audit: Audit,
        keys: Keys,
        projects: Projects,
        models: Models,
        versions: Versions,
    ) -> None:
        self._store = store
        self._audit = audit
        self._keys = keys
        self._projects = projects
        self._models = models
        self._versions = versions

    def scope(
        self,
        who: Principal,
        *,
        project_id: str | None = None,
        model_id: str | None = None,
        version_id: str | None = None,
    ) -> Scope:
        """The narrowest that is named; the ids must belong together and to the caller."""
        if version_id is not None:
            version = self._versions.get(who, version_id, model_id=model_id)
            model_id = version.model_id
        if model_id is not None:
            model = self._models.get(who, model_id, project_id=project_id)
            return Scope(model.project_id, model.id, version_id)
        if project_id is None:
            raise RejectedError("Name a project, a model or a version.", status=400)
        return Scope(self._projects.get(who, project_id).id)

    def list(self, who: Principal, scope: Scope) -> Sequence[Variable]:
        """The scope's own variables, by name."""
        query = select(Variable).where(Variable.scope_id == scope.id).order_by(Variable.name)
        with self._store.read() as session:
            return session.scalars(query).all()

    def inherited(self, who: Principal, scope: Scope) -> Sequence[tuple[Variable, str | None]]:
        """Own and inherited ones, each name once, with the level ("project", "model") of the
        inherited ones and None for own ones."""
        with self._store.read() as session:
            found = _chain(session, scope)
        own = scope.level
        rows = [(row, None if level == own else level) for level, row in found.values()]
        return sorted(rows, key=lambda pair: pair[0].name)

    def get(self, who: Principal, scope: Scope, reference: str) -> Variable:
        """An own variable, by id or by name."""
        query = select(Variable).where(Variable.scope_id == scope.id)
        with self._store.read() as session:
            rows = session.scalars(query).all()
        for row in [
            *(r for r in rows if r.id == reference),
            *(r for r in rows if r.name == reference),
        ]:
            return row
        raise NotFoundError("There is no such variable.", status=404)

    def set(
        self, who: Principal, scope: Scope, name: str, value: str, *, secret: bool = False
    ) -> Variable:
        """Create or overwrite. A secret stays secret."""
        with self._store.write() as session:
            query = select(Variable.id).where(Variable.scope_id == scope.id, Variable.name == name)
            known = session.scalar(query)
            if known is None:
                return self.create(who, scope, name, value, secret=secret)
            row = session.get_one(Variable, known)
            return self.update(who, scope, known, value=value, secret=secret or row.secret)

    def create(
        self, who: Principal, scope: Scope, name: str, value: str, *, secret: bool = False
    ) -> Variable:
        """Raises ConflictError for a taken name, RejectedError for one that is not allowed."""
        who.require("deploy")
        name, value = clean_variable_name(name), clean_text(value, "value", limit=VALUE_LIMIT)
        with self._store.write() as session:
            self._free(session, scope, name)
            row = Variable(
                project_id=scope.project_id,
                model_id=scope.model_id,
                version_id=scope.version_id,
                scope_id=scope.id,
                name=name,
                secret=secret,
            )
            session.add(row)
            session.flush()
            self._fill(row, value)
            self._record(who, "create", scope, name)
        return row

    def update(
        self,
        who: Principal,
        scope: Scope,
        reference: str,
        *,
        name: str | None = None,
        value: str | None = None,
        secret: bool | None = None,
    ) -> Variable:
        """None keeps what is there. A secret cannot be made readable again."""
        who.require("deploy")
        with self._store.write() as session:
            row = session.merge(self.get(who, scope, reference))
            if row.secret and secret is False:
                raise RejectedError("A secret variable stays secret.", status=400)
            plain = (
                self._reveal(row)
                if value is None
                else clean_text(value, "value", limit=VALUE_LIMIT)
            )
            if name is not None and name != row.name:
                self._free(session, scope, clean_variable_name(name))
                row.name = name
            row.secret = row.secret if secret is None else secret
            self._fill(row, plain)
            self._record(who, "update", scope, row.name)
        return row

    def delete(self, who: Principal, scope: Scope, reference: str) -> None:
        who.require("deploy")
        with self._store.write() as session:
            row = session.merge(self.get(who, scope, reference))
            session.delete(row)
            self._record(who, "delete", scope, row.name)

    def copy(self, who: Principal, source: Scope, target: Scope) -> Sequence[Variable]:
        """The source's own variables into the target; the same name is overwritten."""
        with self._store.write():
            return [
                self.set(who, target, row.name, self._reveal(row), secret=row.secret)
                for row in self.list(who, source)
            ]

    def effective(self, version_id: str) -> dict[str, str]:
        """For the worker only: what a run of this version gets, secrets in the clear."""
        with self._store.read() as session:
            version = session.get(Version, version_id)
            model = session.get(Model, version.model_id) if version else None
            if version is None or model is None:
                return {}
            found = _chain(session, Scope(model.project_id, model.id, version.id))
        return {name: self._reveal(row) for name, (_, row) in found.items()}

    def _fill(self, row: Variable, plain: str) -> None:
        if row.secret:
            row.cipher, row.key_id = self._keys.seal(plain, place=_place(row))
            row.value = None
        else:
            row.value, row.cipher, row.key_id = plain, None, None

    def _reveal(self, row: Variable) -> str:
        if row.cipher is None:
            return row.value or ""
        return self._keys.unseal(row.cipher, row.key_id, place=_place(row))

    def _free(self, session: Session, scope: Scope, name: str) -> None:
        query = select(Variable.id).where(Variable.scope_id == scope.id, Variable.name == name)
        if session.scalar(query) is not None:
            raise ConflictError(f"There is a variable named {name} already.", status=409)

    def _record(self, who: Principal, action: str, scope: Scope, name: str) -> None:
        verb = {"create": "Created", "update": "Changed", "delete": "Deleted"}[action]
        self._audit.record(
            who,
            action,
            "environment_variable",
            name,
            f"{verb} environment variable {name} of the {scope.level}",
            project_id=scope.project_id,
            model_id=scope.model_id,
            version_id=scope.version_id,
        )


def clean_variable_name(name: str) -> str:
    """Letters, digits and underscores, a letter first and no underscore last.

    Raises:
        RejectedError: otherwise, or a name that would steer the process itself.
    """
    if not isinstance(name, str) or len(name) > 64 or not _NAME.fullmatch(name):
        raise RejectedError(
            "A variable's name has letters, digits and underscores inside, at most 64.", status=400
        )
    if _RESERVED.match(name):
        raise RejectedError(f"The variable {name} is reserved.", status=400)
    return name


def _place(row: Variable) -> str:
    return f"variable:{row.id}:{row.scope_id}"


def _chain(session: Session, scope: Scope) -> dict[str, tuple[str, Variable]]:
    found: dict[str, tuple[str, Variable]] = {}
    for level, scope_id in (
        ("project", scope.project_id),
        ("model", scope.model_id),
        ("version", scope.version_id),
    ):
        if scope_id is not None:
            rows = session.scalars(select(Variable).where(Variable.scope_id == scope_id))
            found.update({row.name: (level, row) for row in rows})
    return found
