"""How a freqtrade bot knows us: Basic on every call, or tokens that come from one sign-in.

Tokens live in memory only. An access token is renewed a minute before its end and whenever the
bot refuses it; when the refresh token is refused as well, user and password sign in anew.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from requests.auth import AuthBase

from ..errors import NotSignedInError, PlatformError, ServiceError
from .session import Session

EARLY = 60.0


class BasicAuth(AuthBase):
    """User and password with every call."""

    def __init__(self, user: str, password: str) -> None:
        self.header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.header
        return request


class TokenAuth(AuthBase):
    """Access and refresh token, fetched when first needed.

    Args:
        session: to the same bot, without ``auth``.
        clock: seconds, as ``time.monotonic``.
    """

    def __init__(
        self,
        session: Session,
        user: str,
        password: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._user = user
        self._basic = BasicAuth(user, password)
        self._clock = clock
        self._lock = threading.RLock()
        self._access = ""
        self._refresh = ""
        self._ends = 0.0

    def __repr__(self) -> str:
        return f"<TokenAuth of {self._user}>"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.access_token()}"
        return request

    def access_token(self) -> str:
        """A token that is good for a minute at least (it also opens the websocket)."""
        with self._lock:
            if not self._access or self._clock() >= self._ends:
                self._fetch()
            return self._access

    def renew(self, _session: Session | None = None) -> bool:
        """The bot refused the token: get another. Raises NotSignedInError where it gives none."""
        with self._lock:
            self._access = ""
            self._fetch()
        return True

    def _fetch(self) -> None:
        if self._refresh:
            try:
                self._keep(self._ask("token/refresh", f"Bearer {self._refresh}"))
                return
            except PlatformError as error:
                if error.status not in (401, 422):  # refused or, in 2020, "damaged"
                    raise
                self._refresh = ""
        answer = self._ask("token/login", self._basic.header)
        self._refresh = str(answer.get("refresh_token", ""))
        self._keep(answer)

    def _ask(self, path: str, header: str) -> dict[str, Any]:
        try:
            answer = self._session.post(path, headers={"Authorization": header}, retry=False)
        except NotSignedInError as error:
            raise NotSignedInError(
                f"The bot refuses user {self._user!r} or the password.",
                "Sign in again with %bot connect.",
                status=error.status,
            ) from None
        if not isinstance(answer, dict) or not answer.get("access_token"):
            raise ServiceError("The address does not answer as a freqtrade bot does.")
        return answer

    def _keep(self, answer: dict[str, Any]) -> None:
        self._access = str(answer["access_token"])
        self._ends = self._clock() + max(lifetime(self._access) - EARLY, 1.0)


def lifetime(token: str) -> float:
    """Seconds from a JWT's issue to its end, by its own claims; 15 minutes where it has none.

    The two claims are the bot's clock: their difference holds whatever our own clock says.
    """
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return float(claims["exp"]) - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        return 900.0
