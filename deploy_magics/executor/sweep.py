"""Many runs of one model: a grid of values or a part of it, each on one stretch of time or more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deploy_magics.errors import RunCancelledError, UsageError
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import Limits
from deploy_magics.executor.metrics import format_metric
from deploy_magics.executor.sweep_batch import BatchPool, can_batch
from deploy_magics.executor.sweep_folds import Fold, make_folds
from deploy_magics.executor.sweep_grid import (
    Constants,
    combinations,
    constants_of,
    settings_of,
    split_names,
    with_arguments,
    with_constants,
)
from deploy_magics.executor.sweep_points import Outcome, Point, PointStore, point_key
from deploy_magics.executor.sweep_pool import CallPool, LocalPool, Pool, cores
from deploy_magics.executor.sweep_result import SweepResult, better
from deploy_magics.model import Model

Progress = Callable[[int, int, str], None]

CHOSEN_ON, TRIED_ON = "chosen on", "tried on"


def sweep(
    model: Model,
    grid: Mapping[str, Sequence[Any]],
    *,
    prices: PriceSet | None,
    args: Mapping[str, Any],
    environment: Environment,
    engine: str = "fast",
    limits: Limits | None = None,
    fresh: bool = False,
    random: int | None = None,
    seed: int = 0,
    folds: int | None = None,
    anchored: bool = False,
    by: str = "sharpe",
    on: Any = None,
    workers: int | None = None,
    store: PointStore | None = None,
    on_progress: Progress | None = None,
) -> SweepResult:
    """Run the model for each combination of values.

    Args:
        grid: values by name: top-level constants of the main script, arguments of the backtest
            (``to``, ``start_date``, …) or settings of the library (``taker_fee``, …).
        random: so many different combinations drawn from the grid, by ``seed``.
        folds: walk forward: choose the best by the metric ``by`` on each stretch of time and try
            it on the next; ``anchored`` chooses on all that came before.
        on: None for this machine's cores; 'tcp://…' or a Dask client for a cluster; or a function
            of a model and arguments that returns a BacktestResult.
        fresh: run all, also what the store has.

    A combination that fails has its error in the table. What is done is kept: an interrupt raises
    RunCancelledError, whose ``partial`` is the SweepResult so far, and the same sweep goes on from
    there.

    Raises:
        UsageError: a name that the model does not have, or no values.
        ModelFailedError, LimitError: what the first one raised, where no combination succeeded.
    """
    task = _Sweep(model, grid, prices, dict(args), environment, engine)
    task.store = store or PointStore()
    task.fresh = fresh
    task.progress = on_progress or (lambda done, total, note: None)
    chosen = combinations(grid, random, seed)
    result = SweepResult(tuple(grid), by, model=model, prices=prices, environment=environment)
    result.engine, result.limits = engine, limits
    pool = _pool(on, model, environment, prices, engine, limits, workers)
    try:
        if folds is None:
            task.run(pool, [task.point(values) for values in chosen], result)
        else:
            _walk(task, pool, chosen, make_folds(folds, args, prices, anchored=anchored), result)
    except KeyboardInterrupt:
        result.interrupted = True
        error = RunCancelledError(
            f"Interrupted after {len(result.points)} of {task.total} runs.",
            "They are kept: the same sweep goes on from there.",
        )
        error.partial = result  # type: ignore[attr-defined]
        raise error from None
    if result.points and all(outcome.metrics is None for _, outcome in result.points):
        problem = result.points[0][1].problem
        if problem is not None:
            raise problem
    return result


class _Sweep:
    """What the runs of one sweep have in common."""

    store: PointStore
    progress: Progress
    fresh = False

    def __init__(
        self,
        model: Model,
        grid: Mapping[str, Sequence[Any]],
        prices: PriceSet | None,
        args: dict[str, Any],
        environment: Environment,
        engine: str,
    ) -> None:
        self.model, self.prices, self.args = model, prices, args
        self.environment, self.engine = environment, engine
        self.constants = constants_of(model) if grid else Constants("")
        self.names, self.arguments = split_names(grid, self.constants, settings_of(model))
        self.total = 0
        self._made = 0

    def point(self, values: Mapping[str, Any], fold: Fold | None = None, part: str = "") -> Point:
        constants = {name: values[name] for name in self.names}
        given = {name.replace("-", "_"): values[name] for name in self.arguments}
        args = with_arguments(self.args, given)
        if fold is not None:
            args = with_arguments(args, fold.chosen_on if part == CHOSEN_ON else fold.tried_on)
        key = point_key(
            self.model.digest, constants, args, self.prices, self.environment, self.engine
        )
        changed = with_constants(self.model, self.constants, constants)
        self._made += 1
        return Point(self._made, dict(values), changed, args, key, fold, part, constants)

    def run(self, pool: Pool, points: list[Point], result: SweepResult) -> None:
        """Answer from the store what it has and run the rest, into ``result``."""
        self.total += len(points)
        open_points = []
        for point in points:
            known = None if self.fresh else self.store.find(point.key)
            if known is None:
                open_points.append(point)
            else:
                result.add(point, known)

        def done(point: Point, outcome: Outcome) -> None:
            self.store.add(point.key, outcome)
            result.add(point, outcome)
            self.progress(len(result.points), self.total, best_so_far(result))

        self.progress(len(result.points), self.total, best_so_far(result))
        if open_points:
            pool.run(open_points, done)


def best_so_far(result: SweepResult) -> str:
    best = result.leader
    if best is None:
        return ""
    point, outcome = best
    assert outcome.metrics is not None
    values = ", ".join(f"{name}={value}" for name, value in point.parameters.items())
    shown = format_metric(result.by, outcome.metrics[result.by])
    return f"best {result.by} {shown} ({values})" if values else f"{result.by} {shown}"


def _walk(
    task: _Sweep,
    pool: Pool,
    chosen: list[dict[str, Any]],
    folds: list[Fold],
    result: SweepResult,
) -> None:
    """Choose on each fold, then try each choice on what came after it."""
    task.total = len(folds)  # the runs that the choices will need
    points = [task.point(values, fold, CHOSEN_ON) for fold in folds for values in chosen]
    task.run(pool, points, result)
    task.total -= len(folds)
    tries = []
    for fold in folds:
        here = [(p, o) for p, o in result.points if p.fold == fold and p.part == CHOSEN_ON]
        best = better(here, result.by)
        if best is not None:
            tries.append(task.point(best[0].parameters, fold, TRIED_ON))
    task.run(pool, tries, result)


def _pool(
    on: Any,
    model: Model,
    environment: Environment,
    prices: PriceSet | None,
    engine: str,
    limits: Limits | None,
    workers: int | None,
) -> Pool:
    if on is None and can_batch(limits):
        return BatchPool(environment, prices, model, engine, limits, workers or cores())
    if on is None:
        return LocalPool(environment, prices, engine, limits, workers or cores())
    if isinstance(on, str) or hasattr(on, "scheduler_info"):
        from deploy_magics.executor.cluster import ClusterPool

        return ClusterPool(on, environment, prices, engine, limits, model)
    if callable(on):
        return CallPool(on)
    raise UsageError(f"A sweep cannot run on {on!r}.", "Give tcp://host:port, or a Dask client.")
