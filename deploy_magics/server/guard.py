"""Around every request: who it was meant for, how large it is, how long it takes, one log line."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import time
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy_magics.errors import ServiceError
from deploy_magics.server.settings import Settings

_log = logging.getLogger("deploy_magics.server.access")
BODY_SECONDS = 30.0
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
# the interactive documentation loads its viewer from elsewhere; it holds nothing of anybody
_DOCS = ("/docs", "/redoc")


class Guard:
    """Pure ASGI middleware: it also sees what the routes never get."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
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
                await _refuse(send, 400, "This server does not answer to that host name.")
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
                for name, value in SECURITY_HEADERS.items():
                    if not (name.startswith("Content-Sec") and scope["path"].startswith(_DOCS)):
                        found.setdefault(name, value)
            await send(message)

        limit = self._limit(headers)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            await _refuse(sending, 413, f"The request is larger than {limit >> 20} MiB.")
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

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), BODY_SECONDS)
        except asyncio.TimeoutError:
            raise ServiceError("The request came too slowly.", status=408) from None
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


async def _refuse(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
