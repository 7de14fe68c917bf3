"""Builds a model's environment in a process of its own, so that it ends with the worker.

``python -m deploy_magics.server.workers.prepare FOLDER`` reads ``job.json`` and writes
``result.json``: ``{"key": …}``, or ``{"error": text}``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from deploy_magics.errors import DeployMagicsError, EnvironmentError_
from deploy_magics.executor.environment import Environment, ensure_environment, find_environment
from deploy_magics.executor.files import write_atomically
from deploy_magics.executor.process import Limits
from deploy_magics.server.workers.guarded import run_guarded

SECONDS = 1800.0


def environment_of(
    folder: Path, python_version: str | None, requirements: Sequence[str], stop: threading.Event
) -> Environment:
    """The environment, built below ``folder`` where it is not ready.

    Raises:
        EnvironmentError_: it cannot be had; the message is what the builder said.
        RunCancelledError: ``stop`` was set.
    """
    ready = find_environment(python_version, requirements)
    if ready is not None:
        return ready
    command = [sys.executable, "-m", "deploy_magics.server.workers.prepare"]
    job = {"python_version": python_version, "requirements": list(requirements)}
    result = run_guarded(
        folder, command, job, stop=stop, limits=Limits(seconds=SECONDS), env=dict(os.environ)
    )
    ready = find_environment(python_version, requirements)
    if ready is None:
        raise EnvironmentError_(str(result.get("error", "The environment could not be built.")))
    return ready


def main(folder: Path) -> int:
    job = json.loads((folder / "job.json").read_bytes())
    try:
        built = ensure_environment(
            job["python_version"],
            job["requirements"],
            on_progress=lambda text: print(text, flush=True),
            timeout=SECONDS,
        )
        result = {"key": built.key}
    except DeployMagicsError as error:
        print(error, flush=True)
        result = {"error": str(error)}
    write_atomically(folder / "result.json", json.dumps(result).encode())
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
