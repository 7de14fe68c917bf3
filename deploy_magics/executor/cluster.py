"""Runs on a Dask cluster: the package travels once to each worker, workers may die and join.

What travels is the model's zip and the checked prices, as one task that all runs depend on: the
scheduler can make it again, so that it is lost with no worker. Each worker unpacks it once, makes
the model's environment on its own machine, and runs the points there under a guard of its own.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy_magics.errors import (
    DeployMagicsError,
    RunCancelledError,
    RunError,
    UnreachableError,
    UsageError,
)
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import (
    Environment,
    ensure_environment,
    kernel_environment,
)
from deploy_magics.executor.local import Limits, LocalRun, start_backtest
from deploy_magics.executor.sweep_grid import Constants, constants_of, with_constants
from deploy_magics.executor.sweep_points import Outcome, Point, outcome_of
from deploy_magics.executor.sweep_pool import Done
from deploy_magics.model import Model

TRIES = 5  # of a point whose workers die under it
CONNECT = 10.0  # seconds
LOOK = 0.2  # seconds between two looks whether a running task is still wanted
RESULT_FILES = ("result.json", "result.npz", "exit.json", "events.jsonl", "output.log")


@dataclass(frozen=True)
class Package:
    """What a worker needs for all runs of one model."""

    digest: str
    name: str
    zip: bytes = field(repr=False)
    origins: Mapping[str, Any] = field(repr=False)
    prices: PriceSet | None = field(repr=False)
    python_version: str | None
    requirements: tuple[str, ...]
    own_python: bool
    engine: str = "fast"
    limits: Limits | None = None


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
        from distributed import as_completed

        tries = {point.number: 1 for point in waiting}
        futures = {_submit(client, package, point): point for point in waiting}
        results = as_completed(list(futures), loop=client.loop)
        try:
            for future in results:
                point = futures.pop(future)
                if future.status == "finished":
                    done(point, future.result())
                elif tries[point.number] < TRIES and _workers_died(future):
                    tries[point.number] += 1
                    again = _submit(client, package, point)
                    futures[again] = point
                    results.add(again)
                else:
                    done(point, Outcome(error=_why(future)))
                future.release()
        finally:
            if futures:
                client.cancel(list(futures), force=True)


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


def run_files(package: Package, args: Mapping[str, Any]) -> dict[str, bytes]:
    """On a worker: the files that a run left."""
    with _running(package, {}, args) as run:
        files = {name: run.folder / name for name in RESULT_FILES}
        return {name: path.read_bytes() for name, path in files.items() if path.exists()}


def run_point(package: Package, constants: Mapping[str, Any], args: Mapping[str, Any]) -> Outcome:
    """On a worker: the outcome of one point."""
    began = time.monotonic()
    try:
        with _running(package, constants, args) as run:
            return outcome_of(run.result(), time.monotonic() - began)
    except RunCancelledError:
        raise
    except DeployMagicsError as problem:
        return Outcome(error=str(problem), problem=RunError(str(problem)))


def _submit(client: Any, package: Any, point: Point) -> Any:
    return client.submit(run_point, package, point.constants, point.args, pure=False)


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


class _Ready:
    """A package as this worker has it: unpacked, with prices in its cache and a Python."""

    def __init__(self, package: Package) -> None:
        model = Model.from_zip(package.zip, name=package.name)
        self.model = Model(
            name=model.name, manifest=model.manifest, files=model.files, origins=package.origins
        )
        self.constants: Constants | None = None
        if package.own_python:
            self.environment = kernel_environment()
        else:
            self.environment = ensure_environment(package.python_version, package.requirements)

    def with_constants(self, values: Mapping[str, Any]) -> Model:
        if not values:
            return self.model
        if self.constants is None:
            self.constants = constants_of(self.model)
        return with_constants(self.model, self.constants, values)


# of this worker's process
_unpacked: dict[tuple[str, tuple[str, ...]], _Ready] = {}
_unpacking = threading.Lock()


def _ready(package: Package) -> _Ready:
    key = (package.digest, package.requirements)
    with _unpacking:
        if key not in _unpacked:
            _unpacked[key] = _Ready(package)
        return _unpacked[key]


@contextmanager
def _running(
    package: Package, constants: Mapping[str, Any], args: Mapping[str, Any]
) -> Iterator[LocalRun]:
    """A run that is over; it is ended when its task is cancelled or its client is gone."""
    ready = _ready(package)
    folder = Path(tempfile.mkdtemp(prefix="deploy_magics-cluster-"))
    try:
        run = start_backtest(
            ready.with_constants(constants),
            prices=package.prices,
            args=args,
            environment=ready.environment,
            engine=package.engine,
            limits=package.limits,
            folder=folder / "run",
        )
        try:
            while not run.wait(LOOK):
                if not _wanted():
                    raise RunCancelledError("The run was cancelled.")
        except BaseException:
            run.cancel()
            raise
        yield run
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wanted() -> bool:
    """Whether the task that runs in this thread has not been cancelled."""
    try:
        from distributed.worker import get_worker, thread_state

        task = get_worker().state.tasks.get(thread_state.key)
        return task is not None and task.state != "cancelled"
    except (ImportError, ValueError, AttributeError):  # no worker's thread
        return True
