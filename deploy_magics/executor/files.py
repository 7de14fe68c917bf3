"""Where this machine keeps what can be made again, and how files are written there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "DEPLOY_MAGICS_CACHE"


def cache_dir(*parts: str) -> Path:
    """A folder below ``$DEPLOY_MAGICS_CACHE`` or the user's cache folder; made when missing."""
    root = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("deploy_magics")
    folder = Path(root, *parts).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or its user's part of it, has no room left."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def write_atomically(path: Path, data: bytes) -> None:
    """A reader sees the old content or the new one, and never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of that file against other processes; yields whether it was had.

    The system frees it when its holder dies, so no lock is ever left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        held = _lock(file.fileno(), wait)
        try:
            yield held
        finally:
            if held:
                _unlock(file.fileno())


if sys.platform == "win32":  # pragma: no cover
    import msvcrt
    import time

    def _lock(descriptor: int, wait: bool) -> bool:
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not wait:
                    return False
                time.sleep(0.1)

    def _unlock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def remove_folder(folder: Path) -> None:
    """Out of sight at once by a rename, then deleted, so that nobody meets a half of it."""
    aside = folder.with_name(f".gone-{os.getpid()}-{folder.name}")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)
