"""Whether a call can have arrived."""

from __future__ import annotations

import requests
from urllib3.exceptions import NewConnectionError


def never_sent(error: BaseException) -> bool:
    """Whether an UnreachableError means that no connection came about: nothing was done then."""
    cause = error.__cause__ or error.__context__
    if not isinstance(cause, requests.ConnectionError):
        return False
    reason = getattr(cause.args[0] if cause.args else None, "reason", None)
    return isinstance(reason, NewConnectionError)
