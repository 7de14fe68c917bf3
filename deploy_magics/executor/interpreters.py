"""Finds a Python of a wanted version on this machine: the running one, pyenv's, what uv knows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from deploy_magics.errors import EnvironmentError_

# newest first; the library installs and runs on each of them (measured), on no newer one
SUPPORTED = ("3.11", "3.10", "3.9", "3.8", "3.7")


def uv_program() -> str:
    """The uv that came with this package; EnvironmentError_ where there is none."""
    try:
        import uv

        return os.fsdecode(uv.find_uv_bin())
    except (ImportError, FileNotFoundError) as problem:
        raise EnvironmentError_(
            "The program uv is missing.", "Install it with: pip install uv"
        ) from problem


def parse_version(text: str) -> str:
    """'3.11', '3.11.7', 'python3.11', '>=3.9' … -> the plain '3.11' or '3.11.7' in it."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if not match:
        raise EnvironmentError_(
            f"'{text}' is not a Python version.", "Give one such as 3.11 (python_version)."
        )
    return match.group(0)


def find_python(version: str) -> Path | None:
    """An interpreter whose version starts with ``version``, None where the machine has none."""
    running = ".".join(map(str, sys.version_info[:3]))
    if _matches(running, version):
        return Path(getattr(sys, "_base_executable", None) or sys.executable)
    return _from_pyenv(version) or _from_uv(version)


def installed_versions() -> list[str]:
    """The supported versions that this machine has, newest first."""
    return [version for version in SUPPORTED if find_python(version)]


def download_python(version: str, timeout: float) -> Path | None:
    """Let uv fetch a Python of its own; None when it cannot."""
    command = [uv_program(), "python", "install", "--no-config", "--quiet", version]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return None
    _from_uv.cache_clear()
    return _from_uv(version) if done.returncode == 0 else None


def _matches(found: str, wanted: str) -> bool:
    return found == wanted or found.startswith(f"{wanted}.")


def _from_pyenv(version: str) -> Path | None:
    """uv sees pyenv's shims only, and those answer for no version that is not switched on."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates: list[tuple[tuple[int, ...], Path]] = []
    for python in root.glob("versions/*/bin/python"):
        name = python.parent.parent.name
        if re.fullmatch(r"\d+\.\d+\.\d+", name) and _matches(name, version):
            candidates.append((tuple(map(int, name.split("."))), python))
    return max(candidates)[1] if candidates else None


@lru_cache(maxsize=32)
def _from_uv(version: str) -> Path | None:
    command = [uv_program(), "python", "find", "--no-config", "--no-project", "--system"]
    done = subprocess.run(
        [*command, "--no-python-downloads", version],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path.home(),
    )
    return Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None
