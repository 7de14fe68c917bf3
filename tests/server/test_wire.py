"""A real uvicorn as it is served, spoken to by sockets: what no client library would send."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy_magics.server import guard
from deploy_magics.server.app import create_app
from deploy_magics.server.serve import web_server
from deploy_magics.server.services import Services, accounts
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.settings import Settings

PATIENCE = 120.0
Serve = Callable[..., int]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is tried here does not reach the database."""
    return sqlite_url


@pytest.fixture
def serve(settings: Settings, services: Services) -> Iterator[Serve]:
    """Starts a server over ``services``; answers its port. Options are settings."""
    running = []

    def start(**options: Any) -> int:
        mine = Settings(**{"data_dir": settings.data_dir, **options})
        server = web_server(create_app(mine, services), mine)
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread, listener))
        deadline = time.monotonic() + PATIENCE
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return int(listener.getsockname()[1])

    yield start
    for server, thread, listener in running:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()


@pytest.fixture
def token(services: Services, ann: Principal) -> str:
    text, _ = services.tokens.create(ann, "wire")
    return services.tokens.id_token(services.tokens.by_token(text))


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    return int(found[1]) if found else 0


def said(wire: socket.socket) -> bytes:
    """Everything until the server closes."""
    answer = b""
    try:
        while part := wire.recv(65_536):
            answer += part
    except ConnectionError:
        pass
    return answer


def head(path: str, token: str, *lines: str) -> bytes:
    fixed = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"token: {token}", "Connection: close")
    return ("\r\n".join([*fixed, *lines]) + "\r\n\r\n").encode()


def test_a_header_of_a_mebibyte_is_refused(serve: Serve) -> None:
    port = serve()
    for name in ("Authorization", "token"):
        with connect(port) as wire:
            try:
                wire.sendall(f"GET /overview HTTP/1.1\r\nHost: x\r\n{name}: ".encode())
                wire.sendall(b"x" * (1 << 20) + b"\r\n\r\n")
            except ConnectionError:
                pass  # refused before it was all sent
            assert status(said(wire)) in (0, 400, 431)
    assert requests.get(f"http://127.0.0.1:{port}/health", timeout=60).status_code == 200


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: abc",),
        ("Content-Length: -1",),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: gzip",),
        ("Broken header",),
    ],
)
def test_a_length_that_is_none_is_refused(serve: Serve, token: str, lines: tuple[str, ...]) -> None:
    with connect(serve()) as wire:
        wire.sendall(head("/project/create", token, *lines) + b"name=x")
        assert status(said(wire)) in (400, 501)


