"""The loop of a worker: claims what is due, keeps its leases, ends what is to end.

Backtests, screens, builds and requests each have a thread while they run; live models have none
(``live.py``). A worker that dies leaves batch work to the next one, whose guards have ended it, and
live models running, which the next one adopts.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from deploy_magics.errors import ServiceError
from deploy_magics.server.services import Services, plans
from deploy_magics.server.store.tables import Run
from deploy_magics.server.workers import builds, models
from deploy_magics.server.workers.job import Job, Outcome
from deploy_magics.server.workers.live import LiveModels

log = logging.getLogger(__name__)

LEASE = 20.0
POLL = 0.5
SCHEDULE_SECONDS = 5.0
END_SECONDS = 30.0
SHORT_KINDS = ("build", "request")
LONG_KINDS = ("backtest", "screen")
SHORT_SLOTS = 2
CLUSTER_SLOTS = 32
MAX_LIVE = 200
WORK: dict[str, Callable[[Job], Outcome]] = {
    "backtest": models.backtest,
    "screen": models.backtest,
    "build": builds.build,
    "request": builds.request,
}


class Capacity(NamedTuple):
    """What this machine gives to backtests: cores, and bytes of memory."""

    cpus: float
    memory: int

    @classmethod
    def of_this_machine(cls) -> Capacity:
        return cls(float(os.cpu_count() or 1), int(psutil.virtual_memory().total * 0.8))


def owner_prefix(data_dir: Path) -> str:
    """What the names of all workers of one data folder begin with."""
    place = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]
    return f"{socket.gethostname()[:60]}:{place}:"


class Worker:
    """Holds the data folder's lock while it lives: there is one worker for each folder."""

    def __init__(
        self,
        services: Services,
        *,
        capacity: Capacity | None = None,
        lease: float = LEASE,
        poll: float = POLL,
    ) -> None:
        self._services = services
        self._queue = services.queue
        self._capacity = capacity or Capacity.of_this_machine()
        self._lease, self._poll = lease, poll
        self._prefix = owner_prefix(services.settings.data_dir)
        self.owner = f"{self._prefix}{uuid.uuid4().hex[:8]}"
        self._jobs: dict[str, tuple[Job, threading.Thread]] = {}
        self._beats: dict[str, float] = {}
        self._wake = threading.Event()
        self._stopping = False
        self._next_tick = 0.0
        self._live = LiveModels(services, self.owner, lease)

    def stop(self) -> None:
        """End soon: batch work goes back to the queue, live models go on by themselves."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Until ``stop``."""
        fresh = True
        while not self._stopping:
            try:
                if fresh:
                    self._take_over()
                fresh = False
                self._step()
            except ServiceError as error:  # a busy database: the leases outlast a few rounds
                log.warning("the queue cannot be reached: %s", error)
            except Exception:
                log.exception("a round of the worker failed")
            self._wake.wait(self._poll)
            self._wake.clear()
        self._end()

    def _take_over(self) -> None:
        """What earlier workers of this folder held: adopt living models, queue the rest again."""
        for row in self._queue.held():
            if row.owner is None or not row.owner.startswith(self._prefix):
                continue
            if row.kind == "live" and self._live.adopt(row):
                log.info("adopted live run %s", row.id)
            elif self._queue.release(row.id, row.owner, row.attempts):
                log.info("queued run %s again", row.id)

    def _step(self) -> None:
        self._beat()
        self._reap()
        self._live.step()
        self._tick()
        while self._queue.is_due(self.owner) and self._claim():
            pass

    def _tick(self) -> None:
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + SCHEDULE_SECONDS
            self._services.schedules.tick()

    def _claim(self) -> bool:
        """Take one run of each sort for which there is room; whether there was any."""
        taken = [self._claim_short(), self._claim_long(), self._claim_live()]
        return any(taken)

    def _claim_short(self) -> bool:
        if len(self._held(SHORT_KINDS)) >= SHORT_SLOTS:
            return False
        return self._begin(self._queue.claim(self.owner, self._lease, kinds=SHORT_KINDS))

    def _claim_long(self) -> bool:
        if self._services.settings.scheduler:  # the cluster has its own room
            if len(self._held(LONG_KINDS)) >= CLUSTER_SLOTS:
                return False
            return self._begin(self._queue.claim(self.owner, self._lease, kinds=LONG_KINDS))
        held = [plans.get(job.run.plan, kind="backtest") for job in self._held(LONG_KINDS)]
        cpus = self._capacity.cpus - sum(plan.cpus for plan in held)
        memory = self._capacity.memory - sum(plan.memory for plan in held)
        row = self._queue.claim(
            self.owner,
            self._lease,
            kinds=LONG_KINDS,
            # alone on the machine, a plan that is larger than it still runs
            free_cpus=cpus if held else None,
            free_memory=memory if held else None,
        )
        return self._begin(row)

    def _claim_live(self) -> bool:
        if len(self._live) >= MAX_LIVE:
            return False
        row = self._queue.claim(self.owner, self._lease, kinds=("live",))
        if row is not None:
            self._live.begin(row, self._wake.set)
        return row is not None

    def _held(self, kinds: tuple[str, ...]) -> list[Job]:
        return [job for job, _ in self._jobs.values() if job.run.kind in kinds]

    def _begin(self, row: Run | None) -> bool:
        if row is None:
            return False
        job = Job(self._services, row, wake=self._wake.set)
        if row.wanted == "stopped":
            job.stop.set()
        thread = threading.Thread(target=job.attempt, args=(self._do,), name=f"run {row.id}")
        self._jobs[row.id] = (job, thread)
        self._beats[row.id] = time.monotonic()
        log.info("run %s (%s), attempt %d", row.id, row.kind, row.attempts)
        thread.start()
        return True

    def _do(self, job: Job) -> Outcome:
        """In the run's own thread; what comes of it is written down by the loop."""
        kind = job.run.kind
        if self._services.settings.scheduler and kind in LONG_KINDS:
            from deploy_magics.server.workers import cluster  # needs Dask, which is an extra

            return cluster.backtest(job)
        return WORK[kind](job)

    def _reap(self) -> None:
        """Write down what has ended; what cannot be written now is kept, its lease too."""
        for run_id, (job, thread) in list(self._jobs.items()):
            if not thread.is_alive():
                job.conclude(self.owner)
                del self._jobs[run_id]
                self._beats.pop(run_id, None)

    def _beat(self) -> None:
        """Lengthen leases, write what changed, and hear what the users want."""
        wanted = self._queue.wanted(self._jobs)
        for run_id, (job, _) in self._jobs.items():
            late = time.monotonic() - self._beats[run_id] > self._lease / 4
            if wanted.get(run_id) == "stopped":
                job.stop.set()
            if not (late or job.changed):
                continue
            job.beat(self.owner, self._lease)
            self._beats[run_id] = time.monotonic()

    def _end(self) -> None:
        """Stop what runs here; each thread puts its run back into the queue."""
        for job, _ in self._jobs.values():
            job.shutdown = True
            job.stop.set()
        for _, thread in self._jobs.values():
            thread.join(END_SECONDS)
        self._live.leave(END_SECONDS)
        with contextlib.suppress(ServiceError):  # the next worker takes over what is left
            self._reap()
