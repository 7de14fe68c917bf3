"""Backtests on a Dask cluster in place of this machine; live models stay here.

A plan is what a run takes of its worker, where the workers say what they have: start them with
``--resources "cpus=4 memory=8e9"``. Environment variables do not travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy_magics.errors import RunCancelledError, RunError
from deploy_magics.executor.cluster import connected, pack, send, submit_backtest
from deploy_magics.executor.environment import Environment, normalise
from deploy_magics.executor.files import write_atomically
from deploy_magics.executor.stream import EventReader
from deploy_magics.model.model import Model
from deploy_magics.server.workers.guarded import POLL, read_json
from deploy_magics.server.workers.job import Job, Outcome
from deploy_magics.server.workers.models import arguments_of, prices_of

_ENDS = {
    "time": "The run met its limit of time.",
    "memory": "The run met its limit of memory.",
    "output": "The run met its limit of output.",
    "processes": "The run met its limit of processes.",
}


def backtest(job: Job) -> Outcome:
    """As ``models.backtest``, on the cluster of ``settings.scheduler``."""
    folder = job.fresh_folder()
    model = Model.from_zip(job.package())
    python = job.version().python_version or model.manifest.python_version
    # made where the run is: here it has no interpreter
    environment = Environment(Path(), "", python, normalise(model.requirements))
    package = pack(model, prices_of(job), environment, limits=job.limits)
    with connected(job.services.settings.scheduler) as client:
        wanted = {"cpus": job.limits.cpus or 1.0, "memory": float(job.limits.memory or 0)}
        future = submit_backtest(
            client,
            send(client, package),
            arguments_of(job, model),
            resources=wanted if offers(client, wanted) else None,
        )
        files = _awaited(client, future, job)
    for name, data in files.items():
        write_atomically(folder / name, data)
    return _outcome(folder)


def offers(client: Any, wanted: Mapping[str, float]) -> bool:
    """Whether a worker says that it has these at all; else they would be waited for in vain."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(set(wanted) <= set(each.get("resources") or {}) for each in workers)


def _awaited(client: Any, future: Any, job: Job) -> dict[str, bytes]:
    while not future.done():
        if job.stop.wait(POLL):
            client.cancel([future], force=True)
            raise RunCancelledError("The run was stopped.")
    if future.status != "finished":
        raise RunError(f"The cluster could not run it ({future.status}: {future.exception()}).")
    files: dict[str, bytes] = future.result()
    return files


def _outcome(folder: Path) -> Outcome:
    ended = read_json(folder / "exit.json") or {}
    reason = str(ended.get("reason"))
    if reason == "ended" and read_json(folder / "result.json") is not None:
        return Outcome("succeeded")
    if reason in _ENDS:
        return Outcome("failed", _ENDS[reason])
    raised = [each for each in EventReader(folder).read() if each.get("event") == "error"]
    if raised:
        return Outcome("failed", f"The model raised {raised[-1].get('message')}.")
    return Outcome("failed", f"The run ended ({reason}).")