def test_a_length_that_lies_leaves_nothing(serve: Serve, token: str, services: Services) -> None:
    """Larger than what comes: the upload broke off. Smaller: the rest is another request."""
    form = b'--x\r\nContent-Disposition: form-data; name="model"; filename="m.zip"\r\n\r\n'
    kind = "Content-Type: multipart/form-data; boundary=x"
    port = serve()
    with connect(port) as wire:
        wire.sendall(head("/model/deploy", token, kind, "Content-Length: 100000") + form + b"PK")
        wire.shutdown(socket.SHUT_WR)
        assert status(said(wire)) in (0, 400)
    with connect(port) as wire:
        wire.sendall(head("/model/deploy", token, kind, "Content-Length: 10") + form + b"PK")
        assert status(said(wire)) == 400
    deadline = time.monotonic() + PATIENCE
    while list(services.blobs.staging.glob("in-*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list(services.blobs.names()) == []


def test_chunks_without_end_are_cut_off_at_the_limit(
    serve: Serve, token: str, services: Services
) -> None:
    port = serve(max_upload=1 << 20)
    form = b'--x\r\nContent-Disposition: form-data; name="model"; filename="m.zip"\r\n\r\n'
    lines = ("Content-Type: multipart/form-data; boundary=x", "Transfer-Encoding: chunked")
    sent = 0
    with connect(port) as wire:
        wire.sendall(head("/model/deploy", token, *lines))
        wire.sendall(b"%x\r\n%s\r\n" % (len(form), form))
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        try:
            while sent < 1 << 30:
                wire.sendall(chunk)
                sent += 65_536
        except ConnectionError:
            pass  # it has heard enough
        answer = said(wire)
    assert status(answer) in (0, 413)
    assert sent < 1 << 28  # what the sockets hold is sent, the rest never
    deadline = time.monotonic() + PATIENCE
    while list(services.blobs.staging.glob("in-*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_body_that_drips_ends(serve: Serve, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time; all of them would take for ever."""
    monkeypatch.setattr(guard, "BODY_SECONDS", 1.0)
    port = serve()
    deadline = time.monotonic() + PATIENCE
    with connect(port) as wire:
        kind = "Content-Type: application/x-www-form-urlencoded"
        wire.sendall(head("/project/create", token, kind, "Content-Length: 100000"))
        wire.settimeout(0.1)
        answer = b""
        while not answer:
            assert time.monotonic() < deadline
            try:
                wire.sendall(b"x")
                answer = wire.recv(65_536)
            except TimeoutError:
                continue
    assert status(answer) == 408
    assert b'{"error":"The request came too slowly."}' in answer


def sign_in(port: int, user: str, **headers: str) -> requests.Response:
    return requests.post(
        f"http://127.0.0.1:{port}/auth/signin",
        data={"user": user, "password": "wrong", "redirectUrl": "/deploy"},
        headers=headers,
        timeout=PATIENCE,
    )


def test_a_flood_of_passwords_is_stopped_before_they_are_hashed(
    serve: Serve, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify, lock = accounts._HASHER.verify, threading.Lock()
    hashed = at_once = most = 0

    class Hasher:
        @staticmethod
        def verify(known: str, password: bytes) -> bool:
            nonlocal hashed, at_once, most
            with lock:
                hashed, at_once = hashed + 1, at_once + 1
                most = max(most, at_once)
            try:
                return verify(known, password)
            finally:
                with lock:
                    at_once -= 1

    monkeypatch.setattr(accounts, "_HASHER", Hasher)
    port = serve()
    statuses: list[int] = []

    def one(number: int) -> None:
        # other names and other forwarded addresses: it is still one who knocks
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        statuses.append(sign_in(port, f"user {number}", **headers).status_code)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401] * 8 + [429] * 32
    assert (hashed, most <= 2) == (8, True)


def test_how_long_to_wait_is_small_and_positive(serve: Serve, ann: Principal) -> None:
    port = serve()
    while (answer := sign_in(port, "ann")).status_code != 429:
        assert answer.status_code == 401
    assert answer.status_code == 429
    for name in ("Retry-After", "x-ratelimit-reset"):
        assert 0 < int(answer.headers[name]) <= 60


def test_a_forwarded_address_is_believed_from_a_trusted_proxy_only(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "deploy_magics.server.access"):
        for options in ({}, {"trusted_proxies": ("127.0.0.1",)}):
            port = serve(**options)
            requests.get(
                f"http://127.0.0.1:{port}/health",
                headers={"X-Forwarded-For": "203.0.113.9"},
                timeout=60,
            )
    lines = [json.loads(r.message) for r in caplog.records if "/health" in r.message]
    assert [line["peer"] for line in lines] == ["127.0.0.1", "203.0.113.9"]


def test_a_revoked_token_ends_a_follower_at_once(
    serve: Serve, services: Services, ann: Principal, token: str, settings: Settings
) -> None:
    model = services.models.create(ann, ann.account_id, "followed")
    version = services.versions.create(ann, model.id)
    services.versions.add_revision(ann, version.id, services.blobs.put(b"zip"))
    run = services.runs.create(ann, "backtest", services.versions.get(ann, version.id))
    settings.run_folder(run.id).mkdir()
    port = serve()
    heard: list[tuple[int, float]] = []

    def follow() -> None:
        began = time.monotonic()
        answer = requests.get(
            f"http://127.0.0.1:{port}/run/{run.id}/logs?wait=25",
            headers={"token": token},
            timeout=PATIENCE,
        )
        heard.append((answer.status_code, time.monotonic() - began))

    follower = threading.Thread(target=follow)
    follower.start()
    time.sleep(0.5)  # it may also come too late: refused all the same
    services.tokens.revoke(ann, services.tokens.list(ann)[0].id)
    follower.join()
    assert heard[0][0] == 401


def test_a_websocket_of_another_host_or_without_a_route_is_refused(serve: Serve) -> None:
    port = serve()
    for host in ("127.0.0.1", "evil.example"):
        with connect(port) as wire:
            wire.sendall(
                f"GET /overview HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert status(wire.recv(65_536)) in (400, 403)


def test_the_documentation_needs_nobody_else(serve: Serve, tmp_path: Path) -> None:
    port = serve()
    page = requests.get(f"http://127.0.0.1:{port}/docs", timeout=60)
    assert re.findall(r"(?:https?:)?//[^\s'\"]+", page.text) == []
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) == 3
    for path in files:
        found = requests.get(f"http://127.0.0.1:{port}{path}", timeout=60)
        assert (found.status_code, len(found.content) > 100) == (200, True)
    described = requests.get(f"http://127.0.0.1:{port}/openapi.json", timeout=60).json()
    assert "/model/deploy" in described["paths"]
