"""Runs the points of a sweep at once: on this machine's cores, or by a function for each."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from deploy_magics.errors import DeployMagicsError, RunCancelledError
from deploy_magics.executor import warm
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import Limits, LocalRun, start_backtest
from deploy_magics.executor.result import BacktestResult
from deploy_magics.executor.sweep_points import Outcome, Point, outcome_of
from deploy_magics.model import Model

Done = Callable[[Point, Outcome], None]
CALLS = 4  # of a given function, at once


class Pool(Protocol):
    """Something that runs points; ``run`` tells of each as it is done, and returns when all are.

    An interrupt ends all its runs before it goes on as KeyboardInterrupt.
    """

    def run(self, points: Iterable[Point], done: Done) -> None: ...


@dataclass
class LocalPool:
    """A backtest for each point, as many at once as there are cores."""

    environment: Environment
    prices: PriceSet | None
    engine: str = "fast"
    limits: Limits | None = None
    workers: int = field(default_factory=lambda: cores())

    def run(self, points: Iterable[Point], done: Done) -> None:
        warm.prepare(self.environment)
        active: dict[int, LocalRun] = {}
        stop = threading.Event()
        with tempfile.TemporaryDirectory(
            prefix="deploy_magics-sweep-", ignore_cleanup_errors=True
        ) as place:

            def one(point: Point) -> Outcome:
                began = time.monotonic()
                run = self._start(point, Path(place))
                active[point.number] = run
                try:
                    if stop.is_set():  # it was asked for between the start and this line
                        run.cancel()
                    return outcome_of(run.result(), time.monotonic() - began)
                finally:
                    active.pop(point.number, None)
                    shutil.rmtree(run.folder, ignore_errors=True)

            def cancel() -> None:
                stop.set()
                for run in list(active.values()):
                    run.cancel()

            in_threads(points, one, done, self.workers, cancel)

    def _start(self, point: Point, place: Path) -> LocalRun:
        return start_backtest(
            point.model,
            prices=self.prices,
            args=point.args,
            environment=self.environment,
            engine=self.engine,
            limits=self.limits,
            folder=place / str(point.number),
        )


@dataclass
class CallPool:
    """A function that runs a model with arguments somewhere else, a few calls at once."""

    function: Callable[[Model, Mapping[str, Any]], BacktestResult]
    workers: int = CALLS

    def run(self, points: Iterable[Point], done: Done) -> None:
        def one(point: Point) -> Outcome:
            began = time.monotonic()
            result = self.function(point.model, point.args)
            return outcome_of(result, time.monotonic() - began)

        in_threads(points, one, done, self.workers, lambda: None)


def in_threads(
    points: Iterable[Point],
    one: Callable[[Point], Outcome],
    done: Done,
    workers: int,
    cancel: Callable[[], None],
) -> None:
    """``one`` in several threads, ``done`` in this one.

    What a model does wrong is its point's outcome; any other exception ends the whole.
    """
    waiting = iter(list(points))
    answers: queue.Queue[tuple[Point, Outcome | BaseException] | None] = queue.Queue()
    take = threading.Lock()
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with take:
                point = next(waiting, None)
            if point is None:
                break
            try:
                answers.put((point, one(point)))
            except DeployMagicsError as problem:
                if stopped.is_set() and isinstance(problem, RunCancelledError):
                    break
                answers.put((point, Outcome(error=str(problem), problem=problem)))
            except BaseException as problem:
                answers.put((point, problem))
        answers.put(None)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(max(1, workers))]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            with contextlib.suppress(queue.Empty):
                answer = answers.get(timeout=0.2)
                if answer is None:
                    running -= 1
                    continue
                point, outcome = answer
                if isinstance(outcome, BaseException):
                    raise outcome
                done(point, outcome)
    finally:
        stopped.set()
        if running:
            cancel()
            for thread in threads:
                thread.join(30)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
