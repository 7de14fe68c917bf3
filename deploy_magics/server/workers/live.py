"""Live models: started, watched, restarted with back-off, stopped, and found again.

A live model runs under a guard that follows nobody: it outlives the worker, and the next worker
adopts it by its run folder. What it does is in the files of that folder (events, orders, log).
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from deploy_magics.errors import RunCancelledError, ServiceError
from deploy_magics.executor.live import LiveRun, start_live
from deploy_magics.executor.process import read_exit
from deploy_magics.executor.stream import EventReader
from deploy_magics.server.services import Services
from deploy_magics.server.store.tables import Run
from deploy_magics.server.workers.job import Job, Outcome
from deploy_magics.server.workers.models import arguments_of, ready

log = logging.getLogger(__name__)

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
GIVE_UP = 4
TELL_SECONDS = 30.0
STEADY_SECONDS = 300.0
"""A model that ran for so long before it fell has all its restarts again."""


@dataclass
class Watched:
    """A live run that this worker holds: being started by a thread, or running under its guard."""

    job: Job
    starter: threading.Thread | None = None
    live: LiveRun | None = None
    beat: float = 0.0
    told: float = -math.inf
    seen: tuple[object, ...] = ()

    def moved(self) -> bool:
        """Whether it has begun, traded, or had a problem since this was asked last."""
        if self.live is None:
            return False
        if self.live.begun:
            self.job.say(state="running")
        self.job.progress = self.live.progress
        known = self.job.progress or {}
        before, self.seen = self.seen, (known.get("orders"), "problem" in known)
        return self.seen != before


class LiveModels:
    def __init__(self, services: Services, owner: str, lease: float) -> None:
        self._services = services
        self._queue = services.queue
        self._owner = owner
        self._lease = lease
        self._watched: dict[str, Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def adopt(self, row: Run) -> bool:
        """Take over a run of an earlier worker whose process goes on, or has just ended."""
        folder = self._services.settings.run_folder(row.id)
        if not (folder / "guard.pid").exists():
            return False
        live = LiveRun.attach(folder)
        if live.exit is not None and read_exit(folder) is None:
            return False  # its guard is gone without a word: the machine was restarted
        mine = self._queue.adopt(row.id, self._owner, self._lease)
        if mine is None:
            return False
        job = Job(self._services, mine, state=mine.state)
        self._watched[row.id] = Watched(job, live=live, beat=time.monotonic())
        return True

    def begin(self, row: Run, wake: Callable[[], None]) -> None:
        """Start a claimed run, in a thread: its environment may have to be built first."""
        job = Job(self._services, row, wake=wake, state=row.state)
        watched = Watched(job, beat=time.monotonic())
        if row.wanted == "stopped":
            watched.job.stop.set()
        watched.starter = threading.Thread(target=self._start, args=(watched,), name=row.id)
        self._watched[row.id] = watched
        watched.starter.start()

    def _start(self, watched: Watched) -> None:
        """In a thread; what comes of it is written down by ``step``."""

        def work(job: Job) -> None:
            watched.live = self._started(job)

        watched.job.attempt(work)

    def _started(self, job: Job) -> LiveRun:
        folder, run = job.folder, job.run
        if (folder / "guard.pid").exists():
            earlier = LiveRun.attach(folder)
            if earlier.exit is None:  # the lease of a worker ran out, its model goes on
                return earlier
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        feed = run.feed or {"kind": "exchange" if run.live else "replay"}
        more = ("ccxt",) if feed.get("kind") == "ccxt" else ()
        model, prices, environment = ready(job, more)
        if job.stop.is_set():
            raise RunCancelledError("The run was stopped.")
        return start_live(
            model,
            prices=prices,
            args=arguments_of(job, model),
            feed=feed,
            environment=environment,
            limits=job.limits,
            folder=folder,
            env=job.variables(),
        )

    def step(self) -> None:
        """Look at each: what its user wants, whether its process is there, its lease."""
        wanted = self._queue.wanted(self._watched)
        for run_id, watched in list(self._watched.items()):
            job = watched.job
            if wanted.get(run_id) != "running":
                job.stop.set()
            self._beat(run_id, watched)
            if watched.starter is not None and watched.starter.is_alive():
                continue
            if watched.live is not None and job.outcome is None:
                self._look(watched, watched.live)
            if job.outcome is not None:
                job.conclude(self._owner)
                del self._watched[run_id]

    def _look(self, watched: Watched, live: LiveRun) -> None:
        job = watched.job
        if job.stop.is_set() and time.monotonic() - watched.told > TELL_SECONDS:
            watched.told = time.monotonic()
            threading.Thread(target=live.stop, daemon=True).start()  # it may take its time
        ended = live.exit
        if ended is not None:
            job.outcome = _outcome(job, ended)
            log.info("live run %s: %s", job.run.id, job.outcome)

    def _beat(self, run_id: str, watched: Watched) -> None:
        job = watched.job
        moved = watched.moved()
        if not (job.changed or moved or time.monotonic() - watched.beat > self._lease / 4):
            return
        job.beat(self._owner, self._lease)
        watched.beat = time.monotonic()

    def leave(self, seconds: float) -> None:
        """Let go of all: what runs goes on, what was being started goes back into the queue."""
        for watched in self._watched.values():
            if watched.starter is not None:
                watched.job.shutdown = True
                watched.job.stop.set()
        for watched in self._watched.values():
            if watched.starter is not None:
                watched.starter.join(seconds)
                if watched.job.outcome is not None:
                    with contextlib.suppress(ServiceError):
                        watched.job.conclude(self._owner)


def _outcome(job: Job, ended: Mapping[str, Any]) -> Outcome:
    """What the end of its process means for the run: over, or another attempt after a while."""
    reason, restarts = ended["reason"], job.run.restarts
    if job.stop.is_set():
        return Outcome("cancelled")
    if reason == "ended":
        return Outcome("succeeded")
    if reason == "cancelled":  # somebody else ended its guard: not the model's fault
        return Outcome("queued", restarts=restarts)
    why = last_words(job.folder, ended)
    if why.explained:
        return Outcome("failed", why.text)  # no other attempt would fare better
    if uptime(job.folder, ended) >= STEADY_SECONDS:
        restarts = 0
    if restarts >= GIVE_UP:
        return Outcome("failed", f"Given up after {restarts} restarts. {why.text}")
    delay = min(FIRST_DELAY * 2**restarts, LONGEST_DELAY)
    return Outcome("queued", why.text, delay, restarts + 1)


def uptime(folder: Path, ended: Mapping[str, Any]) -> float:
    """Seconds that the model ran this time."""
    try:
        return float(ended["ended_at"]) - (folder / "guard.pid").stat().st_mtime
    except (OSError, KeyError, TypeError):
        return 0.0


class Words(NamedTuple):
    """Why a model ended; ``explained``: it says itself what somebody has to do about it."""

    text: str
    explained: bool = False


def last_words(folder: Path, ended: Mapping[str, Any]) -> Words:
    """Why it ended, in one line: what it raised, else how its process ended."""
    raised: Mapping[str, Any] | None = None
    for event in EventReader(folder).read():
        if event.get("event") in ("started", "error"):  # earlier attempts told theirs before
            raised = event if event["event"] == "error" else None
    reason = ended.get("reason")
    if reason == "failed" and raised is not None:
        if raised.get("explained"):
            return Words(str(raised.get("message")), True)
        return Words(f"The model raised {raised.get('message')}.")
    if reason in ("memory", "output", "processes", "time"):
        return Words(f"The model met its limit of {reason}.")
    if ended.get("signal"):
        return Words(f"The model's process was ended by signal {ended['signal']}.")
    return Words(f"The model's process ended with exit code {ended.get('code')}.")
