"""Calls to one freqtrade bot: sign-in, reconnecting, and what a refusal means.

Bots of 2020 and of today say "no" in five shapes (``error``, ``detail`` as text or list,
``msg``, and a web page) and mostly with status 502; here each becomes one of our errors.
A bot that reloads its configuration refuses connections for a second or two: such a call never
arrived and is made again, whatever its method.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from requests.auth import AuthBase

from ..errors import (
    ConflictError,
    NotFoundError,
    NotSignedInError,
    PlatformError,
    RejectedError,
    ServiceError,
    UnreachableError,
)
from .freqtrade_auth import BasicAuth, TokenAuth
from .reach import never_sent
from .session import Session, Transport

API = "/api/v1"
SETTLING = 3.0
_QUERYING = re.compile(r"^Error querying \S+: ")


class Wire:
    """The JSON that a bot answers to a call.

    Args:
        url: the bot's address, with or without ``/api/v1``.
        auth: ``"token"`` signs in once and renews; ``"basic"`` sends the password every time.
        patience: seconds to go on calling a bot that refuses connections.
        transport: for tests, as in Session.
    """

    def __init__(
        self,
        url: str,
        user: str = "",
        password: str = "",
        *,
        auth: str = "token",
        timeout: tuple[float, float] = (5, 30),
        patience: float = 10.0,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        base = url.strip().rstrip("/")
        if not base.endswith(API):
            base += API
        options: dict[str, Any] = {"timeout": timeout, "transport": transport}
        self.open = Session(base, **options)
        self.auth: AuthBase | None = None
        if user:
            self.auth = (
                BasicAuth(user, password)
                if auth == "basic"
                else TokenAuth(self.open, user, password)
            )
        self.session = Session(base, auth=self.auth, **options)
        self.url = base[: -len(API)]
        self.patience = patience
        self._sleep = sleep

    def get(self, path: str, **params: Any) -> Any:
        """GET; parameters that are None are left out."""
        return self.call("GET", path, params=params)

    def post(self, path: str, **body: Any) -> Any:
        """POST a JSON object; entries that are None are left out."""
        return self.call("POST", path, json={k: v for k, v in body.items() if v is not None})

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        signed: bool = True,
        patience: float | None = None,
    ) -> Any:
        """One call, made again while the bot refuses connections, and once with a new token."""
        known = {k: v for k, v in (params or {}).items() if v is not None}
        began = time.monotonic()
        until = began + (self.patience if patience is None else patience)
        session = self.session if signed else self.open
        renewed = False
        while True:
            try:
                return session.json(method, path, params=known, json=json, retry=False)
            except UnreachableError as error:
                again = never_sent(error) or method == "GET"
                if not again or time.monotonic() >= until:
                    raise
            except PlatformError as error:
                if damaged(error) and not renewed and isinstance(self.auth, TokenAuth):
                    renewed = self.auth.renew()
                    continue
                # just after a reload the API is there before the trader: nothing was done
                if error.status != 503 or time.monotonic() >= min(until, began + SETTLING):
                    raise refusal(error) from None
            self._sleep(0.2)

    def first_of(self, *calls: tuple[str, str], **options: Any) -> Any:
        """The first of several spellings of a call that the bot knows, newest first."""
        for method, path in calls[:-1]:
            try:
                return self.call(method, path, **options)
            except NotFoundError:
                continue
        return self.call(*calls[-1], **options)

    def token(self) -> str:
        """An access token, for what cannot carry a header."""
        if not isinstance(self.auth, TokenAuth):
            raise NotSignedInError("This connection holds no token.", "Sign in with %bot connect.")
        return self.auth.access_token()


def damaged(error: PlatformError) -> bool:
    """A bot of 2020 answers 422 without a field's name to a token that it cannot read."""
    return error.status == 422 and "answered 422" in error.message


def refusal(error: PlatformError) -> PlatformError:
    """What the bot meant, as one of our errors."""
    said = _QUERYING.sub("", error.message)
    said = said[:1].upper() + said[1:]
    status = error.status
    if isinstance(error, NotSignedInError):
        known = "password" in error.message
        return NotSignedInError(
            error.message if known else "The bot wants a user and a password, or refuses these.",
            "Sign in with %bot connect URL --user NAME.",
            status=status,
        )
    if status == 503 or "correct state" in said:
        return ConflictError(
            "The bot is in another mode: trading commands want `freqtrade trade`,"
            " backtests want `freqtrade webserver`.",
            status=status,
        )
    if status == 404 and ("Not Found" in said or "answered 404" in said):
        return NotFoundError(
            "This bot does not know that command.",
            "It came later than the bot's version, or was taken out before it.",
            status=status,
        )
    if status == 502 and error.hint.startswith("("):
        if "not running" in said:
            return ConflictError("The bot is stopped.", "%bot start starts it.", status=status)
        if "orce" in said and "not enabled" in said:
            hint = "Set force_entry_enable in the bot's configuration."
            return RejectedError(f"The bot refuses: {said}", hint, status=status)
        return RejectedError(f"The bot refuses: {said}", status=status)
    if isinstance(error, ServiceError):
        return ServiceError(error.message, "Is this a freqtrade bot?", status=status)
    return type(error)(said, error.hint, status=status)
