"""Blankly's two tokens: a refresh token that is kept, id tokens that are made from it."""

from __future__ import annotations

import requests
from requests.auth import AuthBase

from ..errors import NotFoundError, NotSignedInError, RejectedError, ServiceError
from .blankly_types import mapping
from .session import Session


class TokenAuth(AuthBase):
    """Blankly's two tokens: the refresh token is kept, an id token is made from it and sent.

    The id token is asked for before the first call, and again after a 401.
    """

    def __init__(self, refresh_token: str, plain: Session) -> None:
        self._refresh_token = refresh_token
        self._plain = plain
        self._id_token = ""
        self.user_id = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._id_token:
            self.exchange()
        request.headers["token"] = self._id_token
        return request

    def renew(self, session: Session) -> bool:
        """Make a new id token; NotSignedInError where the refresh token is not taken any more."""
        self.exchange()
        return True

    def exchange(self) -> None:
        """Ask for an id token; one that is refused is NotSignedInError, whatever the status."""
        try:
            answer = self._plain.post(
                "auth/token", data={"refreshToken": self._refresh_token}, retry=True
            )
        except (NotSignedInError, RejectedError, NotFoundError) as error:
            raise NotSignedInError(
                f"{self._plain.base_url} does not take this token ({error.message.rstrip('.')}).",
                "Say %deploy_login.",
                status=error.status,
            ) from None
        token = mapping(answer).get("idToken")
        if not token or not isinstance(token, str):
            raise ServiceError(
                f"{self._plain.base_url} gives no id token for this one.", "Is the address right?"
            )
        self._id_token = token
        self.user_id = str(mapping(mapping(answer).get("data")).get("user_id") or "")
