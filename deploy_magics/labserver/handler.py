"""What all routes share: a login, work in threads, one place that turns errors into answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from jupyter_server.base.handlers import APIHandler

from ..actions.overview import Overviews
from ..errors import (
    ConflictError,
    DeployMagicsError,
    ForbiddenError,
    NotFoundError,
    NotSignedInError,
    RateLimitError,
    ServiceError,
    UnreachableError,
    UsageError,
)

T = TypeVar("T")
THREADS = 24  # each followed log keeps one waiting

# a 401 would tell JupyterLab that its own login has ended
STATUS: tuple[tuple[type[DeployMagicsError], int], ...] = (
    (NotSignedInError, 403),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (RateLimitError, 429),
    (UnreachableError, 502),
    (ServiceError, 502),
)


class ActionHandler(APIHandler):
    """Base of the routes."""

    def initialize(self, overviews: Overviews, pool: ThreadPoolExecutor) -> None:
        self.overviews = overviews
        self.pool = pool

    async def answer(self, work: Callable[[], T]) -> None:
        """Do the work in a thread and answer what it returns as JSON."""
        try:
            result = await asyncio.get_running_loop().run_in_executor(self.pool, work)
        except DeployMagicsError as error:
            self.set_status(status_of(error))
            self.finish(json.dumps({"error": str(error)}))
        else:
            self.finish(json.dumps(result, allow_nan=False))

    @property
    def account(self) -> str:
        """The account that the request is about."""
        return self.get_query_argument("account")

    def field(self, name: str, default: str | None = None) -> str:
        """A text of the request's JSON body."""
        value = (self.get_json_body() or {}).get(name, default)
        if not isinstance(value, str):
            raise UsageError(f"The field {name!r} is missing or no text.")
        return value

    def number(self, name: str, default: float, most: float) -> float:
        """A number of the query, between zero and ``most``."""
        try:
            return min(max(float(self.get_query_argument(name, str(default))), 0.0), most)
        except ValueError:
            return default


def status_of(error: DeployMagicsError) -> int:
    """The HTTP status that says what kind of error it is."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 400)
