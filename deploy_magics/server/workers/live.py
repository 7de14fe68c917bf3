"""Live models: started, watched, restarted with back-off, stopped, and found again.

A live model runs under a guard that follows nobody: it outlives the worker, and the next worker
adopts it by its run folder. What it does is in the files of that folder (events, orders, log).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from deploy_magics.errors import DeployMagicsError, RunCancelledError
from deploy_magics.executor.live import LiveRun, start_live
from deploy_magics.executor.process import read_exit
from deploy_magics.executor.stream import EventReader
from deploy_magics.server.services import Services
from deploy_magics.server.store.tables import Run
from deploy_magics.server.workers.job import Job
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
        self._watched[row.id] = Watched(Job(self._services, mine), live=live, beat=time.monotonic())
        return True

    def begin(self, row: Run, wake: Callable[[], None]) -> None:
        """Start a claimed run, in a thread: its environment may have to be built first."""
        watched = Watched(Job(self._services, row, wake=wake), beat=time.monotonic())
        if row.wanted == "stopped":
            watched.job.stop.set()
        watched.starter = threading.Thread(target=self._start, args=(watched,), name=row.id)
        self._watched[row.id] = watched
        watched.starter.start()

    def _start(self, watched: Watched) -> None:
        job = watched.job
        try:
            if job.stop.is_set():
                raise RunCancelledError("The run was stopped.")
            watched.live = self._started(job)
        except RunCancelledError:
            end = self._queue.release if job.shutdown else self._cancelled
            end(job.run.id, self._owner, job.run.attempts)
        except DeployMagicsError as error:
            self._finish(job, "failed", str(error))
        except Exception:
            log.exception("live run %s could not be started", job.run.id)
            self._finish(job, "failed", "The service failed; its log says why.")
        finally:
            job.wake()

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
        wanted = self._wanted()
        for run_id, watched in list(self._watched.items()):
            job = watched.job
            if wanted.get(run_id) != "running":
                job.stop.set()
            if watched.starter is not None and not watched.starter.is_alive():
                watched.starter.join()
                watched.starter = None
                if watched.live is None:
                    del self._watched[run_id]
                    continue
            self._beat(run_id, watched)
            if watched.live is not None and watched.starter is None:
                self._look(run_id, watched, watched.live)

    def _look(self, run_id: str, watched: Watched, live: LiveRun) -> None:
        job = watched.job
        if job.stop.is_set() and time.monotonic() - watched.told > TELL_SECONDS:
            watched.told = time.monotonic()
            threading.Thread(target=live.stop, daemon=True).start()  # it may take its time
        ended = live.exit
        if ended is not None:
            del self._watched[run_id]
            if not job.lost:
                self._ended(job, ended)

    def _ended(self, job: Job, ended: Mapping[str, Any]) -> None:
        reason = ended["reason"]
        if job.stop.is_set():
            self._finish(job, "cancelled")
        elif reason == "ended":
            self._finish(job, "succeeded")
        elif reason == "cancelled":  # somebody else ended its guard: not the model's fault
            self._again(job, job.run.restarts, 0.0, None)
        else:
            self._fell(job, ended)

    def _fell(self, job: Job, ended: Mapping[str, Any]) -> None:
        """Restart it after a while that doubles each time, or give it up."""
        steady = uptime(job.folder, ended) >= STEADY_SECONDS
        restarts = 0 if steady else job.run.restarts
        why = last_words(job.folder, ended)
        if restarts >= GIVE_UP:
            self._finish(job, "failed", f"Given up after {restarts} restarts. {why}")
            return
        delay = min(FIRST_DELAY * 2**restarts, LONGEST_DELAY)
        self._again(job, restarts + 1, delay, why)

    def _again(self, job: Job, restarts: int, delay: float, why: str | None) -> None:
        log.info("live run %s starts again in %g s: %s", job.run.id, delay, why)
        self._queue.release(
            job.run.id,
            self._owner,
            job.run.attempts,
            not_before=time.time() + delay,
            error=why,
            restarts=restarts,
        )

    def _beat(self, run_id: str, watched: Watched) -> None:
        job = watched.job
        if not (job.changed or time.monotonic() - watched.beat > self._lease / 4):
            return
        job.changed = False
        if watched.live is not None:
            job.progress = watched.live.progress
        answer = self._queue.heartbeat(
            run_id,
            self._owner,
            job.run.attempts,
            self._lease,
            state=job.state,
            progress=job.progress,
        )
        watched.beat = time.monotonic()
        if answer is None:
            job.lost = True
        if answer != "running":
            job.stop.set()

    def _wanted(self) -> dict[str, str]:
        if not self._watched:
            return {}
        query = select(Run.id, Run.wanted).where(Run.id.in_(list(self._watched)))
        with self._services.store.read() as session:
            return dict(session.execute(query).tuples().all())

    def _finish(self, job: Job, state: str, error: str | None = None) -> bool:
        return self._queue.finish(job.run.id, self._owner, job.run.attempts, state, error)

    def _cancelled(self, run_id: str, owner: str, attempt: int) -> bool:
        return self._queue.finish(run_id, owner, attempt, "cancelled")

    def leave(self) -> None:
        """Let go of all: what runs goes on, what was being started goes back into the queue."""
        for watched in self._watched.values():
            if watched.starter is not None:
                watched.job.shutdown = True
                watched.job.stop.set()
        for watched in self._watched.values():
            if watched.starter is not None:
                watched.starter.join(30.0)


def uptime(folder: Path, ended: Mapping[str, Any]) -> float:
    """Seconds that the model ran this time."""
    try:
        return float(ended["ended_at"]) - (folder / "guard.pid").stat().st_mtime
    except (OSError, KeyError, TypeError):
        return 0.0


def last_words(folder: Path, ended: Mapping[str, Any]) -> str:
    """Why it ended, in one line: what it raised, else how its process ended."""
    errors = [event for event in EventReader(folder).read() if event.get("event") == "error"]
    reason = ended.get("reason")
    if reason == "failed" and errors:
        return f"The model raised {errors[-1].get('message')}."
    if reason in ("memory", "output", "processes", "time"):
        return f"The model met its limit of {reason}."
    if ended.get("signal"):
        return f"The model's process was ended by signal {ended['signal']}."
    return f"The model's process ended with exit code {ended.get('code')}."
