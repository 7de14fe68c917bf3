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

    ``live`` is the latest live run of each version that is in ``versions``.
    """

    projects: Sequence[Project]
    models: Sequence[Model]
    versions: Sequence[Version]
    version_counts: dict[str, int]
    revisions: dict[str, Revision]
    runs: Sequence[Run]
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
        ranked = _mine(
            select(Version.id, _rank(Version.model_id, Version.number)).join(
                Model, Model.id == Version.model_id
            ),
            who,
        ).subquery()
        versions = (
            select(Version)
            .join(ranked, ranked.c.id == Version.id)
            .where(ranked.c.rank <= LATEST)
            .order_by(Version.number.desc())
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
        newest = select(Run.id, _rank(Run.model_id, Run.created_at)).where(*shown).subquery()
        runs = (
            select(Run)
            .join(newest, newest.c.id == Run.id)
            .where(newest.c.rank <= LATEST)
            .order_by(Run.created_at.desc(), Run.id.desc())
        )
        revisions = (
            select(Revision)
            .join(Version, Version.active_revision_id == Revision.id)
            .join(ranked, ranked.c.id == Version.id)
            .where(ranked.c.rank <= LATEST)
        )
        schedules = select(Schedule).where(Schedule.account_id == who.account_id)
        with self._store.read() as session:
            return Latest(
                session.scalars(projects.order_by(Project.created_at, Project.id)).all(),
                session.scalars(models).all(),
                session.scalars(versions).all(),
                {str(model): int(count) for model, count in session.execute(counts)},
                {row.version_id: row for row in session.scalars(revisions)},
                session.scalars(runs).all(),
                {row.model_id: row for row in session.scalars(schedules)},
            )


def _mine(query: Any, who: Principal) -> Any:
    query = query.join(Project, Project.id == Model.project_id)
    query = query.where(Project.account_id == who.account_id)
    if who.project_id is not None:
        query = query.where(Project.id == who.project_id)
    return query


def _rank(group: Any, order: Any) -> Any:
    return func.row_number().over(partition_by=group, order_by=order.desc()).label("rank")
