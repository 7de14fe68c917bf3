"""From what went wrong to an HTTP status and one clear line, the same for every dialect.

A dialect that words its errors otherwise exports ``error_body(status, message)``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from deploy_magics.errors import (
    ConflictError,
    DeployMagicsError,
    ForbiddenError,
    ModelError,
    NotFoundError,
    NotSignedInError,
    PlatformError,
    RateLimitError,
    RejectedError,
)

ErrorBody = Callable[[int, str], Mapping[str, Any]]
_log = logging.getLogger("deploy_magics.server")
_STATUS: tuple[tuple[type[DeployMagicsError], int], ...] = (
    (NotSignedInError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (RejectedError, 400),
    (RateLimitError, 429),
    (ModelError, 422),
)
_RETRY_SECONDS = "2"


def status_of(error: DeployMagicsError) -> int:
    if isinstance(error, PlatformError) and error.status is not None:
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def plain_body(status: int, message: str) -> Mapping[str, Any]:
    return {"error": message}


def wording(shapes: Mapping[str, ErrorBody]) -> Callable[[str, int, str], Mapping[str, Any]]:
    """``shapes``: the wording of errors by the start of the path; others get ``plain_body``."""

    def body(path: str, status: int, message: str) -> Mapping[str, Any]:
        shape = next((s for start, s in shapes.items() if path.startswith(start)), plain_body)
        return shape(status, " ".join(message.split()))

    return body


def install(app: FastAPI, body: Callable[[str, int, str], Mapping[str, Any]]) -> None:
    """``body`` is what ``wording`` made."""

    def answer(request: Request, status: int, message: str, headers: Any = None) -> Response:
        return JSONResponse(dict(body(request.url.path, status, message)), status, headers=headers)

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, DeployMagicsError)
        status = status_of(error)
        if status >= 500:
            _log.warning("%s %s: %s", request.method, request.url.path, error)
        return answer(request, status, str(error), retry_headers(error, status))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return answer(request, 422, f"{place}: {first['msg']}" if place else first["msg"])

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, error.status_code, str(error.detail), error.headers)

    async def unknown(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer(request, 500, "The service failed; its log says why.")

    app.add_exception_handler(DeployMagicsError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unknown)


def retry_headers(error: DeployMagicsError, status: int) -> dict[str, str] | None:
    """When to come back: always small and positive, some clients sleep as long as it says."""
    if status not in (429, 503):
        return None
    seconds = str(getattr(error, "retry_after", None) or _RETRY_SECONDS)
    return {"Retry-After": seconds, "x-ratelimit-reset": seconds}
