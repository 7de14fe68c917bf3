"""Runs as their owner sees them; ``queue.py`` is the worker's side of the same rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from deploy_magics.errors import ConflictError, NotFoundError, RejectedError
from deploy_magics.server.services import plans
from deploy_magics.server.services.audit import Audit
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.rules import clean_json, clean_text
from deploy_magics.server.store.blobs import Blob
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account, Model, Run, RunInput, Version

KINDS = ("backtest", "live", "screen", "build", "request")
SHOWN_KINDS = ("backtest", "live", "screen")
ACTIVE = ("queued", "building", "running")
ENDED = ("succeeded", "failed", "cancelled")


class Runs:
    def __init__(self, store: Store, audit: Audit, *, quota: int) -> None:
        self._store = store
        self._audit = audit
        self._quota = quota

    def create(
        self,
        who: Principal,
        kind: str,
        version: Version,
        *,
        args: dict[str, Any] | None = None,
        feed: dict[str, Any] | None = None,
        live: bool = False,
        plan: str | None = None,
        description: str = "",
        prices: dict[str, Blob] | None = None,
        revision_id: str | None = None,
        extra: dict[str, Any] | None = None,
        run_id: str | None = None,
    ) -> Run:
        """Put a run in the queue. A live run takes the place of the model's running one.

        ``live``: orders go to the exchange that the model constructs (needs the scope "trade").

        Raises:
            ConflictError: the account has too many runs waiting, or the version has no zip.
        """
        who.require("trade" if live else "deploy")
        if kind not in KINDS:
            raise RejectedError(f"There is no kind of run {kind!r}.", status=400)
        revision_id = revision_id or version.active_revision_id
        if revision_id is None:
            raise ConflictError("This version has no uploaded zip yet.", status=409)
        values: dict[str, Any] = {
            "kind": kind,
            "live": live,
            "args": clean_json(args or {}, "arguments"),
            "feed": clean_json(feed, "feed"),
            "plan": plans.get(plan or version.plan).name,
            "description": clean_text(description),
            "extra": extra or {},
        }
        with self._store.write() as session:
            session.get(Account, who.account_id, with_for_update=self._store.row_locks)
            model = session.get_one(Model, version.model_id, with_for_update=self._store.row_locks)
            self._within_quota(session, who)
            if kind == "live":
                stop_runs(session, model_id=model.id, kind="live")
            row = Run(
                account_id=who.account_id,
                project_id=model.project_id,
                model_id=model.id,
                version_id=version.id,
                revision_id=revision_id,
                **values,
            )
            if run_id is not None:
                row.id = run_id
            session.add(row)
            session.flush()
            for symbol, blob in (prices or {}).items():
                session.add(
                    RunInput(run_id=row.id, symbol=symbol, sha256=blob.sha256, size=blob.size)
                )
            if kind in SHOWN_KINDS:
                self._record(who, "create", row, f"Queued a {kind} run of {model.name}")
        return row

    def get(self, who: Principal, run_id: str) -> Run:
        """Raises NotFoundError, also for another account's run."""
        with self._store.read() as session:
            row = session.get(Run, run_id)
        if row is None or row.deleted or row.account_id != who.account_id:
            raise NotFoundError("There is no such run.", status=404)
        who.may_see(row.project_id)
        return row

    def list(
        self,
        who: Principal,
        *,
        project_id: str | None = None,
        model_id: str | None = None,
        version_id: str | None = None,
        kind: str | None = None,
        state: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Sequence[Run]:
        """Newest first. Builds and requests only when asked for by ``kind``."""
        query = select(Run).where(Run.account_id == who.account_id, Run.deleted.is_(False))
        query = query.where(Run.kind == kind) if kind else query.where(Run.kind.in_(SHOWN_KINDS))
        wanted = {
            Run.project_id: who.project_id or project_id,
            Run.model_id: model_id,
            Run.version_id: version_id,
            Run.state: state,
        }
        for column, value in wanted.items():
            if value is not None:
                query = query.where(column == value)
        if who.project_id is not None and project_id not in (None, who.project_id):
            return []
        query = query.order_by(Run.created_at.desc(), Run.id.desc()).limit(limit).offset(offset)
        with self._store.read() as session:
            return session.scalars(query).all()

    def inputs(self, run_id: str) -> Sequence[RunInput]:
        """The prices of a run: symbol and blob of each."""
        query = select(RunInput).where(RunInput.run_id == run_id).order_by(RunInput.symbol)
        with self._store.read() as session:
            return session.scalars(query).all()

    def stop(self, who: Principal, run_id: str) -> Run:
        """Queued: cancelled at once. Running: the worker is told. Ended: as it is."""
        who.require("deploy")
        with self._store.write() as session:
            self.get(who, run_id)
            stop_runs(session, run_id=run_id)
            session.expire_all()
            row = session.get_one(Run, run_id)
            self._record(who, "update", row, "Stopped a run")
        return row

    def start(self, who: Principal, run_id: str) -> Run:
        """An ended live run runs again, under the same id.

        Raises:
            ConflictError: it runs, it is being stopped, or it is a backtest.
        """
        with self._store.write() as session:
            row = session.get_one(
                Run, self.get(who, run_id).id, with_for_update=self._store.row_locks
            )
            who.require("trade" if row.live else "deploy")
            if row.kind != "live":
                raise ConflictError("Only a live run is started again.", status=409)
            if row.state in ACTIVE:
                hint = "" if row.wanted == "running" else "It is being stopped: try again soon."
                raise ConflictError("This run has not ended.", hint, status=409)
            if session.get(Version, row.version_id) is None:
                raise ConflictError("The version of this run was deleted.", status=409)
            stop_runs(session, model_id=row.model_id, kind="live")
            row.state, row.wanted, row.error = "queued", "running", None
            row.owner = row.lease_until = row.ended_at = row.not_before = None
            row.restarts = 0
            self._record(who, "update", row, "Started a run again")
        return row

    def _within_quota(self, session: Session, who: Principal) -> None:
        query = select(func.count()).select_from(Run)
        query = query.where(Run.account_id == who.account_id, Run.state == "queued")
        count = session.scalar(query) or 0
        if count >= self._quota:
            raise ConflictError(f"You have {count} runs waiting, which is the most.", status=409)

    def _record(self, who: Principal, action: str, row: Run, event: str) -> None:
        self._audit.record(
            who,
            action,
            "run",
            row.id,
            event,
            project_id=row.project_id,
            model_id=row.model_id,
            version_id=row.version_id,
        )


def stop_runs(
    session: Session,
    *,
    run_id: str | None = None,
    project_id: str | None = None,
    model_id: str | None = None,
    version_id: str | None = None,
    account_id: str | None = None,
    kind: str | None = None,
) -> None:
    """Cancel what waits unclaimed, tell the worker about what runs."""
    chosen = {
        Run.id: run_id,
        Run.project_id: project_id,
        Run.model_id: model_id,
        Run.version_id: version_id,
        Run.account_id: account_id,
        Run.kind: kind,
    }
    where = [column == value for column, value in chosen.items() if value is not None]
    now = time.time()
    session.execute(
        update(Run)
        .where(*where, Run.state == "queued")
        .values(state="cancelled", wanted="stopped", ended_at=now, updated_at=now)
    )
    session.execute(
        update(Run)
        .where(*where, Run.state.in_(("building", "running")), Run.wanted != "stopped")
        .values(wanted="stopped", updated_at=now)
    )


def end_runs(session: Session, **chosen: str) -> None:
    """For what is being deleted: stop its runs and hide them; retention removes them later."""
    stop_runs(session, **chosen)
    where = [getattr(Run, name) == value for name, value in chosen.items()]
    session.execute(update(Run).where(*where).values(deleted=True, updated_at=time.time()))
