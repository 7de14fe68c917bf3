"""Everything of an account at one glance, in a few queries whatever the size."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select

from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.runs import SHOWN_KINDS
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Model, Project, Revision, Run, Schedule, Version

LATEST = 20


class Latest(NamedTuple):
    """The newest ``LATEST`` versions and runs of each model, newest first.

    ``versions`` and ``runs`` are rows with the columns of their tables, not objects: of tens of
    thousands those would take most of the time. A version's row has also ``sha256`` and ``size``
    of its active revision.
    """

    projects: Sequence[Project]
    models: Sequence[Model]
    versions: Sequence[Any]
    version_counts: dict[str, int]
    runs: Sequence[Any]
    schedules: dict[str, Schedule]


class Overview:
    def __init__(self, store: Store) -> None:
        self._store = store

    def fingerprint(self, who: Principal) -> str:
        """Changes when anything of the account that ``latest`` shows has changed."""
        models = _mine(select(func.count(), func.max(Model.updated_at)).select_from(Model), who)
        versions = _mine(
            select(func.count(), func.max(Version.updated_at))
            .select_from(Version)
            .join(Model, Model.id == Version.model_id),
            who,
        )
        projects = select(func.count(), func.max(Project.updated_at)).where(
            Project.account_id == who.account_id
        )
        runs = select(func.count(), func.max(Run.updated_at)).where(
            Run.account_id == who.account_id, Run.deleted.is_(False)
        )
        with self._store.read() as session:
            facts = [tuple(session.execute(q).one()) for q in (projects, models, versions, runs)]
        return hashlib.sha256(repr((who.account_id, who.project_id, facts)).encode()).hexdigest()[
            :32
        ]

    def latest(self, who: Principal) -> Latest:
        projects = select(Project).where(Project.account_id == who.account_id)
        if who.project_id is not None:
            projects = projects.where(Project.id == who.project_id)
        models = _mine(select(Model), who).order_by(Model.created_at, Model.id)
        since = _newest(Version.number, Version.model_id == Model.id)
        floors = _mine(select(Model.id, since), who).subquery()
        versions = (
            select(*_columns(Version, "labels", "settings"), Revision.sha256, Revision.size)
            .select_from(floors)
            .join(Version, (Version.model_id == floors.c.id) & (Version.number >= floors.c.floor))
            .outerjoin(Revision, Revision.id == Version.active_revision_id)
            .order_by(Version.model_id, Version.number.desc())
        )
        counts = _mine(
            select(Version.model_id, func.count())
            .join(Model, Model.id == Version.model_id)
            .group_by(Version.model_id),
            who,
        )
        shown = (
            Run.account_id == who.account_id,
            Run.deleted.is_(False),
            Run.kind.in_(SHOWN_KINDS),
        )
        began = _newest(Run.created_at, Run.model_id == Model.id, *shown)
        floors = _mine(select(Model.id, began), who).subquery()
        runs = (
            select(*_columns(Run, "extra"))
            .select_from(floors)
            .join(Run, (Run.model_id == floors.c.id) & (Run.created_at >= floors.c.floor))
            .where(*shown)
            .order_by(Run.created_at.desc(), Run.id.desc())
        )
        schedules = select(Schedule).where(Schedule.account_id == who.account_id)
        with self._store.read() as session:
            return Latest(
                session.scalars(projects.order_by(Project.created_at, Project.id)).all(),
                session.scalars(models).all(),
                session.execute(versions).all(),
                {str(model): int(count) for model, count in session.execute(counts)},
                session.execute(runs).all(),
                {row.model_id: row for row in session.scalars(schedules)},
            )


def _mine(query: Any, who: Principal) -> Any:
    query = query.join(Project, Project.id == Model.project_id)
    query = query.where(Project.account_id == who.account_id)
    if who.project_id is not None:
        query = query.where(Project.id == who.project_id)
    return query


def _columns(table: Any, *without: str) -> list[Any]:
    return [column for column in table.__table__.columns if column.name not in without]


def _newest(column: Any, *where: Any) -> Any:
    """The ``LATEST``-th greatest value of an indexed column, by steps in that index; else 0."""
    query = select(column).where(*where).order_by(column.desc()).limit(1).offset(LATEST - 1)
    return func.coalesce(query.correlate(Model).scalar_subquery(), 0).label("floor")
