"""A claimed run while this worker holds it, as seen from the thread that does the work."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from deploy_magics.errors import (
    DeployMagicsError,
    DiskFullError,
    NotFoundError,
    RunCancelledError,
    ServiceError,
)
from deploy_magics.executor.files import is_full
from deploy_magics.executor.process import Limits
from deploy_magics.server.services import Services, plans
from deploy_magics.server.store.tables import Revision, Run, Version
from deploy_magics.server.workers.guarded import await_guard_end

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


class Outcome(NamedTuple):
    """How an attempt ended: ``succeeded``, ``failed`` or ``cancelled``, and why.

    ``queued`` stands for another attempt, ``delay`` seconds from now.
    """

    state: str
    error: str | None = None
    delay: float = 0.0
    restarts: int | None = None


def for_now(error: DeployMagicsError) -> bool:
    """Whether the database or the disk fails for now: the run is not to blame, and is kept."""
    return isinstance(error, ServiceError) and error.status in (503, 507)


@dataclass
class Job:
    """``stop`` is set when the work must end: the user said so, the worker ends, or the lease was
    lost; ``lost`` and ``shutdown`` tell which."""

    services: Services
    run: Run
    stop: threading.Event = field(default_factory=threading.Event)
    lost: bool = False
    shutdown: bool = False
    progress: dict[str, Any] | None = None
    state: str = "running"
    changed: bool = False
    outcome: Outcome | None = None
    wake: Callable[[], None] = lambda: None

    @property
    def folder(self) -> Path:
        return self.services.settings.run_folder(self.run.id)

    @property
    def limits(self) -> Limits:
        """What the plan gives."""
        plan = plans.get(self.run.plan, kind=self.run.kind)
        return Limits(seconds=plan.seconds, memory=plan.memory, cpus=plan.cpus)

    def say(self, *, state: str | None = None, progress: Mapping[str, Any] | None = None) -> None:
        """Note the state or how far it is; written with the next heartbeat."""
        if state is not None and state != self.state:
            self.state, self.changed = state, True
            self.wake()
        if progress is not None:
            self.progress, self.changed = dict(progress), True

    def beat(self, owner: str, lease: float) -> None:
        """Lengthen the lease, write what changed, and hear what the user wants."""
        self.changed = False
        answer = self.services.queue.heartbeat(
            self.run.id,
            owner,
            self.run.attempts,
            lease,
            progress=self.progress,
            state=self.state,
        )
        if answer is None:
            self.lost = True
        if answer != "running":
            self.stop.set()

    def attempt(self, work: Callable[[Job], Outcome | None]) -> None:
        """Do it, in a thread of its own; ``outcome`` says what came of it, if it ended already."""
        try:
            self.outcome = Outcome("cancelled") if self.stop.is_set() else work(self)
        except RunCancelledError:
            self.outcome = Outcome("cancelled")
        except Exception as error:
            self.outcome = self._ended_by(error)
        finally:
            self.wake()

    def _ended_by(self, error: Exception) -> Outcome:
        if isinstance(error, DiskFullError) or is_full(error):
            log.warning("run %s waits for room on the disk", self.run.id)
            return Outcome("queued", "The server's disk is full.", RETRY_SECONDS)
        if not isinstance(error, DeployMagicsError):
            log.exception("run %s failed in the worker", self.run.id, exc_info=error)
            return Outcome("failed", "The service failed; its log says why.")
        if for_now(error):
            return Outcome("queued", str(error), RETRY_SECONDS)
        return Outcome("failed", str(error))

    def conclude(self, owner: str) -> None:
        """Write down how it ended; raises ServiceError when the database cannot be written."""
        run, outcome, queue = self.run, self.outcome, self.services.queue
        if self.lost or outcome is None:
            return
        if outcome.state == "queued" or (outcome.state == "cancelled" and self.shutdown):
            queue.release(
                run.id,
                owner,
                run.attempts,
                not_before=time.time() + outcome.delay if outcome.delay else None,
                error=outcome.error,
                restarts=outcome.restarts,
            )
        else:
            queue.finish(
                run.id, owner, run.attempts, outcome.state, outcome.error, progress=self.progress
            )

    def fresh_folder(self) -> Path:
        """The run's folder, empty: whatever an earlier attempt left there is gone."""
        await_guard_end(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        return self.folder

    def version(self) -> Version:
        with self.services.store.read() as session:
            found = session.get(Version, self.run.version_id)
        if found is None:
            raise NotFoundError("The version of this run was deleted.", status=404)
        return found

    def revision(self) -> Revision:
        with self.services.store.read() as session:
            found = session.get(Revision, self.run.revision_id)
        if found is None or found.sha256 is None:
            raise NotFoundError("The zip of this run was deleted.", status=404)
        return found

    def package(self) -> Path:
        """The uploaded zip; its bytes are checked against its name."""
        return self.services.blobs.path(str(self.revision().sha256))

    def variables(self) -> dict[str, str]:
        """What the process gets in its environment, secrets in the clear."""
        return self.services.variables.effective(str(self.run.version_id))
