"""A power cut: what the service acknowledged is there when the disk comes back.

The disk is an ext4 image that the kernel is told to shut down as it is, its journal not written.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import text

from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
PATIENCE = 120.0
ENOUGH = 20


class Disk:
    """An ext4 file system of its own, seen by this process and its children only."""

    def __init__(self, folder: Path) -> None:
        self._image = folder / "disk.img"
        self.path = folder / "disk"
        self.path.mkdir()
        with self._image.open("wb") as file:
            file.truncate(96 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self._image], check=True)

    def mount(self) -> None:
        subprocess.run(
            ["mount", "-o", "loop", self._image, self.path], check=True, capture_output=True
        )

    def unmount(self) -> None:
        subprocess.run(["umount", self.path], check=True)

    def cut(self) -> None:
        """From now on nothing reaches the disk, not even what the kernel was about to write."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)


@pytest.fixture
def disk(tmp_path: Path, own_mounts: bool) -> Iterator[Disk | None]:
    """None where this process may not mount anything."""
    if not own_mounts:
        yield None
        return
    made = Disk(tmp_path)
    try:
        made.mount()
    except subprocess.CalledProcessError as error:  # no loop devices
        warnings.warn(f"no power was cut: {error.stderr!r}", stacklevel=1)
        yield None
        return
    yield made
    subprocess.run(["umount", "--lazy", made.path], check=False)


class Server:
    """The service in its own process, on a data folder."""

    def __init__(self, data_dir: Path, log: Path) -> None:
        state = data_dir / "server.json"
        state.unlink(missing_ok=True)
        command = [sys.executable, "-m", "deploy_magics.cli", "serve", "--port", "0", "--no-worker"]
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(data_dir)], stdout=file, stderr=file
            )
        deadline = time.monotonic() + PATIENCE
        while not state.exists():
            assert self._process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        self.url = str(json.loads(state.read_text())["url"])

    def end(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)


class Sender(threading.Thread):
    """Uploads one package after the other until one is not acknowledged."""

    def __init__(self, send: Callable[[int], Any], numbers: range) -> None:
        super().__init__(daemon=True)
        self._send, self._numbers = send, numbers
        self.acknowledged: dict[int, Any] = {}

    def run(self) -> None:
        for number in self._numbers:
            answer = self._send(number)
            if answer is None:
                return
            self.acknowledged[number] = answer


def test_what_was_acknowledged_outlives_a_power_cut(
    disk: Disk | None, tmp_path: Path, make_zip: Callable[..., bytes]
) -> None:
    if disk is None:
        # what the kernel was asked for is held by the tests of the blobs and of the database
        return
    settings = Settings(data_dir=disk.path / "data", free_disk=0)
    services = Services.open(settings)
    ann = principal(services.accounts.create("ann", owner=True))
    token, _ = services.tokens.create(ann, "test")
    headers = {"token": services.tokens.id_token(services.tokens.by_token(token))}
    services.close()
    server = Server(settings.data_dir, tmp_path / "server.log")
    packages = [make_zip(f"import blankly\n\nprint({number})\n") for number in range(300)]

    def send(number: int) -> Any:
        try:
            answer = requests.post(
                f"{server.url}/model/backtest",
                data={"name": f"Model {number % 5}"},
                files={"model": ("model.zip", packages[number], "application/zip")},
                headers={**headers, "Idempotency-Key": f"upload-{number}"},
                timeout=60,
            )
        except requests.RequestException:
            return None
        return answer.json() if answer.status_code == 200 else None

    senders = [Sender(send, range(part, len(packages), 3)) for part in range(3)]
    for sender in senders:
        sender.start()
    deadline = time.monotonic() + PATIENCE
    while sum(len(sender.acknowledged) for sender in senders) < ENOUGH:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    disk.cut()
    for sender in senders:
        sender.join(PATIENCE)
    server.end()
    disk.unmount()
    disk.mount()

    acknowledged = {n: answer for sender in senders for n, answer in sender.acknowledged.items()}
    assert ENOUGH <= len(acknowledged) < len(packages)
    server = Server(settings.data_dir, tmp_path / "server.log")
    again = {number: send(number) for number in acknowledged}
    unheard = max(acknowledged) + 1
    assert send(unheard) == send(unheard) is not None
    server.end()
    # the same key finds the first answer: the request is remembered, and is not done twice
    assert again == acknowledged
    services = Services.open(settings)
    for number, answer in acknowledged.items():
        assert services.runs.get(ann, answer["runId"]).version_id == answer["versionId"]
        revision = services.versions.active_revision(
            services.versions.get(ann, answer["versionId"])
        )
        assert revision is not None
        assert revision.sha256 == hashlib.sha256(packages[number]).hexdigest()
        assert services.blobs.read(str(revision.sha256)) == packages[number]
    with services.store.read() as session:
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    assert list(services.blobs.staging.glob("in-*")) == []
    services.close()
