"""Waits for what happens in other processes, and looks for those that should be gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

LONG = 120.0


def until(condition: Callable[[], Any], what: str, seconds: float = LONG) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def processes_in(folder: Path) -> list[psutil.Process]:
    """Living processes whose working directory is in a run's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            inside = process.cwd().startswith(str(folder))
        except psutil.Error:
            continue
        if inside:
            found.append(process)
    return found
