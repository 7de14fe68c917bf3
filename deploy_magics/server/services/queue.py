"""The queue as a worker sees it: claim, heartbeat, finish. Nothing accepted is lost.

A claim takes a lease. A worker that dies lets it run out, and the next claim takes the run again
with one attempt more; whoever held the earlier attempt can no longer change it. Leases are measured
by one clock, PostgreSQL's or that of SQLite's one machine, and a worker never reclaims from itself:
a step of a machine's clock starts nothing twice.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, case, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from deploy_magics.server.services import plans
from deploy_magics.server.services.runs import ENDED, KINDS, stop_runs
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Run

HELD = ("building", "running")
_ERROR_LENGTH = 4000
REMEMBERED = 64
LONGEST_WAIT = 600.0
"""Seconds: no run is put off for longer."""


class Queue:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._served: dict[str, int] = {}
        self._turn = itertools.count(1)

    def claim(
        self,
        owner: str,
        lease: float,
        *,
        kinds: Collection[str] = KINDS,
        free_cpus: float | None = None,
        free_memory: int | None = None,
    ) -> Run | None:
        """Take the run that is due, in state "running" ("building" for a live one), or None.

        Oldest first, of the account that has the fewest running, and of those that of whom was
        served longest ago. ``lease`` in seconds, ``free_memory`` in bytes; a plan larger than
        what is free is left for later.
        """
        other = aliased(Run)
        busy = (
            select(other.account_id, func.count().label("count"))
            .where(other.state.in_(HELD))
            .group_by(other.account_id)
            .subquery()
        )
        due, lost = self._claimable(owner)
        query = (
            select(Run)
            .outerjoin(busy, busy.c.account_id == Run.account_id)
            .where(
                or_(due, lost), Run.kind.in_(kinds), Run.plan.in_(_fitting(free_cpus, free_memory))
            )
            # one live run of a model trades at a time
            .where(or_(Run.kind != "live", lost, Run.model_id.not_in(_trading())))
            .order_by(
                case((lost, 0), else_=1),
                func.coalesce(busy.c.count, 0),
                self._last_served(),
                Run.created_at,
                Run.id,
            )
            .limit(1)
            .with_for_update(skip_locked=True, of=Run)
        )
        with self._store.write() as session:
            row = session.scalars(query).first()
            if row is None:
                return None
            # a live run "runs" once its model does: its worker says when
            row.state = "building" if row.kind == "live" else "running"
            row.owner = owner
            row.lease_until = self._until(session, lease)
            row.attempts += 1
            row.started_at = row.started_at or time.time()
            self._note_served(row.account_id)
            return row

    def is_due(self, owner: str) -> bool:
        """Whether a claim may find something: a read, which waits for nobody."""
        with self._store.read() as session:
            return session.scalar(select(Run.id).where(or_(*self._claimable(owner)))) is not None

    def _claimable(self, owner: str) -> tuple[Any, Any]:
        """What waits and is due, and what a worker has lost."""
        now = time.time()
        past = or_(
            Run.not_before.is_(None),
            Run.not_before <= now,
            Run.not_before > now + LONGEST_WAIT,  # the clock was set back since
        )
        held = and_(Run.state.in_(HELD), Run.owner != owner)
        return and_(Run.state == "queued", past), and_(held, Run.lease_until < self._clock())

    def _clock(self) -> Any:
        """The database's own where many machines ask it: theirs may differ, and be set."""
        if self._store.is_sqlite:
            return literal(time.time())
        return func.extract("epoch", func.clock_timestamp())

    def _until(self, session: Session, lease: float) -> float:
        if self._store.is_sqlite:
            return time.time() + lease
        return float(session.scalar(select(self._clock())) or 0.0) + lease

    def _last_served(self) -> Any:
        turns = dict(self._served)
        return case(turns, value=Run.account_id, else_=0) if turns else literal(0)

    def _note_served(self, account_id: str) -> None:
        """In memory alone: a new worker begins with the oldest of all."""
        self._served.pop(account_id, None)
        self._served[account_id] = next(self._turn)
        if len(self._served) > REMEMBERED:
            self._served.pop(next(iter(self._served)))

    def heartbeat(
        self,
        run_id: str,
        owner: str,
        attempt: int,
        lease: float,
        *,
        progress: dict[str, Any] | None = None,
        state: str | None = None,
        restarts: int | None = None,
    ) -> str | None:
        """Lengthen the lease; answers what the user wants, None when the run is another's now."""
        values: dict[str, Any] = {}
        if progress is not None:
            values["progress"] = progress
        if state is not None:
            values["state"] = state
        if restarts is not None:
            values["restarts"] = restarts
        values["updated_at"] = time.time() if values else Run.updated_at
        with self._store.write() as session:
            values["lease_until"] = self._until(session, lease)
            return session.scalar(
                update(Run)
                .where(*_mine(run_id, owner, attempt))
                .values(**values)
                .returning(Run.wanted)
            )

    def wanted(self, run_ids: Collection[str]) -> dict[str, str]:
        """What the users want of these runs now; none for a run that is no more."""
        if not run_ids:
            return {}
        query = select(Run.id, Run.wanted).where(Run.id.in_(list(run_ids)))
        with self._store.read() as session:
            return dict(session.execute(query).all())

    def finish(
        self,
        run_id: str,
        owner: str,
        attempt: int,
        state: str,
        error: str | None = None,
        *,
        progress: dict[str, Any] | None = None,
    ) -> bool:
        """The end of this attempt; False when it is no longer this worker's.

        One that was told to stop in the same moment is cancelled, as its user was told.
        """
        if state not in ENDED:
            raise ValueError(f"{state!r} is no end")
        now = time.time()
        values: dict[str, Any] = {
            "state": case((Run.wanted == "stopped", "cancelled"), else_=state),
            "error": error[:_ERROR_LENGTH] if error else None,
            "ended_at": _ending(now),
            "updated_at": now,
            "lease_until": None,
            "owner": None,
        }
        if progress is not None:
            values["progress"] = progress
        return self._change(run_id, owner, attempt, values)

    def release(
        self,
        run_id: str,
        owner: str,
        attempt: int,
        *,
        not_before: float | None = None,
        error: str | None = None,
        restarts: int | None = None,
    ) -> bool:
        """Back into the queue (a restart, a back-off, a worker that shuts down).

        A run that is to be stopped is cancelled instead.
        """
        now = time.time()
        stopped = Run.wanted == "stopped"
        values: dict[str, Any] = {
            "state": case((stopped, "cancelled"), else_="queued"),
            "ended_at": case((stopped, _ending(now)), else_=None),
            "error": error[:_ERROR_LENGTH] if error else None,
            "not_before": not_before,
            "updated_at": now,
            "lease_until": None,
            "owner": None,
        }
        if restarts is not None:
            values["restarts"] = restarts
        return self._change(run_id, owner, attempt, values)

    def adopt(self, run_id: str, owner: str, lease: float) -> Run | None:
        """A new worker takes over a live run whose processes go on: same attempt, new owner.

        Only when the lease has run out or ``owner`` is the only worker of this data folder,
        which the caller must know (it holds the folder's lock).
        """
        with self._store.write() as session:
            row = session.get(Run, run_id, with_for_update=True)
            if row is None or row.state not in HELD:
                return None
            row.owner = owner
            row.lease_until = self._until(session, lease)
            return row

    def held(self) -> list[Run]:
        """All runs that some worker holds, lease valid or not."""
        with self._store.read() as session:
            return list(session.scalars(select(Run).where(Run.state.in_(HELD))))

    def request_stop(self, run_id: str) -> None:
        """As ``Runs.stop``, for the worker itself."""
        with self._store.write() as session:
            stop_runs(session, run_id=run_id)

    def _change(self, run_id: str, owner: str, attempt: int, values: dict[str, Any]) -> bool:
        with self._store.write() as session:
            query = update(Run).where(*_mine(run_id, owner, attempt)).values(**values)
            return session.scalar(query.returning(Run.id)) is not None


def _ending(now: float) -> Any:
    """Not before its beginning, whatever the clock says by now."""
    return case((Run.started_at > now, Run.started_at), else_=now)


def _mine(run_id: str, owner: str, attempt: int) -> tuple[Any, ...]:
    return (Run.id == run_id, Run.owner == owner, Run.attempts == attempt, Run.state.in_(HELD))


def _fitting(free_cpus: float | None, free_memory: int | None) -> list[str]:
    return [
        plan.name
        for plan in (plans.get(name) for name in plans.table())
        if (free_cpus is None or plan.cpus <= free_cpus)
        and (free_memory is None or plan.memory <= free_memory)
    ]


def _trading() -> Any:
    """The models that have a live run which a worker holds."""
    other = aliased(Run)
    return select(other.model_id).where(
        other.kind == "live", other.state.in_(HELD), other.model_id.is_not(None)
    )
