"""``deploy-magics serve`` as a process: starts, says where it is, keeps a worker, ends clean."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

COMMAND = [sys.executable, "-m", "deploy_magics.cli"]
PATIENCE = 180.0


class Serving:
    """One server process; ``facts`` is what it wrote about itself."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.log = data_dir.parent / "serve.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", "--port", "0", "--data-dir", str(data_dir), *options],
                stdout=log,
                stderr=log,
            )
        state = data_dir / "server.json"
        self.facts: dict[str, Any] = {}
        assert until(lambda: self._read(state) or self.process.poll() is not None)
        assert self.facts, self.log.read_text()
        self.url = str(self.facts["url"])

    def _read(self, state: Path) -> bool:
        try:
            found = json.loads(state.read_text())
        except (OSError, ValueError):
            return False
        if found["pid"] == self.process.pid:
            self.facts = found
        return bool(self.facts)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)


def until(done: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def start(*options: str) -> Serving:
        started.append(Serving(tmp_path / "data", *options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **more}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=environment, timeout=PATIENCE
    )


def test_a_server_and_its_worker_from_start_to_end(
    serve: Callable[..., Serving], tmp_path: Path
) -> None:
    first = serve()
    state = first.data_dir / "server.json"
    assert state.stat().st_mode & 0o777 == 0o600
    assert requests.get(f"{first.url}/health", timeout=60).json()["status"] == "ok"
    # the owner's sign-in address was printed, once
    (line,) = [x for x in first.log.read_text().splitlines() if "/auth/setup?code=" in x]
    page = requests.get(line.split()[-1], timeout=60)
    assert (page.status_code, "Welcome" in page.text) == (200, True)
    # a second one in the same folder is refused
    second = run("serve", "--port", "0", "--data-dir", str(first.data_dir))
    assert second.returncode == 1
    assert second.stderr.startswith("deploy-magics: Another server uses")
    # a worker that dies is started again
    (worker,) = first.children()
    worker.kill()
    assert until(lambda: [p for p in first.children() if p.pid != worker.pid])
    workers = first.children()
    # a token made while it runs is good at once
    token = run("token", "create", "--data-dir", str(first.data_dir), "--name", "ci").stdout.strip()
    answer = requests.post(f"{first.url}/auth/token", data={"refreshToken": token}, timeout=60)
    headers = {"token": answer.json()["idToken"]}
    assert requests.get(f"{first.url}/auth/me", headers=headers, timeout=60).json()["owner"]
    # the end takes the worker along and leaves no state behind
    assert first.end() == 0
    assert not state.exists()
    assert until(lambda: not any(each.is_running() for each in workers))
    again = serve("--no-worker")
    assert requests.get(f"{again.url}/auth/me", headers=headers, timeout=60).status_code == 200
    assert again.log.read_text().count("/auth/setup?code=") == 1
    assert token not in again.log.read_text()
    again.process.send_signal(signal.SIGINT)
    assert again.process.wait(PATIENCE) == 0


def test_a_killed_server_leaves_no_worker(serve: Callable[..., Serving]) -> None:
    server = serve()
    assert until(server.children)
    workers = server.children()
    server.process.kill()
    server.process.wait()
    assert until(lambda: not any(each.is_running() for each in workers))


def test_followers_and_slow_ones_do_not_hold_it_up(serve: Callable[..., Serving]) -> None:
    server = serve("--no-worker")
    place = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    with socket.create_connection(place, timeout=PATIENCE) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert server.end() == 0
        assert slow.recv(10) == b""
