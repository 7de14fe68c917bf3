"""Runs that go on while the notebook does something else."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..display import Progress, escape, mode, progress, show
from ..errors import DeployMagicsError, RunError
from .workspace import current

if TYPE_CHECKING:
    from ..executor.local import LocalRun
    from ..executor.result import BacktestResult
    from .backtest import Job


class Handle:
    """A run in the background: ``status``, ``logs()``, ``result()``, ``cancel()``."""

    def __init__(
        self, name: str, run: LocalRun, finish: Callable[[BacktestResult], BacktestResult]
    ) -> None:
        self.name = name
        self.id = run.id
        self._run = run
        self._finish = finish
        self._lock = threading.Lock()
        self._result: BacktestResult | None = None
        self._error: RunError | None = None
        self._log: bytes | None = None  # these two once it is over and its folder is gone
        self._state = ""
        self._done = 0.0
        self._total = 0.0

    @property
    def status(self) -> str:
        """``running``, ``succeeded``, ``failed`` or ``cancelled``."""
        return self._state or self._run.state

    def logs(self, offset: int = 0) -> str:
        """What the model printed so far, from ``offset`` bytes on."""
        if self._log is not None:
            return self._log[offset:].decode("utf-8", "replace")
        return self._run.logs(offset)

    def result(self, timeout: float | None = None) -> BacktestResult:
        """Wait for the result; an interrupt ends the waiting and not the run.

        Raises:
            TimeoutError: it is not over after ``timeout`` seconds.
            RunError: it did not end well.
        """
        if not self._run.wait(timeout):
            raise TimeoutError(f"The run {self.id} is not over yet.")
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._result is None:
                self._result = self._settled()
            return self._result

    def _settled(self) -> BacktestResult:
        """Read what the run left, once; its folder is removed."""
        self._state, self._log = self._run.state, self._run.logs().encode()
        try:
            return self._finish(self._run.result())
        except RunError as error:
            self._error = error
            raise
        finally:
            shutil.rmtree(self._run.folder, ignore_errors=True)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is over, after at most ``timeout`` seconds."""
        return self._run.wait(timeout)

    def cancel(self) -> None:
        """End it, and everything that it started."""
        self._run.cancel()

    def event(self, line: Progress, event: dict[str, Any]) -> None:
        if event.get("event") == "progress":
            self._done = float(event.get("done") or 0)
            self._total = float(event.get("total") or 0)
            line.update(self._done, self._total)

    def _line(self) -> str:
        far = (
            f", {self._done / self._total:.0%}" if self._total and self.status == "running" else ""
        )
        return f"Run {self.id} of {self.name}: {self.status}{far}"

    def __repr__(self) -> str:
        return self._line()

    def _repr_html_(self) -> str:
        return f"<div>{escape(self._line())}</div>"


def start_in_background(job: Job) -> Handle:
    """Start a run and return its handle at once; several may run together."""
    from ..executor.local import start_backtest
    from .backtest import environment_of, kept, key_of

    environment = environment_of(job)
    key = key_of(job, environment)
    label = f"Backtesting {job.model.name}"
    # in a terminal a line that is drawn from behind would run into what is typed
    line = progress(None, label) if mode() == "widget" else Progress(None, label)
    known: list[Handle] = []

    def told(event: dict[str, Any]) -> None:
        if known:
            known[0].event(line, event)

    run = start_backtest(
        job.model,
        prices=job.prices,
        args=job.args,
        environment=environment,
        engine=job.engine,
        limits=job.limits,
        on_event=told,
    )
    handle = Handle(job.model.name, run, lambda result: kept(job, result, key))
    known.append(handle)
    current().handles[handle.id] = handle
    threading.Thread(target=_ended, args=(handle, line), daemon=True).start()
    return handle


def _ended(handle: Handle, line: Progress) -> None:
    """Say how a run ended, and keep its result even if nobody asks for it."""
    handle.wait()
    try:
        handle.result()
    except DeployMagicsError:
        pass  # whoever asks for the result gets the error
    finally:
        current().handles.pop(handle.id, None)
        line.finish(handle.status, repr(handle))
        if mode() == "text":
            _say_after_the_next_cell(repr(handle))


def _say_after_the_next_cell(text: str) -> None:
    """As shells do; a plain program has its handle to ask."""
    shell = current().shell
    if shell is None:
        return

    def say(*_: Any) -> None:
        shell.events.unregister("post_run_cell", say)
        show(text)

    shell.events.register("post_run_cell", say)
