"""Credentials that are none, in every dialect: 401 in its words, whatever they are."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.services.principal import Principal


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def doors(run_id: str) -> dict[str, str]:
    return {
        "blankly": "/overview",
        "ubiops": "/v2.1/projects",
        "justforfund": "/api/v1/me",
        "freqtrade": f"/bots/{run_id}/api/v1/version",
    }


def wrong(me: Any, access: str, refresh: str) -> dict[str, list[list[tuple[str, Any]]]]:
    """Headers by dialect; each list is one request."""
    token, odd = me.token, "é".encode()
    return {
        "blankly": [
            [],
            [("token", "")],
            [("token", token)],
            [("token", odd)],
            [("token", me.headers["token"])] * 2,
            [("token", access)],
            [("token", "a.b.c")],
        ],
        "ubiops": [
            [],
            [("Authorization", "Token")],
            [("Authorization", f"Basic {token}")],
            [("Authorization", f"Token {token}")] * 2,
            [("Authorization", f"Token {token} x")],
            [("Authorization", b"Token " + odd)],
            [("Authorization", f"Token {me.headers['token']}")],
            [("Authorization", f"Bearer {access}")],
        ],
        "justforfund": [
            [],
            [("API-KEY", me.token_id)],
            [("API-SECRET", token)],
            [("API-KEY", "other"), ("API-SECRET", token)],
            [("API-KEY", me.token_id), ("API-SECRET", token), ("API-SECRET", token)],
            [("API-KEY", me.token_id), ("API-SECRET", me.headers["token"])],
            [("API-KEY", odd), ("API-SECRET", odd)],
        ],
        "freqtrade": [
            [],
            [("Authorization", "Basic")],
            [("Authorization", "Basic !!!")],
            [("Authorization", "Basic " + base64.b64encode(b"\xff\xfe").decode())],
            [("Authorization", basic("é", "é"))],
            [("Authorization", b"Basic " + odd)],
            [("Authorization", basic("ann", token))] * 2,
            [("Authorization", f"Bearer {token}")],
            [("Authorization", f"Bearer {me.headers['token']}")],
            [("Authorization", f"Bearer {refresh}")],
        ],
    }


@pytest.fixture
def jwts(client: TestClient, me: Any, deployed: dict[str, Any]) -> tuple[str, str]:
    """A bot's access and refresh token."""
    place = f"/bots/{deployed['runId']}/api/v1/token/login"
    answer = client.post(place, headers={"Authorization": basic("ann", me.token)}).json()
    return answer["access_token"], answer["refresh_token"]


def test_what_is_no_credential_opens_nothing(
    client: TestClient, me: Any, deployed: dict[str, Any], jwts: tuple[str, str]
) -> None:
    bad = []
    for dialect, place in doors(deployed["runId"]).items():
        shapes = set()
        for headers in wrong(me, *jwts)[dialect]:
            answer = client.get(place, headers=headers)
            shapes.add(tuple(answer.json()))
            if answer.status_code != 401:
                bad.append((dialect, headers, answer.status_code))
        assert shapes == {("detail",) if dialect == "freqtrade" else ("error",)}
    assert bad == []


def test_each_token_is_good_for_its_own_use_only(
    client: TestClient, me: Any, deployed: dict[str, Any], jwts: tuple[str, str]
) -> None:
    access, refresh = jwts
    place = f"/bots/{deployed['runId']}/api/v1"
    for path, method, token, status in [
        ("/version", "GET", access, 200),
        ("/token/refresh", "POST", access, 401),
        ("/token/refresh", "POST", me.headers["token"], 401),
        ("/token/refresh", "POST", refresh, 200),
    ]:
        answer = client.request(method, place + path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status, (path, answer.text)
    for token in (access, refresh, me.headers["token"]):
        assert client.post("/auth/token", data={"refreshToken": token}).status_code == 401


def test_a_token_in_the_address_opens_nothing(
    client: TestClient, me: Any, deployed: dict[str, Any], jwts: tuple[str, str]
) -> None:
    for place in doors(deployed["runId"]).values():
        for token in (me.token, me.headers["token"], *jwts):
            query = {"token": token, "access_token": token, "API-SECRET": token, "ws_token": token}
            assert client.get(place, params=query).status_code == 401


@pytest.mark.parametrize("end", ["revoked", "account", "project"])
def test_an_ended_token_ends_in_every_dialect_at_once(
    client: TestClient,
    services: Services,
    ann: Principal,
    sign_in: Callable[..., Any],
    walk: Any,
    end: str,
) -> None:
    who = services.accounts.create("carl", "a long enough password")
    carl = principal(who)
    project = services.projects.create(carl, "P")
    mine = sign_in(carl, project_id=project.id if end == "project" else None)
    place = [path for path in doors("none").values() if not path.startswith("/bots")]
    for path in place:
        assert client.get(path, headers=walk.headers(path, mine)).status_code == 200
    if end == "revoked":
        services.tokens.revoke(carl, mine.token_id)
    elif end == "account":
        services.accounts.remove("carl")
    else:
        services.projects.delete(carl, project.id)
    for path in [*place, "/bots/none/api/v1/version"]:
        assert client.get(path, headers=walk.headers(path, mine)).status_code == 401


def test_a_stolen_database_signs_nobody_in(
    client: TestClient, services: Services, me: Any, ann: Principal
) -> None:
    """What the tables hold of a token, a code and a password opens nothing."""
    code = services.tokens.make_code("signin", account_id=ann.account_id)
    with services.store.read() as session:
        kept = {
            str(value)
            for table in ("tokens", "codes", "accounts")
            for row in session.execute(text(f"SELECT * FROM {table}"))
            for value in row
            if isinstance(value, str)
        }
    assert me.token not in kept and code not in kept
    for value in kept:
        assert client.post("/auth/token", data={"refreshToken": value}).status_code in (401, 429)
        assert client.post("/auth/exchange", json={"code": value}).status_code in (401, 429)
        with pytest.raises(Exception, match="wrong"):
            services.accounts.by_password("ann", value)
