"""The model's Python and its packages: made by uv once for each content, then shared.

An environment is a folder below the cache named by the hash of (Python, requirements). It is built
aside and renamed into place, so a folder with that name is a whole one; builders of the same
content wait for the first. What is installed runs no code of its own while it is: source
distributions are refused unless they are named (``DEPLOY_MAGICS_BUILD=name,name``).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy_magics.errors import EnvironmentError_
from deploy_magics.executor.files import cache_dir, locked, remove_folder, write_atomically
from deploy_magics.executor.interpreters import (
    SUPPORTED,
    download_python,
    find_python,
    installed_versions,
    parse_version,
)
from deploy_magics.executor.uv import install, make_folder
from deploy_magics.model import parse_lines

Progress = Callable[[str], None]

FORMAT = 1
READY = "deploy_magics.json"
BUILD_VARIABLE = "DEPLOY_MAGICS_BUILD"
DAY = 86400.0


@dataclass(frozen=True)
class Environment:
    """A Python with packages.

    Attributes:
        python: the interpreter.
        key: changes when the content does; equal keys may share a warm process.
        version: 'major.minor'.
        requirements: what was asked for.
        packages: 'name==version' of what is in it.
    """

    python: Path
    key: str
    version: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...] = field(default=(), repr=False)


def ensure_environment(
    python_version: str | None,
    requirements: Sequence[str],
    *,
    on_progress: Progress | None = None,
    timeout: float = 900.0,
) -> Environment:
    """The environment of that content, built when it is not there yet.

    Args:
        python_version: '3.10', '3.10.13', or None for any that the library runs on.
        timeout: seconds that the build may take in all.

    Raises:
        RequirementError: a line that is no plain ``name[extra]specifier; marker``.
        EnvironmentError_: no such Python, or the packages cannot be had.
    """
    say = on_progress or (lambda text: None)
    version, wanted, folder = _place(python_version, requirements)
    ready = _read(folder)
    if ready is None:
        with locked(folder.with_suffix(".lock"), wait=False) as first:
            if first:
                ready = _read(folder) or _build(folder, version, wanted, say, timeout)
        if not first:
            say("waiting for another process that builds the same environment")
            with locked(folder.with_suffix(".lock")):
                ready = _read(folder) or _build(folder, version, wanted, say, timeout)
    assert ready is not None
    return ready


def find_environment(python_version: str | None, requirements: Sequence[str]) -> Environment | None:
    """The environment of that content where it is ready; never builds one."""
    return _read(_place(python_version, requirements)[2])


def kernel_environment() -> Environment:
    """The interpreter that this code runs in, with whatever it has."""
    packages = tuple(
        sorted(f"{dist.metadata['Name']}=={dist.version}" for dist in metadata.distributions())
    )
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    content = json.dumps([sys.executable, sys.version, packages])
    key = f"kernel-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    return Environment(Path(sys.executable), key, version, (), packages)


def prune(
    *, unused_days: float = 30.0, keep: Sequence[str] = (), max_bytes: int | None = None
) -> list[str]:
    """Remove environments that no run has used for so long, or the longest unused above a size.

    Returns the keys of what was removed. One that is being built is left alone.
    """
    folders = [f for f in cache_dir("environments").iterdir() if f.is_dir() and f.name[0] != "."]
    used = {folder: _last_use(folder) for folder in folders if folder.name not in keep}
    oldest_first = sorted(used, key=lambda folder: used[folder])
    gone = [folder for folder in oldest_first if time.time() - used[folder] > unused_days * DAY]
    if max_bytes is not None:
        sizes = {folder: _size(folder) for folder in folders}
        total = sum(size for folder, size in sizes.items() if folder not in gone)
        for folder in oldest_first:
            if total <= max_bytes:
                break
            if folder not in gone:
                gone.append(folder)
                total -= sizes[folder]
    removed = []
    for folder in gone:
        with locked(folder.with_suffix(".lock"), wait=False) as held:
            if held:
                remove_folder(folder)
                removed.append(folder.name)
    return removed


def normalise(requirements: Sequence[str]) -> tuple[str, ...]:
    """Each line in its plain form, sorted: what is equal gets an equal key.

    The library needs NumPy 1 (one of its packages is built for it), so that bound is added where
    nothing is said of NumPy.
    """
    lines = set(parse_lines("\n".join(requirements)))
    names = {canonicalize_name(Requirement(line).name) for line in lines}
    if "blankly" in names and "numpy" not in names:
        lines.add("numpy<2")
    return tuple(sorted(lines))


def environment_key(version: str, requirements: Sequence[str]) -> str:
    content = json.dumps([FORMAT, sys.platform, version, list(requirements)])
    return f"py{version}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def buildable() -> tuple[str, ...]:
    """The packages whose source distributions may be built, by the user's own word."""
    names = os.environ.get(BUILD_VARIABLE, "").replace(",", " ").split()
    return tuple(sorted(canonicalize_name(name) for name in names))


