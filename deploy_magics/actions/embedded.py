"""The deployment server on this machine: found when it runs, started when it does not.

One for each user: a lock holds against two starts at once, and ``embedded.json`` (0600, in the
user's state folder) says where it listens and holds its token. It goes on when the kernel ends,
for models run on it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..credentials import home, write_private
from ..display import progress
from ..errors import PlatformError, UnreachableError
from ..executor.files import locked
from ..platforms.blankly import BlanklyClient

STARTS = 120.0  # seconds that a start may take
ENDS = 15.0  # seconds that an orderly end may take
_children: list[subprocess.Popen[bytes]] = []  # they outlive us on purpose; kept so that none warns


@dataclass(frozen=True)
class Embedded:
    """A server of this user on this machine."""

    url: str
    pid: int
    created: float  # of the process, by the system's clock: a pid alone may be somebody else's
    data_dir: str
    token: str = field(repr=False)


def ensure_running() -> Embedded:
    """The running server, started if it has to be.

    Raises:
        UnreachableError: it does not start; the message says why.
    """
    with locked(home() / "embedded.lock"):
        found = running()
        if found is not None:
            return found
        with progress(None, "Starting the deployment server on this machine") as line:
            line.phase("one moment")
            return _start()


def running() -> Embedded | None:
    """The server that this user has running, None where there is none."""
    try:
        found = Embedded(**json.loads(_state_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    if _process(found.pid, found.created) is None:
        return None
    client = BlanklyClient(found.url, found.token, patience=2)
    try:
        return found if client.health() else None
    except PlatformError:
        return None
    finally:
        client.close()


def stop() -> bool:
    """End the server, its live runs too; False where none ran."""
    with locked(home() / "embedded.lock"):
        found = running()
        if found is None:
            return False
        _stop_runs(found)
        _end(found.pid, found.created)
        for child in _children:
            child.poll()
        return True


def _start() -> Embedded:
    data_dir = home() / "server"
    data_dir.mkdir(mode=0o700, exist_ok=True)
    announced = data_dir / "server.json"
    announced.unlink(missing_ok=True)
    log = data_dir / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_cli(), "serve", "--port", "0", "--data-dir", str(data_dir)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=data_dir,
            env=_environment(),
            start_new_session=True,
        )
    try:
        url = _await_url(process, announced, log)
        token = _earlier_token(url, data_dir) or _token(data_dir)
    except BaseException:
        process.terminate()
        raise
    import psutil

    _children.append(process)
    created = psutil.Process(process.pid).create_time()
    started = Embedded(url, process.pid, created, str(data_dir), token)
    write_private(_state_file(), json.dumps(asdict(started)))
    return started


def _await_url(process: subprocess.Popen[bytes], announced: Path, log: Path) -> str:
    deadline = time.monotonic() + STARTS
    while time.monotonic() < deadline:
        if announced.exists():
            url = str(json.loads(announced.read_text(encoding="utf-8"))["url"])
            client = BlanklyClient(url, patience=STARTS)
            try:
                if client.health():
                    return url
            finally:
                client.close()
        if process.poll() is not None:
            raise UnreachableError(
                f"The deployment server did not start: {_last_line(log)}",
                f"See {log}, or say `deploy-magics doctor`.",
            )
        time.sleep(0.05)
    raise UnreachableError(f"The deployment server did not start in {STARTS:.0f} s.", f"See {log}.")


def _earlier_token(url: str, data_dir: Path) -> str:
    """The token that this server gave when it ran last, empty where it takes it no more."""
    try:
        before = Embedded(**json.loads(_state_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return ""
    if before.data_dir != str(data_dir):
        return ""
    client = BlanklyClient(url, before.token, patience=STARTS)
    try:
        client.check()
    except PlatformError:
        return ""
    finally:
        client.close()
    return before.token


def _token(data_dir: Path) -> str:
    done = subprocess.run(
        [*_cli(), "token", "create", "--data-dir", str(data_dir), "--name", "notebook"],
        capture_output=True,
        text=True,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        timeout=STARTS,
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        said = done.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        raise UnreachableError(f"The deployment server gave no token: {said[0]}")
    return done.stdout.strip().splitlines()[-1]


def _stop_runs(found: Embedded) -> None:
    """Stop what is live, so that nothing goes on without its server."""
    client = BlanklyClient(found.url, found.token, patience=5)
    try:
        for run in [run for run in client.runs() if not run.ended]:
            client.stop(run.id)
        deadline = time.monotonic() + ENDS
        while time.monotonic() < deadline and any(not run.ended for run in client.runs()):
            time.sleep(0.1)
    except PlatformError:
        pass  # it is being ended anyway
    finally:
        client.close()


def _end(pid: int, created: float) -> None:
    import psutil

    process = _process(pid, created)
    if process is None:
        return
    family = [process, *process.children(recursive=True)]
    process.terminate()
    if not _ended(family, ENDS):
        for stubborn in family:
            with contextlib.suppress(psutil.Error):
                stubborn.kill()
        _ended(family, ENDS)


def _ended(family: Sequence[Any], seconds: float) -> bool:
    """Whether they have in time. One whose end its parent (a Jupyter, another kernel) has not
    heard of yet counts: only the parent can take it off the system's list."""
    import psutil

    def lives(process: Any) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    deadline = time.monotonic() + seconds
    while any(map(lives, family)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _process(pid: int, created: float):  # type: ignore[no-untyped-def]
    """The process of that pid, if it is the one that we started."""
    import psutil

    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _cli() -> Sequence[str]:
    return (sys.executable, "-m", "deploy_magics.cli")


def _environment() -> dict[str, str]:
    """The server's environment: the user's, without what belongs to the kernel."""
    dropped = ("JPY_", "IPYTHON", "PYTEST_", "DEPLOY_MAGICS_TOKEN", "MPLBACKEND")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def _state_file() -> Path:
    return home() / "embedded.json"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
