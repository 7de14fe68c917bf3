"""The sign-in page and its two hand-overs.

The library's flow (``redirectUrl=/deploy``) puts a refresh token into the address on which the
library listens. Ours sends a one-time code with the caller's ``state``; only who holds the
verifier of ``challenge`` can exchange it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from deploy_magics.errors import (
    ConflictError,
    DeployMagicsError,
    ForbiddenError,
    NotSignedInError,
    RateLimitError,
    RejectedError,
)
from deploy_magics.server.dialects.blankly_account import peer
from deploy_magics.server.dialects.blankly_call import takes
from deploy_magics.server.forms import Fields, read_fields
from deploy_magics.server.limiter import Limiter
from deploy_magics.server.pages import render
from deploy_magics.server.problems import retry_headers, status_of
from deploy_magics.server.redirects import (
    LIBRARY_CALLBACK,
    LIBRARY_PATH,
    checked_redirect,
    with_query,
)
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.services.principal import Principal

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE = re.compile(r"[\x21-\x7e]{8,256}")
_KEPT = ("redirectUrl", "state", "challenge", "name")
LIBRARY_TOKEN = "Blankly library"
_EXPECTED = (NotSignedInError, RejectedError, RateLimitError, ConflictError)


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["signing in"])
    limiter = Limiter(attempts=8, seconds=60.0)

    @made.get("/auth/signin", response_model=None)
    def page(request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in _KEPT}
        return _form(asked)

    @made.post(
        "/auth/signin",
        response_model=None,
        openapi_extra=takes(user="name or e-mail!", password="the password!", redirectUrl=""),
    )
    def sign_in(request: Request, fields: Fields = Depends(read_fields)) -> Response:
        _same_site(request)
        asked = {name: str(fields.values.get(name) or "") for name in _KEPT}
        user = fields.maybe("user") or ""
        try:
            _checked(asked)
            with limiter.attempt(f"peer {peer(request)}", f"user {user.lower()}"):
                account = services.accounts.by_password(user, fields.maybe("password") or "")
        except _EXPECTED as error:
            return _said(_form(asked, user, str(error), status_of(error)), error)
        return _hand_over(services, principal(account), asked)

    @made.get("/auth/setup", response_model=None)
    def first_page(code: str = "") -> Response:
        if not services.tokens.known_code("setup", code):
            return _over()
        return _setup_form(code)

    @made.post(
        "/auth/setup",
        response_model=None,
        openapi_extra=takes(code="the code!", user="the owner's name!", password="at least 10!"),
    )
    def set_up(request: Request, fields: Fields = Depends(read_fields)) -> Response:
        _same_site(request)
        code, user = fields.maybe("code") or "", fields.maybe("user") or ""
        try:
            with limiter.attempt(f"peer {peer(request)}"):
                services.accounts.set_up(
                    services.tokens, code, user, fields.maybe("password") or ""
                )
        except NotSignedInError:
            return _over()
        except _EXPECTED as error:
            return _said(_setup_form(code, user, str(error), status_of(error)), error)
        return render(
            "message.html",
            title="The server is yours",
            message=f"You are its owner, {user}. In your notebook: "
            f"%deploy_login --server {request.url.scheme}://{request.url.netloc}",
        )

    return made


def _checked(asked: dict[str, str]) -> None:
    """Raises RejectedError: a place to go to that is not this machine, or a weak request."""
    place = checked_redirect(asked["redirectUrl"] or LIBRARY_PATH)
    if place != LIBRARY_PATH and not (
        _CHALLENGE.fullmatch(asked["challenge"]) and _STATE.fullmatch(asked["state"])
    ):
        raise RejectedError("The program that sent you here left out state or challenge.")


def _hand_over(services: Services, who: Principal, asked: dict[str, str]) -> Response:
    place = asked["redirectUrl"] or LIBRARY_PATH
    if place == LIBRARY_PATH:
        text, _ = services.tokens.create(who, LIBRARY_TOKEN)
        return RedirectResponse(with_query(LIBRARY_CALLBACK, token=text), 303)
    code = services.tokens.make_code(
        "signin",
        account_id=who.account_id,
        challenge=asked["challenge"],
        token_name=asked["name"][:100] or "notebook",
    )
    return RedirectResponse(with_query(place, code=code, state=asked["state"]), 303)


def _form(asked: dict[str, str], user: str = "", error: str = "", status: int = 200) -> Response:
    try:
        _checked(asked)
    except RejectedError as refused:
        return render("message.html", 400, title="Sign in", message=str(refused), error=True)
    program = (
        "the Blankly library" if asked["redirectUrl"] in ("", LIBRARY_PATH) else "your notebook"
    )
    return render(
        "signin.html",
        status,
        title="Sign in",
        purpose=f"This gives {program} on this machine a token for your account.",
        action="/auth/signin",
        hidden={name: value for name, value in asked.items() if value},
        user=user,
        error=error,
        button="Sign In",
    )


def _setup_form(code: str, user: str = "", error: str = "", status: int = 200) -> Response:
    return render(
        "signin.html",
        status,
        title="Welcome",
        purpose="Choose the name and the password of this server's owner.",
        action="/auth/setup",
        hidden={"code": code},
        user=user or "owner",
        error=error,
        fresh=True,
        button="Save",
    )


def _said(page: Response, error: DeployMagicsError) -> Response:
    """The page, with when to come back where that is what the error is about."""
    page.headers.update(retry_headers(error, page.status_code) or {})
    return page


def _over() -> Response:
    message = "This address was used before, or it is too old. See: deploy-magics user passwd"
    return render("message.html", 401, title="Welcome", message=message, error=True)


def _same_site(request: Request) -> None:
    """The form must have come from this page: no other site signs a browser in."""
    origin = request.headers.get("origin")
    if origin not in (None, "null") and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForbiddenError("This form was sent from another site.", status=403)
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise ForbiddenError("This form was sent from another site.", status=403)
