"""kill -9 at random moments: nothing acknowledged is lost or done twice, nobody is left."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from deploy_magics.executor.environment import ensure_environment
from deploy_magics.model import BLANKLY, Model
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.services.runs import ENDED
from deploy_magics.server.settings import Settings

ROUNDS = 50
UPLOADS = 24
PATIENCE = 240.0
NURSERY = Path(__file__).with_name("nursery.py")
# ends by itself at once: what counts here is that its run ends, and once
SCRIPT = "import blankly\n\nprint('number', {number})\n"


class Nursery:
    """Starts webs and workers and remembers every process that they had."""

    def __init__(self, data_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(NURSERY), str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"
        self.seen: set[psutil.Process] = set()

    def start(self, what: str) -> psutil.Process:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        process = psutil.Process(int(self._line()))
        self.seen.add(process)
        return process

    def kill(self, process: psutil.Process) -> None:
        """After a look at what it has started itself."""
        self.look(process)
        process.kill()
        process.wait(PATIENCE)

    def look(self, process: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            self.seen.update(process.children(recursive=True))

    def end(self, *processes: psutil.Process) -> None:
        for process in processes:
            self.look(process)
            process.terminate()
        psutil.wait_procs(processes, timeout=PATIENCE)

    def close(self) -> None:
        for process in self.seen:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Uploader(threading.Thread):
    """Uploads one after the other, each until it is acknowledged, with its own key."""

    def __init__(
        self, data_dir: Path, headers: dict[str, str], packages: list[tuple[int, bytes]]
    ) -> None:
        super().__init__(daemon=True)
        self._state = data_dir / "server.json"
        self._headers = headers
        self._packages = packages
        self.acknowledged: list[tuple[int, dict[str, Any]]] = []
        self.strange: list[str] = []
        self.tries = 0

    def run(self) -> None:
        for number, package in self._packages:
            while not self._upload(number, package):
                time.sleep(0.1)

    def _upload(self, number: int, package: bytes) -> bool:
        self.tries += 1
        try:
            url = json.loads(self._state.read_text())["url"]
            answer = requests.post(
                f"{url}/model/backtest",
                data={"name": "Model"},
                files={"model": ("model.zip", package, "application/zip")},
                headers={**self._headers, "Idempotency-Key": f"upload-{number}"},
                timeout=(5, 30),
            )
        except (OSError, ValueError):
            return False
        if answer.status_code == 200:
            self.acknowledged.append((number, answer.json()))
            return True
        if answer.status_code != 503:
            self.strange.append(f"{answer.status_code} {answer.text}")
        return answer.status_code != 503


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    started = Nursery(tmp_path / "data")
    yield started
    started.close()


def until(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def announced(data_dir: Path, pid: int) -> bool:
    try:
        return bool(json.loads((data_dir / "server.json").read_text())["pid"] == pid)
    except (OSError, ValueError):
        return False


@pytest.mark.timeout(900)
def test_killed_again_and_again(tmp_path: Path, nursery: Nursery) -> None:
    ensure_environment("3.11", BLANKLY)
    dice = random.Random(20261121)
    settings = Settings(data_dir=tmp_path / "data")
    services = Services.open(settings)
    ann = principal(services.accounts.create("ann", owner=True))
    token, _ = services.tokens.create(ann, "test")
    headers = {"token": services.tokens.id_token(services.tokens.by_token(token))}
    packages = [
        Model.build(
            "Model", SCRIPT.format(number=number), requirements=list(BLANKLY), python_version="3.11"
        ).zip_bytes()
        for number in range(UPLOADS)
    ]
    numbered = list(enumerate(packages))
    uploaders = [Uploader(settings.data_dir, headers, numbered[part::3]) for part in range(3)]
    running = {name: nursery.start(name) for name in ("web", "worker")}
    for uploader in uploaders:
        uploader.start()
    for _ in range(ROUNDS):
        if dice.random() < 0.7:  # at work, else while it starts
            assert until(lambda: announced(settings.data_dir, running["web"].pid))
        time.sleep(dice.uniform(0.0, 0.3))
        for name in dice.choice((["web"], ["worker"], ["web", "worker"])):
            nursery.kill(running[name])
            running[name] = nursery.start(name)

    assert until(lambda: not any(uploader.is_alive() for uploader in uploaders))
    assert [line for uploader in uploaders for line in uploader.strange] == []
    acknowledged = [pair for uploader in uploaders for pair in uploader.acknowledged]
    run_ids = [answer["runId"] for _, answer in acknowledged]
    assert len(set(run_ids)) == UPLOADS
    assert until(
        lambda: all(services.runs.get(ann, run_id).state in ENDED for run_id in run_ids)
    ), [(run.state, run.attempts) for run in services.runs.list(ann)]
    nursery.end(*running.values())

    # once each, although many requests were sent again
    assert sorted(run.id for run in services.runs.list(ann)) == sorted(run_ids)
    (model,) = services.models.list(ann, ann.account_id)
    versions = services.versions.list(ann, model.id)
    assert sorted(version.number for version in versions) == list(range(1, UPLOADS + 1))
    for number, answer in acknowledged:
        version = services.versions.get(ann, answer["versionId"])
        revision = services.versions.active_revision(version)
        assert revision is not None
        assert revision.sha256 == hashlib.sha256(packages[number]).hexdigest()
        assert services.blobs.read(revision.sha256) == packages[number]
    # nothing half-made remains once the next start has swept
    services.uploads.sweep(older_than=-1)
    assert len(list(services.blobs.names())) == UPLOADS
    assert list(services.blobs.staging.glob("in-*")) == []
    services.close()

    def left() -> list[psutil.Process]:
        return [process for process in nursery.seen if process.is_running()]

    assert until(lambda: not left()), [process.cmdline() for process in left()]
