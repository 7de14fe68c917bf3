"""What an answer means: JSON or an error of ours, whatever the service's way of saying it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests

from .. import __version__
from ..errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotSignedInError,
    PlatformError,
    RateLimitError,
    RejectedError,
    ServiceError,
)

MAX_ANSWER = 256 << 20
# how services say that it is the address that they do not know, and not a thing of that name
NO_SUCH_CALL = {(404, "Not Found"), (405, "Method Not Allowed")}
BY_STATUS: dict[int, type[PlatformError]] = {
    400: RejectedError,
    401: NotSignedInError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    413: RejectedError,
    415: RejectedError,
    422: RejectedError,
    429: RateLimitError,
}


def read_json(response: requests.Response, base_url: str) -> Any:
    """The answer's JSON; ServiceError where it is a web page or anything else."""
    if response.status_code in (204, 304) or not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise ServiceError(
            f"{urlsplit(base_url).netloc} does not answer as a deployment service does.",
            "Is the address right, and is there a sign-in page or proxy in between?",
            status=response.status_code,
        ) from None


def error_for(response: requests.Response, base_url: str) -> PlatformError:
    """The error of ours that an answer stands for, in one line, with the service's own words."""
    host, status = urlsplit(base_url).netloc, response.status_code
    if response.is_redirect or 300 <= status < 400:
        target = urlsplit(response.headers.get("Location", ""))
        where = f"{target.scheme}://{target.netloc}" if target.netloc else "another page"
        return ServiceError(
            f"{host} sends us on to {where}, where no token goes.",
            "Give the address itself as --server.",
            status=status,
        )
    said = said_by(response)
    kind = BY_STATUS.get(status)
    if kind is None:
        kind = RejectedError if 400 <= status < 500 else ServiceError
    message = said or f"{host} answered {status}"
    if not message.endswith((".", "!", "?")):
        message += "."
    hint = ""
    if kind is NotSignedInError:
        hint = "Say %deploy_login."
    elif (status, said) in NO_SUCH_CALL:
        message = f"{host} does not know this call."
        hint = f"It may be older or newer than this deploy_magics {__version__}: upgrade the older."
    elif kind is ServiceError:
        hint = f"({host} answered {status}.)" if said else "Try again later."
    return kind(message, hint, status=status)


def said_by(response: requests.Response) -> str:
    """The one line with which the service explains itself, empty where it has none.

    Knows ``{"error": text}`` (Blankly, UbiOps), ``{"message": text}``, and FastAPI's
    ``{"detail": text or [{"loc", "msg"}]}``.
    """
    try:
        body = response.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    said = body.get("error") or body.get("detail") or body.get("message") or ""
    if isinstance(said, dict):
        said = said.get("message") or said.get("error") or ""
    if isinstance(said, list):
        said = "; ".join(_one_problem(problem) for problem in said)
    return " ".join(str(said).split())[:500]


def _one_problem(problem: Any) -> str:
    if not isinstance(problem, dict):
        return str(problem)
    where = ".".join(str(part) for part in problem.get("loc", ())[1:])
    what = str(problem.get("msg", problem))
    return f"{where}: {what}" if where else what
