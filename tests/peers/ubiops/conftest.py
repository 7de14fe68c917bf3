"""Our server in its own process, and UbiOps' own programs in environments of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import uv

from deploy_magics.executor.files import locked

CACHE = Path(__file__).parents[3] / ".cache" / "peers"
START_SECONDS = 120.0


class Server(NamedTuple):
    url: str
    token: str
    data_dir: Path


def _cli(*words: str) -> list[str]:
    return [sys.executable, "-m", "deploy_magics.cli", *words]


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[Server]:
    """``deploy-magics serve`` on a free port, with its worker; once for each database."""
    data = tmp_path / "server"
    place = ["--data-dir", str(data), "--database-url", database_url]
    log = (tmp_path / "server.log").open("wb")
    process = subprocess.Popen(_cli("serve", "--port", "0", *place), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (data / "server.json").exists():
            text = (tmp_path / "server.log").read_text()
            assert process.poll() is None and time.monotonic() < deadline, text
            time.sleep(0.05)
        made = subprocess.run(
            _cli("token", "create", *place, "--name", "peer"),
            check=True,
            capture_output=True,
            text=True,
        )
        url = json.loads((data / "server.json").read_text())["url"]
        yield Server(url, made.stdout.strip(), data)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def peer_environment(requirement: str) -> Path:
    """An environment with exactly that, kept between runs of the tests."""
    folder = CACHE / requirement.replace("==", "-")
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(folder.suffix + ".lock")):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            program = uv.find_uv_bin()
            subprocess.run([program, "venv", "-q", "-p", sys.executable, str(folder)], check=True)
            command = [program, "pip", "install", "-q", "--compile-bytecode"]
            command += ["-p", str(folder / "bin" / "python"), requirement]
            subprocess.run(command, check=True)
            (folder / "ready").touch()
    return folder


@pytest.fixture(scope="session")
def peer() -> Callable[[str], Path]:
    """The folder of the environment that holds a requirement."""
    return peer_environment


@pytest.fixture
def ubiops_cli(peer: Callable[[str], Path], tmp_path: Path) -> Callable[..., str]:
    """Runs UbiOps' command line; it keeps its state among its own files, so each test has a copy
    of those."""
    source = peer("ubiops-cli==2.32.0")
    packages = next(source.glob("lib/python*/site-packages"))
    mine = tmp_path / "cli"
    shutil.copytree(packages, mine)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(mine),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
    }

    def run(*words: str, code: int = 0) -> str:
        entry = "import sys; from ubiops_cli.main import main; sys.argv[0] = 'ubiops'; main()"
        done = subprocess.run(
            [str(source / "bin" / "python"), "-c", entry, *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            timeout=240,
        )
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run
