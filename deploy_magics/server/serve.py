"""One server: the web in this process, the workers in a child of it, both ended together."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.datastructures import State
from starlette.types import ASGIApp

from deploy_magics import __version__
from deploy_magics.errors import ServiceError, UsageError
from deploy_magics.server.app import create_app
from deploy_magics.server.guard import is_loopback
from deploy_magics.server.housekeeping import housekeeping
from deploy_magics.server.logs import configure_logs
from deploy_magics.server.patient import PatientProtocol
from deploy_magics.server.services import Services
from deploy_magics.server.settings import ENVIRONMENT_PREFIX, Settings
from deploy_magics.server.store.blobs import write_atomic

STATE_FILE = "server.json"
GRACE_SECONDS = 3
WORKER_SECONDS = 8.0
SETUP_SECONDS = 7 * 86_400.0
_log = logging.getLogger("deploy_magics.server")


def check_exposure(settings: Settings) -> None:
    """Raises UsageError: reachable from other machines without TLS, unless that was asked for."""
    if is_loopback(settings.host) or settings.behind_tls or settings.allow_plain_http:
        return
    raise UsageError(
        f"{settings.host} is reachable from other machines and nothing here encrypts.",
        "Put a TLS proxy in front and say --behind-tls, or say --allow-plain-http.",
    )


def serve(settings: Settings, *, workers: bool = True) -> int:
    """Run until SIGTERM or SIGINT. Raises UsageError or ServiceError when it cannot start."""
    check_exposure(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(settings.data_dir), _listening(settings) as listener:
        services = Services.open(settings)
        try:
            address = _address(settings, listener)
            services.uploads.sweep(older_than=0.0)
            _first_start(services, settings.public_url or address)
            configure_logs()
            for number in (signal.SIGTERM, signal.SIGINT):
                # uvicorn raises what it caught once more at its end: tidying up comes after that
                signal.signal(number, lambda *_: None)
            asyncio.run(_run(settings, services, listener, address, workers))
        finally:
            services.close()
    return 0


async def _run(
    settings: Settings, services: Services, listener: socket.socket, address: str, workers: bool
) -> None:
    app = create_app(settings, services)
    server = web_server(app, settings)
    tasks = [asyncio.create_task(housekeeping(services))]
    if workers:
        tasks.append(asyncio.create_task(_keep_worker(settings)))
    announcing = asyncio.create_task(_announce(server, settings.data_dir, address))
    closing = asyncio.create_task(_note_closing(server, app.state, tasks))
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in (*tasks, announcing, closing):
            task.cancel()
        await asyncio.gather(*tasks, announcing, closing, return_exceptions=True)
        (settings.data_dir / STATE_FILE).unlink(missing_ok=True)


def web_server(app: ASGIApp, settings: Settings) -> uvicorn.Server:
    """uvicorn as it is run here: patient only so far, believing only the proxies that are set."""
    proxies = list(settings.trusted_proxies)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="auto",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )


async def _announce(server: uvicorn.Server, data_dir: Path, address: str) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    facts = {
        "url": address,
        "pid": os.getpid(),
        "version": __version__,
        "started_at": time.time(),
    }
    write_atomic(data_dir / STATE_FILE, json.dumps(facts).encode())
    print(f"Listening on {address}", flush=True)


async def _note_closing(
    server: uvicorn.Server, state: State, tasks: list[asyncio.Task[None]]
) -> None:
    """Followers are let go, and the worker told to end, while uvicorn waits for what it answers."""
    while not server.should_exit:
        await asyncio.sleep(0.1)
    state.closing = True
    for task in tasks:
        task.cancel()


async def _keep_worker(settings: Settings) -> None:
    """A worker at all times, started from this, the main, thread; its stdin ends when we do."""
    pause = 0.5
    while True:
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy_magics.server.workers"),
            *("--data-dir", str(settings.data_dir)),
            stdin=asyncio.subprocess.PIPE,
            env={**os.environ, **worker_environment(settings)},
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await _end_worker(process)
            raise
        pause = 0.5 if time.monotonic() - started > 30 else min(pause * 2, 30.0)
        _log.error("The worker ended with code %s; starting it again in %s s.", code, pause)
        await asyncio.sleep(pause)


async def _end_worker(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), WORKER_SECONDS)
    except asyncio.TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def worker_environment(settings: Settings) -> dict[str, str]:
    """The settings that a worker shares: an address may hold a password, which argv would show."""
    shared = {
        "KEY_FILE": str(settings.keys),
        "DATABASE_URL": settings.database_url,
        "BLOB_URL": settings.blob_url,
        "SCHEDULER": settings.scheduler,
    }
    return {f"{ENVIRONMENT_PREFIX}{name}": value for name, value in shared.items() if value}


def _first_start(services: Services, address: str) -> None:
    owner, fresh = services.accounts.ensure_owner()
    if fresh:
        code = services.tokens.make_code("setup", account_id=owner.id, seconds=SETUP_SECONDS)
        print(f"The owner signs in at {address}/auth/setup?code={code}", flush=True)


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Raises ServiceError when another server works in this folder."""
    with (data_dir / "server.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                f"Another server uses {data_dir}.", "Stop it, or choose another --data-dir."
            ) from None
        yield


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise UsageError(
                f"{settings.host}:{settings.port} cannot be used ({error.strerror}).",
                "Choose another --port; 0 takes a free one.",
            ) from error
        listener.listen(2048)
        listener.set_inheritable(False)
        yield listener


def _address(settings: Settings, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"
