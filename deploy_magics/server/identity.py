"""Who is calling, for the routes: FastAPI dependencies over the token service."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from fastapi.security import APIKeyHeader

from deploy_magics.errors import NotSignedInError
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal

id_token_header = APIKeyHeader(
    name="token", auto_error=False, description="The idToken that POST /auth/token gave"
)


def by_header(services: Services) -> Callable[..., Principal]:
    """A dependency: the caller, by the header ``token``. Raises NotSignedInError (401)."""

    def caller(request: Request) -> Principal:
        return identify(services, request)

    return caller


def identify(services: Services, request: Request) -> Principal:
    """The caller of this request, noted for the log."""
    sent = sent_once(request, "token")
    if not sent:
        raise NotSignedInError("The header 'token' is missing.", "Sign in first.", status=401)
    who = services.tokens.by_id_token(sent)
    request.scope.setdefault("state", {})["account_id"] = who.account_id
    return who


def sent_once(request: Request, name: str) -> str:
    """A header's value; empty where it was not sent, or twice: nobody says which one counts."""
    sent = request.headers.getlist(name)
    return sent[0] if len(sent) == 1 else ""
