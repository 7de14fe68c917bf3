"""Warm starts: for each environment a process that has the library imported and forks runners."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from deploy_magics.executor.environment import Environment
from deploy_magics.executor.process import (
    RUNTIME,
    Guarded,
    Limits,
    environment_of,
    write_config,
)

MOST = 2
"""Warm processes kept at once; the one not used for longest goes first."""

_warm: OrderedDict[str, Zygote] = OrderedDict()
_lock = threading.Lock()


def why_not() -> str | None:
    """Why this machine starts every run cold; None where it does not."""
    if not hasattr(os, "fork") or not hasattr(socket, "AF_UNIX"):
        return "This system cannot fork: every run starts cold."
    if sys.platform == "darwin":
        return "macOS forbids its frameworks after a fork: every run starts cold."
    return None


class Zygote:
    """One warm process. It follows this one: it ends when its standard input closes."""

    def __init__(self, environment: Environment) -> None:
        self.owner = os.getpid()
        self.folder = Path(tempfile.mkdtemp(prefix="deploy_magics-warm-"))
        self.address = str(self.folder / "s")
        # bound here, so that a run may ask before the imports are done and be served after them
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(self.address)
            listener.listen(64)
            self.process = subprocess.Popen(
                [str(environment.python), str(RUNTIME), "zygote", str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment_of(),
                start_new_session=True,
                pass_fds=(listener.fileno(),),
            )
        finally:
            listener.close()

    @property
    def alive(self) -> bool:
        return self.owner == os.getpid() and self.process.poll() is None

    def connect(self) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self.address)
        except OSError:
            connection.close()
            return None
        return connection

    def close(self) -> None:
        """Ends the process; runs that it forked go on."""
        if self.owner != os.getpid():
            return
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def prepare(environment: Environment) -> bool:
    """Starts the warm process of an environment, in the background; whether there is one."""
    return _zygote(environment) is not None


def _zygote(environment: Environment) -> Zygote | None:
    if why_not() is not None:
        return None
    with _lock:
        known = _warm.get(environment.key)
        if known is not None and known.alive:
            _warm.move_to_end(environment.key)
            return known
        if known is not None:
            known.close()
            del _warm[environment.key]
        try:
            fresh = Zygote(environment)
        except OSError:
            return None
        if not _warm:
            atexit.register(close_all)
        _warm[environment.key] = fresh
        while len(_warm) > MOST:
            _warm.popitem(last=False)[1].close()
        return fresh


def start(
    environment: Environment,
    folder: Path,
    limits: Limits,
    env: Mapping[str, str] | None = None,
) -> Guarded | None:
    """A run forked from the environment's warm process; None where it must start cold."""
    zygote = _zygote(environment)
    connection = zygote.connect() if zygote is not None else None
    if connection is None:
        return None
    write_config(folder, None, environment.python, "backtest", limits, True)
    request = {"folder": str(folder), "env": environment_of(env)}
    try:
        connection.sendall(json.dumps(request).encode() + b"\n")
    except OSError:
        connection.close()
        return None
    return Guarded(folder, lifeline=Shutter(connection), done=connection)


class Shutter:
    """Closes our half of a connection, so that the other side hears of it while we still listen."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)


def close_all() -> None:
    """Ends every warm process of this one."""
    atexit.unregister(close_all)
    with _lock:
        while _warm:
            _warm.popitem()[1].close()
