"""Around every request: who it was meant for, how large it is, how long it takes, one log line."""

from __future__ import annotations

import ipaddress
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy_magics.errors import ServiceError
from deploy_magics.server.settings import Settings

_log = logging.getLogger("deploy_magics.server.access")
BODY_SECONDS = 30.0
BODY_RATE = 4096  # bytes a second on the whole; slower is somebody who only holds a connection
Wording = Callable[[str, int, str], Mapping[str, Any]]
_MULTIPART_EXTRA = 1 << 20
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; "
        "form-action 'self' http://localhost:* http://127.0.0.1:*; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
}
# the interactive documentation's viewer starts from a script in the page and asks this server
_DOCS = "/docs"
_DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
)


class Guard:
    """Pure ASGI middleware: it also sees what the routes never get.

    ``wording``: the body of an error for a path, a status and a message.
    """

    def __init__(self, app: ASGIApp, settings: Settings, wording: Wording) -> None:
        self._app = app
        self._settings = settings
        self._wording = wording
        self._hosts = allowed_hosts(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._is_ours(headers.get("host", "")):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                message = "This server does not answer to that host name."
                await self._refuse(scope, send, 400, message)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        await self._http(scope, headers, receive, send)

    async def _http(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                found = MutableHeaders(scope=message)
                if scope["path"].startswith(_DOCS):
                    found["Content-Security-Policy"] = _DOCS_POLICY
                for name, value in SECURITY_HEADERS.items():
                    found.setdefault(name, value)
            await send(message)

        limit = self._limit(headers)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            message = f"The request is larger than {limit >> 20} MiB."
            await self._refuse(scope, sending, 413, message)
        elif "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
            await self._refuse(scope, sending, 400, "The address holds a NUL character.")
        else:
            await self._app(scope, _Body(receive, limit), sending)
        _log.info(
            json.dumps(
                {
                    "method": scope["method"],
                    "path": scope["path"][:500],
                    "status": status,
                    "ms": round((time.perf_counter() - started) * 1000, 1),
                    "peer": (scope.get("client") or ("", 0))[0],
                    "account": scope.get("state", {}).get("account_id"),
                }
            )
        )

    async def _refuse(self, scope: Scope, send: Send, status: int, message: str) -> None:
        body = json.dumps(dict(self._wording(scope["path"], status, message))).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _limit(self, headers: Headers) -> int:
        if headers.get("content-type", "").lower().startswith("multipart/form-data"):
            return self._settings.max_upload + _MULTIPART_EXTRA
        return self._settings.max_body

    def _is_ours(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return name.strip("[]").lower() in self._hosts or "*" in self._hosts


class _Body:
    """Counts what arrives, whatever Content-Length said, and does not wait for ever."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self._limit = limit
        self._whole = False
        self._began: float | None = None

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        now = time.monotonic()
        self._began = self._began or now
        allowed = self._began + BODY_SECONDS + (self._limit - self._left) / BODY_RATE
        # asyncio.wait_for would make a task of each piece
        with anyio.move_on_after(min(BODY_SECONDS, max(0.0, allowed - now))) as waiting:
            message = await self._receive()
        if waiting.cancelled_caught:
            raise ServiceError("The request came too slowly.", status=408)
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._left < 0:
                raise ServiceError(
                    f"The request is larger than {self._limit >> 20} MiB.", status=413
                )
        return message


def allowed_hosts(settings: Settings) -> Collection[str]:
    """The names by which this server may be called: its own, loopback, and those that are set."""
    names = {"localhost", "127.0.0.1", "::1", *settings.allowed_hosts}
    if settings.host not in ("0.0.0.0", "::"):
        names.add(settings.host)
    if settings.public_url:
        names.add(settings.public_url.split("//", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0])
    return {name.lower().strip("[]") for name in names}


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
