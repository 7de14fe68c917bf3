"""One backtest on a Dask cluster: sent, waited for, brought back, cancelled with the interrupt."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from ..display import progress
from ..errors import RunCancelledError, RunError

if TYPE_CHECKING:
    from ..executor.result import BacktestResult
    from .backtest import Job

POLL = 0.2  # seconds between two looks, so that an interrupt is heard


def backtest_on_cluster(job: Job, address: str) -> BacktestResult:
    """Run on a worker of the scheduler at ``tcp://…`` and wait.

    Raises:
        UnreachableError: no scheduler answers there.
        RunCancelledError: an interrupt; the run on the worker has been cancelled.
    """
    from ..executor.cluster import connected, pack, send, submit_backtest
    from ..executor.local import LocalRun
    from ..executor.process import attach
    from .backtest import environment_of, kept

    environment = environment_of(job)
    place = Path(tempfile.mkdtemp(prefix="deploy_magics-"))
    folder = place / uuid.uuid4().hex[:12]
    folder.mkdir()
    try:
        with (
            connected(address) as client,
            progress(None, f"On the cluster: {job.model.name}") as line,
        ):
            package = pack(job.model, job.prices, environment, job.engine, job.limits)
            future = submit_backtest(client, send(client, package), job.args)
            try:
                files = _waited(future, line.phase)
            except KeyboardInterrupt:
                client.cancel([future], force=True)
                raise RunCancelledError("The run on the cluster was cancelled.") from None
        for name, content in files.items():
            (folder / name).write_bytes(content)
        run = LocalRun(
            attach(folder),
            id=folder.name,
            model=job.model,
            prices=job.prices,
            args=job.args,
            environment=environment,
            limits=job.limits,
            warm=False,
        )
        return kept(job, run.result(), key="")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _waited(future, phase) -> dict[str, bytes]:  # type: ignore[no-untyped-def]
    """What the worker sent back."""
    while not future.done():
        phase(future.status)
        time.sleep(POLL)
    if future.status == "error":
        raise RunError(f"The cluster could not run it: {future.exception()}.")
    if future.status != "finished":
        raise RunError(f"The cluster gave it up ({future.status}).", "Are its workers still there?")
    files: dict[str, bytes] = future.result()
    return files
