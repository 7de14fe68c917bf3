"""Screeners run on a cron schedule (UTC). ``tick`` is called by the worker, every few seconds."""

from __future__ import annotations

import math
import time
from typing import Any

from croniter import CroniterError, croniter
from sqlalchemy import select
from sqlalchemy.orm import Session

from deploy_magics.errors import DeployMagicsError, RejectedError
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.runs import ACTIVE, Runs
from deploy_magics.server.store.blobs import Blob
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account, Run, Schedule, Version


class Schedules:
    def __init__(self, store: Store, runs: Runs) -> None:
        self._store = store
        self._runs = runs
        self._last_tick = math.inf  # the first one looks, too

    def set(
        self,
        who: Principal,
        version: Version,
        cron: str,
        *,
        template: dict[str, Any] | None = None,
    ) -> Schedule:
        """Run this version at these times, in place of the model's earlier schedule.

        ``template``: keyword arguments of ``Runs.create`` for each run (args, feed, live, plan;
        prices as ``{symbol: [sha256, size]}``).
        """
        cron = checked_cron(cron)
        with self._store.write() as session:
            row = session.scalars(
                select(Schedule).where(Schedule.model_id == version.model_id).with_for_update()
            ).first()
            if row is None:
                row = Schedule(account_id=who.account_id, model_id=version.model_id)
                session.add(row)
            row.version_id, row.cron, row.template = version.id, cron, template or {}
            row.enabled, row.next_at = True, next_time(cron, time.time())
        return row

    def of_model(self, model_id: str) -> Schedule | None:
        with self._store.read() as session:
            return session.scalars(select(Schedule).where(Schedule.model_id == model_id)).first()

    def move(self, model_id: str, version_id: str) -> None:
        """The model's schedule, where it has one, runs this version from now on."""
        with self._store.write() as session:
            for row in session.scalars(select(Schedule).where(Schedule.model_id == model_id)):
                row.version_id, row.enabled = version_id, True
                row.next_at = next_time(row.cron, time.time())

    def enable(self, model_id: str, enabled: bool) -> None:
        with self._store.write() as session:
            query = select(Schedule).where(Schedule.model_id == model_id)
            for row in session.scalars(query):
                row.enabled, row.next_at = enabled, next_time(row.cron, time.time())

    def tick(self, now: float | None = None) -> list[Run]:
        """Queue every screen that is due. A missed time is made up for once, not many times.

        While the last screen of a model still runs, its next one is left out.
        """
        now = time.time() if now is None else now
        made: list[Run] = []
        with self._store.write() as session:
            if now < self._last_tick:
                _heed_the_clock(session, now)
            self._last_tick = now
            due = select(Schedule).where(Schedule.enabled, Schedule.next_at <= now)
            for row in session.scalars(due.with_for_update(skip_locked=True)).all():
                row.next_at = next_time(row.cron, now)
                last = session.get(Run, row.last_run_id) if row.last_run_id else None
                account = session.get(Account, row.account_id)
                version = session.get(Version, row.version_id)
                if account is None or version is None or (last and last.state in ACTIVE):
                    continue
                try:
                    run = self._runs.create(principal(account), "screen", version, **_options(row))
                except DeployMagicsError:
                    continue  # a full queue: the next time may find room
                row.last_run_id = run.id
                made.append(run)
        return made


def _heed_the_clock(session: Session, now: float) -> None:
    """The clock was set back: times that were found by the one before must not wait for it."""
    for row in session.scalars(select(Schedule).where(Schedule.enabled, Schedule.next_at > now)):
        row.next_at = min(row.next_at, next_time(row.cron, now))


def _options(row: Schedule) -> dict[str, Any]:
    prices = {symbol: Blob(*blob) for symbol, blob in row.template.get("prices", {}).items()}
    return {**row.template, "prices": prices}


def checked_cron(cron: str) -> str:
    """Raises RejectedError when it is not five fields that croniter knows, or never comes."""
    cron = " ".join(cron.split())
    try:
        if len(cron.split(" ")) != 5:
            raise CroniterError("not five fields")
        next_time(cron, time.time())
    except (CroniterError, ValueError, KeyError, OverflowError) as error:
        raise RejectedError(
            f"{cron[:60]!r} is not a schedule.",
            "Give five fields, such as '30 14 * * 1-5' (UTC).",
            status=400,
        ) from error
    return cron


def next_time(cron: str, after: float) -> float:
    return float(croniter(cron, after).get_next(float))
