"""A guarded process: its guard is started, watched, told to stop, and found by its folder."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import psutil

from deploy_magics.executor.files import write_atomically

RUNTIME = Path(__file__).resolve().parent.parent / "runtime"

INHERITED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP"}
    | {"SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH"}
    | {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    | {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
)
"""What a model's process gets of our own environment: no tokens, no keys."""


@dataclass(frozen=True)
class Limits:
    """What a run may use; None is no limit.

    Attributes:
        seconds: wall time.
        memory: bytes that the run's processes hold together.
        cpus: cores; a fraction is kept by stopping the run for moments.
        output: bytes of log that are kept. A backtest that prints more is ended, a live run's
            oldest output goes.
        processes: how many there may be at once.
    """

    seconds: float | None = None
    memory: int | None = None
    cpus: float | None = None
    output: int = 100_000_000
    processes: int = 256


class Lifeline(Protocol):
    """Our end of what the guard follows; it ends the run when it is closed."""

    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Guarded:
    """The run in a folder, as seen from outside.

    One that this process started is told of the end at once; one that was found by its folder is
    asked for it. A guard that is gone without a last word counts as killed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        process: subprocess.Popen[bytes] | None = None,
        lifeline: Lifeline | None = None,
        done: Lifeline | BinaryIO | None = None,
    ) -> None:
        self.folder = folder
        self._process = process
        self._lifeline = lifeline
        self._done = done
        self._exit: dict[str, Any] | None = None

    @property
    def exit(self) -> dict[str, Any] | None:
        """``exit.json`` once the run is over; None while it lasts."""
        return self.poll()

    def poll(self) -> dict[str, Any] | None:
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The run's ``exit.json``, or None when it still lasts after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 1.0 if deadline is None else deadline - time.monotonic()
            ended = self._ended(max(0.0, min(left, 1.0)))
            if ended is not None or (deadline is not None and left <= 0):
                return ended

    def cancel(self) -> None:
        """Asks the guard to end the run; returns at once."""
        if self.poll() is not None:
            return
        with (self.folder / "control.jsonl").open("a", encoding="utf-8") as file:
            file.write('{"command": "stop"}\n')
        if self._lifeline is not None:
            with contextlib.suppress(OSError):
                self._lifeline.close()
        else:
            with contextlib.suppress(psutil.Error, OSError):
                if (guard := self._guard()) is not None:
                    guard.send_signal(signal.SIGTERM)

    def _ended(self, patience: float) -> dict[str, Any] | None:
        if self._exit is None:
            over = self._await(patience)
            self._exit = read_exit(self.folder)
            if self._exit is None and over:
                if self._is_gone():
                    end_leftovers(self.folder)
                self._exit = {
                    "reason": "killed",
                    "code": None,
                    "signal": None,
                    "ended_at": time.time(),
                }
            if self._exit is not None:
                self._release()
        return self._exit

    def _await(self, patience: float) -> bool:
        """Waits a little; whether the guard is gone."""
        if self._done is not None and not getattr(self._done, "closed", False):
            return _readable(self._done.fileno(), patience)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
            return self._process.poll() is not None
        if read_exit(self.folder) is not None:
            return True
        if patience:
            time.sleep(min(patience, 0.1))
        return self._guard() is None

    def _is_gone(self) -> bool:
        """Whether the guard is, a moment after its end of the line closed; one that stays was
        started anew by somebody else."""
        deadline = time.monotonic() + 5.0
        while self._guard() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _guard(self) -> psutil.Process | None:
        """The guard's process, when it is the one that wrote ``guard.pid``."""
        try:
            record = json.loads((self.folder / "guard.pid").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if record.get("boot_id") not in (None, boot_id()):
            return None
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(record["pid"])
            if process.status() != psutil.STATUS_ZOMBIE and record.get("start_time") in (
                None,
                started_ticks(record["pid"]),
            ):
                return process
        return None

    def _release(self) -> None:
        for end in (self._lifeline, self._done):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
        self._lifeline = None


def _readable(descriptor: int, patience: float) -> bool:
    """Whether there is something, or the end, to be read; ``select`` knows no large numbers."""
    watched = select.poll()
    watched.register(descriptor, select.POLLIN)
    return bool(watched.poll(patience * 1000))


def end_leftovers(folder: Path) -> None:
    """Ends what a killed guard could not: whatever began after it and works in its folder."""
    try:
        began = (folder / "guard.pid").stat().st_mtime - 1.0
    except OSError:
        return
    while True:
        found = False
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if (
                    Path(process.cwd()).is_relative_to(folder.resolve())
                    and process.create_time() >= began
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    process.kill()
                    found = True
        if not found:
            return
        time.sleep(0.02)


def start_guarded(
    folder: str | os.PathLike[str],
    command: Sequence[str] | None = None,
    *,
    python: str | os.PathLike[str] | None = None,
    kind: str = "backtest",
    limits: Limits | None = None,
    env: Mapping[str, str] | None = None,
    follow_parent: bool = True,
    grace: float = 10.0,
) -> Guarded:
    """Starts a guard on a run folder.

    Args:
        folder: made when missing; the guard's files and ``output.log`` are written there.
        command: what to run in place of the model's runner; absolute paths.
        python: the interpreter of the runner.
        kind: "live" runs are asked to end before they are ended, and their log rotates.
        env: added to the few variables that are inherited; it is written nowhere.
        follow_parent: end the run when this process ends.
        grace: seconds that a live run has to end itself.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "exit.json").unlink(missing_ok=True)
    (place / "guard.pid").unlink(missing_ok=True)
    (place / "control.jsonl").unlink(missing_ok=True)
    write_config(place, command, python, kind, limits, follow_parent, grace)
    with (place / "guard.log").open("ab") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(RUNTIME), "guard", str(place)],
            stdin=subprocess.PIPE if follow_parent else subprocess.DEVNULL,
            stdout=subprocess.PIPE if follow_parent else subprocess.DEVNULL,
            stderr=complaints,
            env=environment_of(env),
            start_new_session=True,
        )
    return Guarded(place, process=process, lifeline=process.stdin, done=process.stdout)


def write_config(
    folder: Path,
    command: Sequence[str] | None,
    python: str | os.PathLike[str] | None,
    kind: str,
    limits: Limits | None,
    follow_parent: bool,
    grace: float = 10.0,
) -> None:
    """``guard.json``: what the guard needs to know, and nothing secret."""
    config: dict[str, Any] = {
        "follow_parent": follow_parent,
        "kind": kind,
        "limits": asdict(limits or Limits()),
        "grace": grace,
    }
    if command is not None:
        config["command"] = list(map(str, command))
    if python is not None:
        config["python"] = str(python)
    write_atomically(folder / "guard.json", json.dumps(config).encode())


def attach(folder: str | os.PathLike[str]) -> Guarded:
    """The run that someone else started in this folder."""
    return Guarded(Path(folder))


def environment_of(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a model's process."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED or name.startswith("LC_")
    }
    return {**kept, "PYTHONUNBUFFERED": "", **(extra or {})}


def read_exit(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / "exit.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None


def started_ticks(pid: int) -> int | None:
    """The kernel's start time of a process, in ticks since boot; None where it is not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()
    except OSError:
        return None
    return int(fields[19])
