"""Backtests on this machine, each in a process of its own under a guard."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from deploy_magics.executor import warm as warm_start
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.endings import (
    error_of,
    not_started,
    said_without_prices,
    whole_log,
    with_logs,
    without_result,
)
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.process import Guarded, Limits, start_guarded
from deploy_magics.executor.result import BacktestResult
from deploy_magics.executor.stream import EventReader
from deploy_magics.model.model import Model

__all__ = ["Limits", "LocalRun", "run_backtest", "start_backtest", "write_job"]

Listener = Callable[[dict[str, Any]], None]

POLL = 0.05
FIRST_POLLS = (0.01, 0.02)
"""Seconds between two looks at the events of a run: sooner when it starts."""

STATES = {"ended": "succeeded", "cancelled": "cancelled"}


class LocalRun:
    """A backtest that runs, or ran, in a folder of this machine.

    Attributes:
        id: of this run.
        folder: where its files are.
        warm: whether it was forked from a warm process.
    """

    def __init__(
        self,
        guarded: Guarded,
        *,
        id: str,
        model: Model,
        prices: PriceSet | None,
        args: Mapping[str, Any],
        environment: Environment,
        limits: Limits,
        warm: bool,
    ) -> None:
        self.id = id
        self.folder = guarded.folder
        self.warm = warm
        self.limits = limits
        self._guarded = guarded
        self._model = model
        self._prices = prices
        self._args = dict(args)
        self._environment = environment

    @property
    def state(self) -> str:
        """``running``, ``succeeded``, ``failed`` or ``cancelled``."""
        exit = self._guarded.poll()
        if exit is None:
            return "running"
        if exit["reason"] == "ended" and not (self.folder / "result.json").exists():
            return "failed"
        return STATES.get(exit["reason"], "failed")

    status = state

    def events(self) -> Iterator[dict[str, Any]]:
        """All events, as they come, until the run is over."""
        reader = EventReader(self.folder)
        while True:
            over = self._guarded.wait(POLL) is not None
            yield from reader.read()
            if over:
                return

    def logs(self, offset: int = 0) -> str:
        """What the model printed, from ``offset`` bytes on."""
        return whole_log(self.folder, offset)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the run is over, after at most ``timeout`` seconds."""
        return self._guarded.wait(timeout) is not None

    def cancel(self) -> None:
        """Ends the run and everything it started; returns once that is done."""
        self._guarded.cancel()
        self._guarded.wait(10.0)

    def result(self, timeout: float | None = None) -> BacktestResult:
        """Waits for the run's result.

        Raises:
            TimeoutError: it is not over after ``timeout`` seconds.
            ModelFailedError: the model raised; its traceback is in the error.
            LimitError: it met a limit. RunCancelledError: it was stopped.
        """
        exit = self._guarded.wait(timeout)
        if exit is None:
            raise TimeoutError(f"The run {self.id} is not over yet.")
        if exit["reason"] != "ended":
            error = error_of(self.folder, exit, self.limits)
            raise said_without_prices(error) if self._prices is None else error
        if not (self.folder / "result.json").exists():
            raise with_logs(self.folder, without_result())
        return BacktestResult.from_run_folder(
            self.folder,
            model=self._model,
            prices=self._prices,
            args=self._args,
            environment=self._environment,
            id=self.id,
        )

    def __repr__(self) -> str:
        return f"<run {self.id} of {self._model.name}: {self.state}>"


def start_backtest(
    model: Model,
    *,
    prices: PriceSet | None,
    args: Mapping[str, Any],
    environment: Environment,
    engine: str = "fast",
    limits: Limits | None = None,
    on_event: Listener | None = None,
    warm: bool = True,
    folder: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> LocalRun:
    """Starts a backtest and returns at once.

    Args:
        args: ``to start_date end_date initial_values settings``; None values are not said.
        engine: "fast", or "plain" for the library's own.
        on_event: called from a thread with each event until the run is over.
        warm: fork from a process that has the library imported, where there is one.
        folder: where the run's files go; default a temporary one, removed with the LocalRun.
        env: variables for the model, beside the few that it inherits.

    Raises:
        LimitError: the disk is full. RunError: the system starts no run for another reason.
    """
    limits = limits or Limits()
    run_id = Path(folder).name if folder is not None else uuid.uuid4().hex[:12]
    try:
        place = _folder(folder)
        write_job(place, model, kind="backtest", prices=prices, args=args, engine=engine)
        guarded = warm_start.start(environment, place, limits, env) if warm else None
        is_warm = guarded is not None
        if guarded is None:
            guarded = start_guarded(place, python=environment.python, limits=limits, env=env)
    except OSError as error:
        raise not_started(error) from None
    run = LocalRun(
        guarded,
        id=run_id,
        model=model,
        prices=prices,
        args=args,
        environment=environment,
        limits=limits,
        warm=is_warm,
    )
    if folder is None:
        weakref.finalize(run, _forget, guarded)
    if on_event is not None:
        threading.Thread(target=_tell, args=(run, on_event), daemon=True).start()
    return run


def run_backtest(
    model: Model,
    *,
    prices: PriceSet | None,
    args: Mapping[str, Any],
    environment: Environment,
    engine: str = "fast",
    limits: Limits | None = None,
    on_event: Listener | None = None,
    warm: bool = True,
    folder: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> BacktestResult:
    """Runs a backtest to its end; see ``start_backtest`` and ``LocalRun.result``.

    An interrupt ends the run and all that it started, and raises RunCancelledError.
    """
    run = start_backtest(
        model,
        prices=prices,
        args=args,
        environment=environment,
        engine=engine,
        limits=limits,
        warm=warm,
        folder=folder,
        env=env,
    )
    try:
        _follow(run, on_event)
    except KeyboardInterrupt:
        run.cancel()
    except BaseException:
        run.cancel()
        raise
    return run.result()


def _follow(run: LocalRun, on_event: Listener | None) -> None:
    reader = EventReader(run.folder)
    for patience in chain(FIRST_POLLS, repeat(POLL)):
        over = run.wait(patience)
        if on_event is not None:
            for event in reader.read():
                on_event(event)
        if over:
            return


def _tell(run: LocalRun, on_event: Listener) -> None:
    with contextlib.suppress(OSError):
        _follow(run, on_event)


def _forget(guarded: Guarded) -> None:
    """A temporary folder goes with the last one who knows the run."""
    guarded.cancel()
    guarded.wait(10.0)
    shutil.rmtree(guarded.folder, ignore_errors=True)


def _folder(folder: str | os.PathLike[str] | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="deploy_magics-run-"))
    place = Path(folder).absolute()
    place.mkdir(parents=True, exist_ok=True)
    return place


def write_job(
    folder: Path,
    model: Model,
    *,
    kind: str,
    prices: PriceSet | None,
    args: Mapping[str, Any],
    engine: str = "fast",
    feed: Mapping[str, Any] | None = None,
) -> None:
    """Lays the model and ``job.json`` into a run folder."""
    model.to_folder(folder / "model")
    job = {
        "protocol": 1,
        "kind": kind,
        "model": str(folder / "model"),
        "main_script": model.manifest.main_script,
        "working_directory": model.manifest.working_directory,
        "type": model.manifest.type,
        "args": {name: value for name, value in dict(args).items() if value is not None},
        "prices": prices.write() if prices else [],
        "engine": engine,
        "feed": dict(feed or {}),
        "lines": {name: list(lines) for name, lines in model.origins.items()},
    }
    (folder / "job.json").write_text(json.dumps(job), "utf-8")
