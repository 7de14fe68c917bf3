"""Runs on a Dask cluster: the package travels once to each worker, workers may die and join.

What travels is the model's zip and the checked prices, as one task that all runs depend on: the
scheduler can make it again, so that it is lost with no worker. Each worker unpacks it once, makes
the model's environment on its own machine, and forks the points there from a process of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deploy_magics.errors import UnreachableError, UsageError
from deploy_magics.executor.cluster_worker import Package, run_files, run_points
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import Limits
from deploy_magics.executor.sweep_points import Outcome, Point
from deploy_magics.executor.sweep_pool import Done
from deploy_magics.model import Model

TRIES = 5  # of a point whose workers die under it
TASK = 1.0  # seconds of work that are worth a task
CONNECT = 10.0  # seconds


def pack(
    model: Model,
    prices: PriceSet | None,
    environment: Environment,
    engine: str = "fast",
    limits: Limits | None = None,
) -> Package:
    return Package(
        digest=model.digest,
        name=model.name,
        zip=model.zip_bytes(),
        origins=dict(model.origins),
        prices=prices,
        python_version=environment.version,
        requirements=environment.requirements,
        own_python=environment.key.startswith("kernel-"),
        engine=engine,
        limits=limits,
    )


@dataclass
class ClusterPool:
    """The points of a sweep on a cluster; see ``sweep_pool.Pool``.

    ``on`` is a scheduler's address or a ``distributed.Client``.
    """

    on: Any
    environment: Environment
    prices: PriceSet | None
    engine: str = "fast"
    limits: Limits | None = None
    base: Model | None = None

    def run(self, points: Iterable[Point], done: Done) -> None:
        waiting = list(points)
        if not waiting:
            return
        model = self.base or waiting[0].model
        package = pack(model, self.prices, self.environment, self.engine, self.limits)
        with connected(self.on) as client:
            self._run(client, send(client, package), waiting, done)

    def _run(self, client: Any, package: Any, waiting: list[Point], done: Done) -> None:
        """One point for each thread first; how long one takes says how many go into a task."""
        from distributed import as_completed

        tries = {point.number: 1 for point in waiting}
        threads = max(1, sum(client.nthreads().values()))
        futures = {_submit(client, package, [point]): [point] for point in waiting[:threads]}
        rest = waiting[threads:]
        results = as_completed(list(futures), loop=client.loop)

        def more(points: list[Point], count: int) -> None:
            for at in range(0, len(points), count):
                part = points[at : at + count]
                future = _submit(client, package, part)
                futures[future] = part
                results.add(future)

        try:
            for future in results:
                points = futures.pop(future)
                finished = future.status == "finished"
                outcomes = (
                    future.result() if finished else [Outcome(error=_why(future))] * len(points)
                )
                if rest:
                    more(rest, _together(outcomes[0].seconds, len(rest), threads))
                    rest = []
                for point, outcome in zip(points, outcomes, strict=True):
                    if not finished and tries[point.number] < TRIES and _workers_died(future):
                        tries[point.number] += 1
                        more([point], 1)
                    else:
                        done(point, outcome)
                future.release()
        finally:
            if futures:
                client.cancel(list(futures), force=True)


def _together(seconds: float, count: int, threads: int) -> int:
    """How many points make a task: about a second's work, so that little is lost with it, and
    enough tasks for every thread to end at about the same time."""
    return max(1, min(int(TASK / max(seconds, 0.01)), count // (threads * 4)))


@contextmanager
def connected(on: Any) -> Iterator[Any]:
    """A client of the scheduler at that address, or the client that was given.

    Raises UnreachableError where nobody answers.
    """
    if not isinstance(on, str):
        yield on
        return
    try:
        from distributed import Client
    except ImportError as problem:
        raise UsageError(
            "A cluster needs Dask.", "Install it with: pip install 'deploy_magics[cluster]'"
        ) from problem
    try:
        client = Client(on, timeout=CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as problem:
        raise UnreachableError(
            f"No Dask scheduler answers at {on}.", "Start one with: dask scheduler"
        ) from problem
    with client:
        yield client


def send(client: Any, package: Package) -> Any:
    """The future that runs depend on; each worker fetches it once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it is large is known
        return client.submit(_itself, package, pure=False)


def submit_backtest(
    client: Any,
    package: Any,
    args: Mapping[str, Any],
    *,
    resources: Mapping[str, float] | None = None,
) -> Any:
    """A future of one whole run: the files of its folder by name, whatever its end.

    ``package`` is what ``send`` gave; ``resources`` are what the worker must have free. To cancel
    the future ends the run on its worker.
    """
    return client.submit(
        run_files, package, dict(args), resources=dict(resources or {}) or None, pure=False
    )


def _submit(client: Any, package: Any, points: list[Point]) -> Any:
    work = [(point.constants, point.args) for point in points]
    return client.submit(run_points, package, work, pure=False)


def _itself(package: Package) -> Package:
    return package


def _workers_died(future: Any) -> bool:
    from distributed import KilledWorker

    return future.status != "error" or isinstance(future.exception(), KilledWorker)


def _why(future: Any) -> str:
    if future.status != "error":
        return f"The cluster gave the run up ({future.status})."
    problem = future.exception()
    return f"The cluster could not run it: {type(problem).__name__}: {problem}".splitlines()[0]
