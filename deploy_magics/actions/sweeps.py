"""Many runs of one model: a grid of values, a random part of it, folds, a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..display import progress, show
from ..errors import RunCancelledError, UsageError
from ..model import Model

if TYPE_CHECKING:
    from .backtest import Job


def sweep_model(
    job: Job,
    grid: Mapping[str, Sequence[Any]] | None,
    *,
    random: int | None,
    folds: int | None,
    by: str | None,
    on: str,
) -> Any:
    """Run the model once for each combination of values."""
    from ..executor.sweep import sweep
    from .backtest import environment_of

    if random is not None and not grid:
        raise UsageError("--random draws from a --sweep.", "Give --sweep NAME=1,2,3 too.")
    if on not in ("local", "platform") and not on.startswith("tcp://"):
        raise UsageError(f"--on cannot be {on!r}.", "Say local, platform or tcp://host:port.")
    options: dict[str, Any] = {} if by is None else {"by": by}
    with progress(None, f"Sweeping {job.model.name}") as line:
        try:
            return sweep(
                job.model,
                dict(grid or {}),
                prices=job.prices,
                args=job.args,
                environment=environment_of(job),
                engine=job.engine,
                limits=job.limits,
                fresh=job.fresh,
                random=random,
                folds=folds,
                on=_place(job, on),
                on_progress=lambda done, total, note: line.update(done, total, note),
                **options,
            )
        except RunCancelledError as error:
            partial = getattr(error, "partial", None)
            if partial is not None:
                show(partial)
            raise


def _place(job: Job, on: str) -> Any:
    """Where each combination runs, as the executor takes it."""
    if on == "local":
        return None
    if on != "platform":
        return on
    from .remote import backtest_on_platform

    def run(model: Model, args: Mapping[str, Any]) -> Any:
        one = replace(job, model=model, args=dict(args))
        return backtest_on_platform(one, message="sweep", project=None, plan=None, background=False)

    return run
