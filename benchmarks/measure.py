"""Times, memory, and the machine they were measured on."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass
class Row:
    """One line of the table: what was measured, ours, theirs, and whether the results agree."""

    key: str
    what: str
    ours: str
    theirs: str = ""
    ratio: str = ""
    results: str = ""


@dataclass
class Program:
    """What a program of ``programs/`` said, and what it took.

    Attributes:
        seconds: of the whole process. ``said``: its last line, as JSON. ``memory``: its peak, in
            bytes, with its children.
    """

    seconds: float
    said: dict[str, Any]
    memory: int = field(default=0)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = action()
    return time.perf_counter() - began, answer


def run_program(
    command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None
) -> Program:
    """Run it to its end; its last line of output is JSON."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env={**clean_environment(), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate()
    seconds = time.perf_counter() - began
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        sys.stderr.write(out[-2000:] + err[-4000:])
        raise SystemExit(f"{command[-1]} ended with {process.returncode}")
    said = json.loads(lines[-1])
    return Program(seconds, said, int(said.get("memory", 0)))


def clean_environment() -> dict[str, str]:
    """Without what makes Python compile its modules again at each start."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def machine() -> str:
    cores = os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return (
        f"{model}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def as_seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:,.0f} ms"
    return f"{value:,.2f} s" if value < 100 else f"{value:,.0f} s"


def times(theirs: float, ours: float) -> str:
    """How many times faster ours is."""
    return f"{theirs / ours:,.1f}×"
