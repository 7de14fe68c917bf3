"""A backtest on the platform: submitted, watched, collected, cancelled with the interrupt."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..display import Progress, escape, progress
from ..display.progress import duration
from ..errors import PlatformError, RunCancelledError, ServiceError
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import Accepted, Run
from ..platforms.session import new_key
from .find import find_project, known_model
from .patience import patiently
from .rollout import failed
from .session import client
from .workspace import current

if TYPE_CHECKING:
    from ..executor.result import BacktestResult
    from .backtest import Job

PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds between two looks, the last one again and again


class RemoteHandle:
    """A backtest on the platform in the background."""

    def __init__(self, here: BlanklyClient, job: Job, run: Run) -> None:
        self.id = run.id
        self.name = job.model.name
        self._here, self._job, self._run = here, job, run

    @property
    def status(self) -> str:
        """The state on the platform, asked for now."""
        if not self._run.ended:
            self._run = self._here.run(self.id)
        return self._run.state

    def logs(self, offset: int = 0) -> str:
        """What the model printed so far."""
        return self._here.logs(self.id, offset).text

    def result(self, timeout: float | None = None) -> BacktestResult:
        """Wait for the result; an interrupt ends the waiting and not the run."""
        run = watched(self._here, self.name, self._run, timeout=timeout)
        return collected(self._here, self._job, run)

    def cancel(self) -> None:
        """Stop it on the platform."""
        self._here.stop(self.id)

    def _line(self) -> str:
        return f"Run {self.id} of {self.name} on {self._here.base_url}: {self._run.state}"

    def __repr__(self) -> str:
        return self._line()

    def _repr_html_(self) -> str:
        return f"<div>{escape(self._line())}</div>"


def backtest_on_platform(
    job: Job, *, message: str, project: str | None, plan: str | None, background: bool
) -> BacktestResult | RemoteHandle:
    """Submit the backtest; wait for it unless it is to go on in the background.

    An interrupt stops the run on the platform and says so.
    """
    here = client()
    accepted = _submit(here, job, message, project, plan)
    if not accepted.run_id:
        raise ServiceError(
            f"{here.base_url} took the backtest, but does not say how it ends.",
            "Its own pages do.",
        )
    run = Run(accepted.run_id, "backtest", "queued")
    if background:
        return RemoteHandle(here, job, run)
    try:
        run = watched(here, job.model.name, run)
    except KeyboardInterrupt:
        raise _cancelled(here, run) from None
    return collected(here, job, run)


def _submit(
    here: BlanklyClient, job: Job, message: str, project: str | None, plan: str | None
) -> Accepted:
    model = job.model
    existing = known_model(here, model.name, project)
    place = existing.project_id if existing else find_project(here, project).id
    current().project_id = place
    with (
        tempfile.TemporaryDirectory(prefix="deploy_magics-") as folder,
        progress(None, f"Uploading {model.name}") as line,
    ):
        package = model.to_zip(Path(folder) / "model.zip")
        try:
            return here.backtest(
                package,
                sha256=model.digest,
                project_id=place,
                model_id=existing.id if existing else "",
                name=model.name,
                type=model.manifest.type,
                args=job.args,
                message=message,
                plan=plan or "",
                python_version=model.manifest.python_version or "",
                prices=job.prices.to_upload() if job.prices else None,
                key=new_key(),
                on_progress=lambda sent, total: line.update(sent, total),
            )
        except KeyboardInterrupt:
            raise RunCancelledError(
                f"The upload of {model.name} was broken off.",
                "%deploy_status --all says whether it arrived.",
            ) from None


def watched(here: BlanklyClient, name: str, run: Run, *, timeout: float | None = None) -> Run:
    """Watch a run on the platform to its end; a server that restarts meanwhile is waited for."""
    deadline = None if timeout is None else time.monotonic() + timeout
    looks, run_id = 0, run.id
    with progress(None, f"Backtesting {name} on the platform") as line:
        while not run.ended:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"The run {run.id} is not over yet.")
            _show(line, run)
            time.sleep(PAUSES[min(looks, len(PAUSES) - 1)])
            looks += 1
            run = patiently(lambda: here.run(run_id), line)
        line.finish(run.state, f"On the platform in {duration(line.elapsed)}")
    return run


def collected(here: BlanklyClient, job: Job, run: Run) -> BacktestResult:
    """The result of a run that has ended.

    Raises:
        ModelFailedError: it failed there; RunCancelledError: somebody stopped it.
    """
    from ..executor.platform import fetch_result
    from .backtest import kept

    if run.state == "failed":
        raise failed(here, job.model.name, run)
    if run.state == "cancelled":
        raise RunCancelledError(f"The run {run.id} was stopped on the platform.")
    result = fetch_result(here, run.id, model=job.model, prices=job.prices, args=job.args)
    return kept(job, result, key="")


def _cancelled(here: BlanklyClient, run: Run) -> RunCancelledError:
    try:
        here.stop(run.id)
    except PlatformError as error:
        return RunCancelledError(
            f"The run {run.id} could not be stopped ({error.message.rstrip('.')}) and may go on.",
            f"%deploy_stop --run {run.id} tries again.",
        )
    return RunCancelledError(f"The run {run.id} was stopped on the platform.")


def _show(line: Progress, run: Run) -> None:
    said: dict[str, Any] = dict(run.progress)
    done, total = said.get("done"), said.get("total")
    if done:
        line.update(float(done), float(total) if total else None, run.state)
    else:
        line.phase(run.state)
