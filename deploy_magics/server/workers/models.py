"""Backtests and screens of models, run by the very executor that the notebook uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deploy_magics.errors import RunCancelledError, RunError
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import start_backtest
from deploy_magics.executor.stream import EventReader
from deploy_magics.model.model import Model
from deploy_magics.server.workers.guarded import POLL
from deploy_magics.server.workers.job import Job, Outcome
from deploy_magics.server.workers.prepare import environment_of


def backtest(job: Job) -> Outcome:
    """A backtest, or one screen of a screener; its result lies in the run's folder."""
    folder = job.fresh_folder()
    model, prices, environment = ready(job)
    job.say(state="running")
    run = start_backtest(
        model,
        prices=prices,
        args=arguments_of(job, model),
        environment=environment,
        limits=job.limits,
        folder=folder,
        env=job.variables(),
    )
    events, over = EventReader(folder), False
    while not over:
        over = run.wait(POLL)
        for event in events.read():
            _tell(job, event)
        if job.stop.is_set():
            run.cancel()
    return _outcome(run.result)


def arguments_of(job: Job, model: Model) -> dict[str, Any]:
    """What the run was asked for, else what the model says itself."""
    return job.run.args or dict(model.manifest.backtest_args or {})


def prices_of(job: Job) -> PriceSet | None:
    """The prices that came with the run."""
    inputs = job.services.runs.inputs(job.run.id)
    files = {each.symbol: job.services.blobs.path(each.sha256) for each in inputs}
    return PriceSet.from_files(files) if files else None


def ready(job: Job, requirements: Sequence[str] = ()) -> tuple[Model, PriceSet | None, Environment]:
    """The model of a run, its prices and its environment, built where it is not there yet.

    ``requirements``: further ones, beside the model's own.
    """
    model = Model.from_zip(job.package())
    prices = prices_of(job)
    job.say(state="building")
    python = job.version().python_version or model.manifest.python_version
    wanted = (*model.requirements, *requirements)
    environment = environment_of(job.folder / "environment", python, wanted, job.stop)
    return model, prices, environment


def _tell(job: Job, event: Mapping[str, Any]) -> None:
    if event["event"] == "progress":
        job.say(progress={key: event.get(key) for key in ("done", "total", "time", "equity")})


def _outcome(result: Callable[[], object]) -> Outcome:
    """A run has succeeded when its result is whole, and not because its process ended well."""
    try:
        result()
    except RunCancelledError:
        return Outcome("cancelled")
    except RunError as error:
        return Outcome("failed", str(error))
    return Outcome("succeeded")
