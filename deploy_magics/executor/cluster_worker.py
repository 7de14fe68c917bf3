"""What a worker of a cluster does: a package made ready once, and its runs.

The points of a sweep are forked from a batch, as on one machine; each thread of the worker has one,
which goes on to the next point of the same package. A run that is to be held to limits, and one
whose batch was killed under it, gets a guard of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy_magics.errors import RunCancelledError, RunError
from deploy_magics.executor import warm
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import ensure_environment, kernel_environment
from deploy_magics.executor.local import Limits, LocalRun, start_backtest
from deploy_magics.executor.process import read_exit
from deploy_magics.executor.sweep_batch import UNLIMITED, can_batch, lay_batch, lay_variant
from deploy_magics.executor.sweep_grid import Constants, constants_of, with_constants
from deploy_magics.executor.sweep_points import Outcome, outcome_in
from deploy_magics.model import Model

LOOK = 0.2  # seconds between two looks whether a running task is still wanted
CANCELLED = "The run was cancelled."
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

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for packages whose runs are the same."""
        prices = self.prices.digest if self.prices else ""
        python = (self.own_python, self.python_version, self.requirements)
        return (self.digest, *python, prices, self.engine)


def run_files(package: Package, args: Mapping[str, Any]) -> dict[str, bytes]:
    """The files that a run left."""
    with _running(package, {}, args) as run:
        files = {name: run.folder / name for name in RESULT_FILES}
        return {name: path.read_bytes() for name, path in files.items() if path.exists()}


def run_points(
    package: Package, work: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> list[Outcome]:
    """The outcomes of some points of a sweep, each given by its constants and arguments."""
    return [run_point(package, constants, args) for constants, args in work]


def run_point(package: Package, constants: Mapping[str, Any], args: Mapping[str, Any]) -> Outcome:
    outcome = _in_batch(package, constants, args) if can_batch(package.limits) else None
    if outcome is None:
        began = time.monotonic()
        with _running(package, constants, args) as run:
            verdict = read_exit(run.folder) or {"reason": "killed"}
            verdict["seconds"] = time.monotonic() - began
            limits = package.limits or UNLIMITED
            outcome = outcome_in(run.folder, verdict, package.prices, limits)
    if outcome.problem is not None:  # what travels is plain
        outcome.problem = RunError(outcome.error)
    return outcome


class Ready:
    """A package as this worker has it: unpacked, and with a Python of its own."""

    def __init__(self, package: Package) -> None:
        model = Model.from_zip(package.zip, name=package.name)
        self.package = package
        self.model = Model(
            name=model.name, manifest=model.manifest, files=model.files, origins=package.origins
        )
        self.constants: Constants | None = None
        self.batches: list[Batch] = []  # that wait for work
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

    def batch(self) -> Batch | None:
        """One that is free, or a new one; None where none starts."""
        with contextlib.suppress(IndexError):  # none is left, for this thread or another
            while not (batch := self.batches.pop()).alive:
                batch.close()
            return batch
        return Batch.start(self)

    def rest(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self.batches.pop().close()


class Batch:
    """A process that has a package's library and prices loaded; ends with this one, or unused."""

    def __init__(self, ready: Ready) -> None:
        self.place = tempfile.TemporaryDirectory(
            prefix="deploy_magics-cluster-", ignore_cleanup_errors=True
        )
        self.folder = Path(self.place.name)
        package = ready.package
        job = lay_batch(self.folder, ready.model, package.prices, package.engine)
        for name in ("orders", "answers"):
            job[name] = str(self.folder / name)
            os.mkfifo(job[name])
        (self.folder / "batch").mkdir()
        (self.folder / "batch" / "job.json").write_text(json.dumps(job), "utf-8")
        self.answers = os.open(job["answers"], os.O_RDONLY | os.O_NONBLOCK)
        self.orders = os.open(job["orders"], os.O_RDWR)
        self.guarded = warm.start(ready.environment, self.folder / "batch", UNLIMITED)
        self.numbers = itertools.count()

    @classmethod
    def start(cls, ready: Ready) -> Batch | None:
        batch = cls(ready)
        if batch.guarded is not None:
            return batch
        batch.close()
        return None

    @property
    def alive(self) -> bool:
        return self.guarded is not None and self.guarded.poll() is None

    def run(self, model: Model | None, args: Mapping[str, Any]) -> Path | None:
        """The folder that a run left; None where the batch was killed. Raises RunCancelledError
        as soon as nobody wants it any more."""
        name = str(next(self.numbers))
        lay_variant(self.folder, name, model, args)
        if not wanted():
            raise RunCancelledError(CANCELLED)
        os.write(self.orders, f"{name}\n".encode())
        while not select.select([self.answers], [], [], LOOK)[0]:
            if not wanted():
                raise RunCancelledError(CANCELLED)
            if not self.alive:
                return None
        os.read(self.answers, 64)
        (self.folder / "queue" / f"{name}.json").unlink(missing_ok=True)
        place = self.folder / "over" / name
        return place if place.exists() else None

    def close(self) -> None:
        if self.guarded is not None:
            self.guarded.cancel()
            self.guarded.wait(10.0)
        for end in (self.orders, self.answers):
            os.close(end)
        self.place.cleanup()


# of this worker's process
_unpacked: dict[tuple[Any, ...], Ready] = {}
_unpacking = threading.Lock()


def _ready(package: Package) -> Ready:
    """The package's own, and batches of no other package any more."""
    with _unpacking:
        if package.key not in _unpacked:
            _unpacked[package.key] = Ready(package)
        for key, other in _unpacked.items():
            if key != package.key:
                other.rest()
        return _unpacked[package.key]


def _in_batch(
    package: Package, constants: Mapping[str, Any], args: Mapping[str, Any]
) -> Outcome | None:
    """None where no batch could be had, or it was killed."""
    ready = _ready(package)
    batch = ready.batch()
    if batch is None:
        return None
    try:
        model = ready.with_constants(constants) if constants else None
        place = batch.run(model, args)
        if place is None:
            batch.close()
            return None
        outcome = outcome_in(place, read_exit(place) or {}, package.prices, UNLIMITED)
        shutil.rmtree(place, ignore_errors=True)
    except BaseException:
        batch.close()
        raise
    ready.batches.append(batch)
    return outcome


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
                if not wanted():
                    raise RunCancelledError(CANCELLED)
        except BaseException:
            run.cancel()
            raise
        yield run
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wanted() -> bool:
    """Whether the task that runs in this thread has not been cancelled."""
    try:
        from distributed.worker import get_worker, thread_state

        task = get_worker().state.tasks.get(thread_state.key)
        return task is not None and task.state != "cancelled"
    except (ImportError, ValueError, AttributeError):  # no worker's thread
        return True