def _place(
    python_version: str | None, requirements: Sequence[str]
) -> tuple[str, tuple[str, ...], Path]:
    wanted = normalise(requirements)
    version = parse_version(python_version) if python_version else _any_version()
    return version, wanted, cache_dir("environments") / environment_key(version, wanted)


def _any_version() -> str:
    """The newest version that the library runs on, of those the machine has."""
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if running in SUPPORTED:
        return running
    return next((version for version in SUPPORTED if find_python(version)), SUPPORTED[0])


def _build(
    folder: Path, version: str, requirements: tuple[str, ...], say: Progress, timeout: float
) -> Environment:
    deadline = time.monotonic() + timeout
    _refuse_too_new(version, requirements)
    say(f"Python {version}: looking for it")
    python = find_python(version)
    if python is None:
        say(f"Python {version}: not on this machine, fetching it")
        python = download_python(version, deadline - time.monotonic())
    if python is None:
        have = ", ".join(installed_versions()) or "none of them"
        raise EnvironmentError_(
            f"Python {version} is not on this machine and could not be fetched.",
            f"Install it (pyenv install {version}), or name another: this machine has {have}; "
            "or use --env kernel.",
        )
    for left in (folder, *folder.parent.glob(f".new-*-{folder.name}")):  # by a killed builder
        remove_folder(left)
    aside = folder.with_name(f".new-{os.getpid()}-{folder.name}")
    try:
        make_folder(aside, python)
        install(aside, version, requirements, buildable(), say, deadline)
        packages = _packages(aside)
        record = {"version": version, "requirements": requirements, "packages": packages}
        write_atomically(aside / READY, json.dumps(record, indent=1).encode())
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    ready = _read(folder)
    assert ready is not None
    return ready


def _refuse_too_new(version: str, requirements: Sequence[str]) -> None:
    minor = ".".join(version.split(".")[:2])
    needs = any(canonicalize_name(Requirement(line).name) == "blankly" for line in requirements)
    if needs and minor not in SUPPORTED:
        raise EnvironmentError_(
            f"blankly does not run on Python {version}.",
            f"Set python_version to one of {', '.join(SUPPORTED)}.",
        )


def _read(folder: Path) -> Environment | None:
    """The environment in that folder, if it is whole and its Python is still there."""
    python = interpreter_of(folder)
    try:
        record = json.loads((folder / READY).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not python.exists():  # a link into a Python that was removed
        return None
    os.utime(folder / READY)  # its last use, for prune
    version = ".".join(record["version"].split(".")[:2])
    requirements, packages = tuple(record["requirements"]), tuple(record["packages"])
    return Environment(python, folder.name, version, requirements, packages)


def interpreter_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _packages(folder: Path) -> list[str]:
    places = [str(place) for place in folder.glob("lib/python*/site-packages")]
    places += [str(folder / "Lib" / "site-packages")]
    found = metadata.distributions(path=places)
    return sorted(f"{canonicalize_name(dist.metadata['Name'])}=={dist.version}" for dist in found)


def _last_use(folder: Path) -> float:
    try:
        return (folder / READY).stat().st_mtime
    except OSError:
        return 0.0


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
