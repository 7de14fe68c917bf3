"""Many runs of one model: a grid of values, a random part of it, folds, a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..display import progress
from ..errors import UsageError

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
    environment = environment_of(job)
    options: dict[str, Any] = {"random": random, "folds": folds}
    if by is not None:
        options["by"] = by
    with progress(None, f"Sweeping {job.model.name}") as line:
        return sweep(
            job.model,
            dict(grid or {}),
            prices=job.prices,
            args=job.args,
            environment=environment,
            engine=job.engine,
            limits=job.limits,
            fresh=job.fresh,
            on=None if on == "local" else on,
            on_progress=lambda done, total, note="": line.update(done, total, note),
            **options,
        )
