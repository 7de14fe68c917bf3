"""A program of ours, or a package's, run by the runtime's guard: limited, logged, never orphaned.

The guard follows this process: when the worker dies, by whatever signal, the guard ends everything
that it started.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy_magics.errors import LimitError, RunCancelledError, RunError
from deploy_magics.executor.files import write_atomically
from deploy_magics.executor.process import Guarded, Limits, attach, start_guarded

POLL = 0.2
END_SECONDS = 15.0
_LIMITS = {
    "time": "The time limit was met.",
    "memory": "The memory limit was met.",
    "output": "The limit of output was met.",
    "processes": "The limit of processes was met.",
}


def run_guarded(
    folder: Path,
    command: Sequence[str],
    job: Mapping[str, Any],
    *,
    stop: threading.Event,
    limits: Limits,
    env: Mapping[str, str],
) -> dict[str, Any]:
    """Run ``command`` in ``folder`` and return what it wrote to ``result.json``.

    Args:
        command: gets the folder as its last argument; reads ``job.json`` there.
        stop: when set, everything is ended.

    Raises:
        RunCancelledError: ``stop`` was set.
        LimitError: a limit was met.
        RunError: it left no result.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "result.json").unlink(missing_ok=True)
    write_atomically(folder / "job.json", json.dumps(job).encode())
    ended = await_end(start_guarded(folder, [*command, str(folder)], limits=limits, env=env), stop)
    if stop.is_set():
        raise RunCancelledError("The run was stopped.")
    reason = str(ended.get("reason"))
    if reason in _LIMITS:
        raise LimitError(_LIMITS[reason], "Choose a larger plan.")
    result = read_json(folder / "result.json")
    if result is None:
        said = log_tail(folder)
        raise RunError(f"The process ended without a result ({reason}). {said}".rstrip())
    return result


def await_end(guarded: Guarded, stop: threading.Event) -> dict[str, Any]:
    """The end of a guarded process, which is told to end when ``stop`` is set."""
    while True:
        ended = guarded.wait(POLL)
        if ended is not None:
            return ended
        if stop.is_set():
            guarded.cancel()


def await_guard_end(folder: Path) -> None:
    """Wait until an earlier attempt's guard in that folder is gone; it follows its dead worker."""
    if not (folder / "guard.pid").exists():
        return
    earlier = attach(folder)
    if earlier.wait(END_SECONDS) is None:
        earlier.cancel()
        earlier.wait(END_SECONDS)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file, None where there is none or it was cut short."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def log_tail(folder: Path, size: int = 600) -> str:
    """The end of what was printed."""
    try:
        with (folder / "output.log").open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""
