"""``python -m benchmarks.server_load``: the server under load, on one machine with its clients.

Uploads at once, lists of many models, many followers of one log; figures as Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil

from deploy_magics.model import Model
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings
from deploy_magics.server.store.tables import Model as ModelRow
from deploy_magics.server.store.tables import Revision, Version, new_id

MIB = 1 << 20


class Server:
    """A server process without worker, the owner's headers, the most memory it was seen with."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        command = [sys.executable, "-m", "deploy_magics.cli", "serve", "--port", "0", "--no-worker"]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not (data_dir / "server.json").exists():
            if self.process.poll() is not None:
                raise SystemExit("The server does not start.")
            time.sleep(0.05)
        parts = urlsplit(json.loads((data_dir / "server.json").read_text())["url"])
        self.place = (str(parts.hostname), int(parts.port or 0))
        self.services = Services.open(Settings(data_dir=data_dir, account_queue=1_000_000))
        self.owner = principal(self.services.accounts.ensure_owner()[0])
        token, _ = self.services.tokens.create(self.owner, "load")
        self.id_token = self.services.tokens.id_token(self.services.tokens.by_token(token))
        self.peak = 0

    async def ask(
        self, method: str, path: str, kind: str = "", body: bytes = b""
    ) -> tuple[int, bytes]:
        """One request on its own connection; status and body."""
        reader, writer = await asyncio.open_connection(*self.place)
        try:
            head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\ntoken: {self.id_token}\r\n"
            head += f"Connection: close\r\nContent-Length: {len(body)}\r\n"
            head += f"Content-Type: {kind}\r\n" if kind else ""
            writer.write(head.encode() + b"\r\n" + body)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        head_bytes, _, content = answer.partition(b"\r\n\r\n")
        return int(head_bytes.split()[1]), content

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Looks at the server's memory meanwhile."""
        over = threading.Event()
        self.peak = 0

        def look() -> None:
            process = psutil.Process(self.process.pid)
            while not over.wait(0.05):
                self.peak = max(self.peak, process.memory_info().rss)

        watcher = threading.Thread(target=look)
        watcher.start()
        yield
        over.set()
        watcher.join()

    def close(self) -> None:
        self.services.close()
        self.process.terminate()
        self.process.wait()


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def package(size: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data.bin").write_bytes(os.urandom(size))
        model = Model.build(
            "Load",
            "import blankly\n",
            requirements=["blankly"],
            include=["data.bin"],
            folder=folder,
        )
        return model.zip_bytes()


def form(name: str, content: bytes) -> bytes:
    part = 'Content-Disposition: form-data; name="{}"'
    head = f"--x\r\n{part.format('name')}\r\n\r\n{name}\r\n--x\r\n{part.format('model')}"
    return head.encode() + b'; filename="model.zip"\r\n\r\n' + content + b"\r\n--x--\r\n"


async def uploads(server: Server, count: int, size: int) -> str:
    """``count`` uploads of different zips, all sent at once."""
    contents = [package(size) for _ in range(8)]
    seconds: list[float] = []
    good = 0

    async def one(number: int) -> None:
        nonlocal good
        body = form(f"{size}-{number}", contents[number % len(contents)])
        began = time.perf_counter()
        try:
            status, _ = await server.ask(
                "POST", "/model/backtest", "multipart/form-data; boundary=x", body
            )
        except OSError:
            return
        good += status == 200
        seconds.append(time.perf_counter() - began)

    with server.watched():
        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(count)))
        took = time.perf_counter() - began
    return (
        f"{count} uploads of {size / MIB:g} MiB at once: {good} taken in {took:.1f} s "
        f"({good / took:.0f}/s), p99 {percentile(seconds, 0.99):.1f} s, {server.peak / MIB:.0f} MiB"
    )


def fill(server: Server, models: int, versions: int) -> None:
    """Rows as uploads would leave them."""
    project = server.owner.account_id
    with server.services.store.write() as session:
        for number in range(models):
            model = ModelRow(id=new_id(), project_id=project, name=f"Many {number}")
            session.add(model)
            session.flush()
            for count in range(1, versions + 1):
                revision = new_id()
                version = Version(
                    id=new_id(),
                    model_id=model.id,
                    number=count,
                    name=f"v{count}",
                    active_revision_id=revision,
                )
                session.add(version)
                session.flush()
                session.add(Revision(id=revision, version_id=version.id, sha256="0" * 64))
            session.flush()
            session.expunge_all()


async def lists(server: Server) -> list[str]:
    models = server.services.models.list(server.owner, server.owner.account_id)
    many = next(row for row in models if row.name.startswith("Many"))
    kind = "application/x-www-form-urlencoded"
    body = urlencode({"projectId": server.owner.account_id}).encode()
    lines = []
    for what, method, path, content in (
        ("overview", "GET", "/overview", b""),
        ("list of models", "POST", "/model/list", body),
        ("versions of one model", "GET", f"/model/{many.id}/versions", b""),
    ):
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            status, answer = await server.ask(method, path, kind if content else "", content)
            seconds.append(time.perf_counter() - began)
            assert status == 200, answer[:200]
        lines.append(f"{what}: {statistics.median(seconds):.3f} s, {len(answer) / MIB:.1f} MiB")
    return lines


async def followers(server: Server, count: int, lines: int) -> str:
    """How long after a line is written each follower has it."""
    model = server.services.models.create(server.owner, server.owner.account_id, "Followed")
    version = server.services.versions.create(server.owner, model.id)
    with server.services.blobs.stage() as stage, server.services.store.write():
        stage.write(package(10))
        blob = server.services.uploads.keep(server.owner, stage)
        server.services.versions.add_revision(server.owner, version.id, blob)
        version = server.services.versions.get(server.owner, version.id)
        run = server.services.runs.create(server.owner, "backtest", version)
    folder = server.services.settings.run_folder(run.id)
    folder.mkdir()
    delays: list[float] = []

    async def follow() -> None:
        offset = seen = 0
        while seen < lines:
            _, answer = await server.ask("GET", f"/run/{run.id}/logs?wait=25&offset={offset}")
            now = time.time()
            part = json.loads(answer)
            offset = part["offset"]
            for line in part["text"].splitlines():
                seen += 1
                delays.append(now - float(line))

    async def speak() -> None:
        with (folder / "output.log").open("w") as file:
            for _ in range(lines):
                await asyncio.sleep(0.5)
                file.write(f"{time.time()}\n")
                file.flush()

    with server.watched():
        await asyncio.gather(speak(), *(follow() for _ in range(count)))
    return (
        f"{count} followers of one log, {lines} lines: {len(delays)} of {count * lines} heard, "
        f"median {statistics.median(delays):.2f} s, p99 {percentile(delays, 0.99):.2f} s, "
        f"{server.peak / MIB:.0f} MiB"
    )


async def measure(server: Server, options: argparse.Namespace) -> None:
    for size in (MIB // 10, MIB):
        print(f"- {await uploads(server, options.uploads, size)}", flush=True)
    print(f"- {await followers(server, options.followers, 20)}", flush=True)
    fill(server, options.models, options.versions)
    print(f"- with {options.models} models of {options.versions} versions:", flush=True)
    for line in await lists(server):
        print(f"  - {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server_load", description=__doc__)
    parser.add_argument("--uploads", type=int, default=1000)
    parser.add_argument("--followers", type=int, default=200)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=100)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        try:
            asyncio.run(measure(server, options))
        finally:
            server.close()


if __name__ == "__main__":
    main()
