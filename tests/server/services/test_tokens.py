"""Tokens: shown once, kept as digests, scoped, ended at once."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from sqlalchemy import text

from deploy_magics.errors import ForbiddenError, NotFoundError, NotSignedInError, RejectedError
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.tokens import challenge_of


def test_the_database_holds_no_token(services: Services, ann: Principal) -> None:
    token, row = services.tokens.create(ann, "notebook")
    with services.store.read() as session:
        rows = session.execute(text("SELECT * FROM tokens")).all()
    assert token not in str(rows)
    assert services.tokens.by_token(token).account_id == ann.account_id
    assert token not in repr(row)


def test_revoked_tokens_end_at_once_with_their_id_tokens(
    services: Services, ann: Principal
) -> None:
    token, row = services.tokens.create(ann, "notebook")
    id_token = services.tokens.id_token(services.tokens.by_token(token))
    assert services.tokens.by_id_token(id_token).account_id == ann.account_id
    services.tokens.revoke(ann, row.id)
    for use in (services.tokens.by_token, services.tokens.by_id_token):
        with pytest.raises(NotSignedInError):
            use(token if use == services.tokens.by_token else id_token)
    with pytest.raises(NotFoundError):
        services.tokens.revoke(ann, row.id)


def test_a_removed_account_opens_nothing(
    services: Services, ann: Principal, bob: Principal
) -> None:
    token, _ = services.tokens.create(bob, "notebook")
    id_token = services.tokens.id_token(services.tokens.by_token(token))
    services.accounts.remove("bob")
    with pytest.raises(NotSignedInError):
        services.tokens.by_id_token(id_token)


def test_an_expired_token_opens_nothing(services: Services, ann: Principal) -> None:
    token, _ = services.tokens.create(ann, "short", seconds=-1)
    with pytest.raises(NotSignedInError):
        services.tokens.by_token(token)


def forged(services: Services, ann: Principal, change: str) -> str:
    token, _ = services.tokens.create(ann, "x")
    good = services.tokens.id_token(services.tokens.by_token(token))
    claims = jwt.decode(good, options={"verify_signature": False})
    key: Any = services.keys.signing
    if change == "none":
        header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=")
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
        return f"{header.decode()}.{body.decode()}."
    if change == "key":
        key = b"x" * 48
    elif change == "expired":
        claims["exp"] = int(time.time()) - 3600
    elif change == "future":
        claims["iat"] = int(time.time()) + 3600
    elif change == "kind":
        claims["typ"] = "refresh"
    elif change == "stranger":
        claims["sub"] = "somebody"
    else:
        del claims[change]
    return jwt.encode(claims, key, algorithm="HS256")


FORGED = ("none", "key", "expired", "future", "kind", "stranger")
MISSING = ("exp", "iat", "sub", "sid", "jti", "typ")


@pytest.mark.parametrize("change", FORGED + MISSING)
def test_forged_id_tokens_are_refused(services: Services, ann: Principal, change: str) -> None:
    with pytest.raises(NotSignedInError):
        services.tokens.by_id_token(forged(services, ann, change))


@pytest.mark.parametrize("text", ["", "x", "dm_", "dm_" + "x" * 1_000_000, "dm_\udce9", "é"])
def test_nonsense_is_refused(services: Services, ann: Principal, text: str) -> None:
    with pytest.raises(NotSignedInError):
        services.tokens.by_token(text)
    with pytest.raises(NotSignedInError):
        services.tokens.by_id_token(text)


def test_a_small_clock_step_signs_nobody_out(
    services: Services, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = services.tokens.create(ann, "x")
    who = services.tokens.by_token(token)
    ahead = time.time() + 20
    monkeypatch.setattr("deploy_magics.server.services.tokens.time.time", lambda: ahead)
    id_token = services.tokens.id_token(who)
    monkeypatch.undo()
    assert services.tokens.by_id_token(id_token).token_id == who.token_id


def test_a_token_makes_no_wider_token(services: Services, ann: Principal) -> None:
    text, _ = services.tokens.create(ann, "reader", ["read"])
    reader = services.tokens.by_token(text)
    with pytest.raises(ForbiddenError):
        services.tokens.create(reader, "writer", ["read", "deploy"])
    with pytest.raises(RejectedError):
        services.tokens.create(ann, "odd", ["everything"])


def test_a_projects_token_sees_that_project_only(services: Services, ann: Principal) -> None:
    one = services.projects.create(ann, "one")
    two = services.projects.create(ann, "two")
    text, _ = services.tokens.create(ann, "keys", project_id=one.id)
    narrow = services.tokens.by_token(text)
    assert [row.id for row in services.projects.list(narrow)] == [one.id]
    with pytest.raises(NotFoundError):
        services.projects.get(narrow, two.id)
    with pytest.raises(ForbiddenError):
        services.projects.create(narrow, "three")
    with pytest.raises(ForbiddenError):
        services.tokens.create(narrow, "wide")


def test_a_code_works_once_and_for_its_program_only(services: Services, ann: Principal) -> None:
    tokens = services.tokens
    code = tokens.make_code("signin", account_id=ann.account_id, challenge=challenge_of("verifier"))
    assert tokens.use_code("signin", code, "verifier").account_id == ann.account_id
    with pytest.raises(NotSignedInError):
        tokens.use_code("signin", code, "verifier")
    stolen = tokens.make_code(
        "signin", account_id=ann.account_id, challenge=challenge_of("verifier")
    )
    with pytest.raises(NotSignedInError):
        tokens.use_code("signin", stolen, "guess")
    with pytest.raises(NotSignedInError):
        tokens.use_code("signin", stolen, "verifier")
    late = tokens.make_code("signin", account_id=ann.account_id, seconds=-1)
    with pytest.raises(NotSignedInError):
        tokens.use_code("signin", late)
    other = tokens.make_code("setup", account_id=ann.account_id)
    with pytest.raises(NotSignedInError):
        tokens.use_code("signin", other)
