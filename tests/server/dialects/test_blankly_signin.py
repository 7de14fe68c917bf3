"""Signing in: the page, its two hand-overs, and what it refuses."""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from deploy_magics.errors import NotSignedInError
from deploy_magics.server.redirects import checked_redirect
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.tokens import challenge_of

OURS = {
    "redirectUrl": "http://127.0.0.1:40000/callback",
    "state": "s" * 16,
    "challenge": challenge_of("verifier"),
    "name": "my notebook",
}


def sign_in(client: TestClient, user: str, password: str, **form: str) -> Any:
    return client.post(
        "/auth/signin",
        data={"user": user, "password": password, **form},
        follow_redirects=False,
    )


def test_the_librarys_flow(client: TestClient, ann: Principal, password: str) -> None:
    page = client.get("/auth/signin", params={"redirectUrl": "/deploy"})
    assert page.status_code == 200
    assert "the Blankly library" in page.text
    done = sign_in(client, "ann", password, redirectUrl="/deploy")
    assert done.status_code == 303
    place = urlsplit(done.headers["location"])
    assert (place.netloc, place.path) == ("localhost:9082", "/")
    (token,) = parse_qs(place.query)["token"]
    answer = client.post("/auth/token", data={"refreshToken": token}).json()
    assert answer["data"] == {"user_id": ann.account_id}


def test_our_flow(client: TestClient, services: Services, ann: Principal, password: str) -> None:
    assert client.get("/auth/signin", params=OURS).status_code == 200
    done = sign_in(client, "ann@x.org", password, **OURS)
    place = urlsplit(done.headers["location"])
    query = parse_qs(place.query)
    assert (place.netloc, place.path) == ("127.0.0.1:40000", "/callback")
    assert query["state"] == [OURS["state"]]
    assert "token" not in query
    body = {"code": query["code"][0], "verifier": "verifier"}
    token = client.post("/auth/exchange", json=body).json()["refreshToken"]
    assert services.tokens.by_token(token).token_name == "my notebook"
    assert client.post("/auth/exchange", json=body).status_code == 401


ELSEWHERE = [
    "//evil.example",
    "\\\\evil.example",
    "https:///evil.example",
    "http:/evil.example",
    "https://evil.example/",
    "http://evil.example:80/",
    "http://127.0.0.1.evil.example:80/",
    "http://127.0.0.1:80@evil.example/",
    "http://user@127.0.0.1:80/",
    "http://127.0.0.1/",
    "http://127.0.0.1:99999/",
    "javascript:alert(1)",
    "/deploy/../x",
    "/deploy\r\nSet-Cookie: x",
    "http://127.0.0.1:80/#x",
    "http://[::1",
    " http://127.0.0.1:80/",
]


def test_a_browser_is_sent_nowhere_else(client: TestClient, ann: Principal, password: str) -> None:
    for place in ELSEWHERE:
        asked = {**OURS, "redirectUrl": place}
        assert (client.get("/auth/signin", params=asked).status_code, place) == (400, place)
        done = sign_in(client, "ann", password, **asked)
        assert (done.status_code, place) == (400, place)
        assert "location" not in done.headers


def test_loopback_is_where_it_may_go() -> None:
    for place in ("http://127.0.0.1:8/x?y=1", "http://localhost:80/"):
        assert checked_redirect(place) == place


@pytest.mark.parametrize("left_out", ["state", "challenge"])
def test_a_program_proves_that_it_asked(
    client: TestClient, ann: Principal, password: str, left_out: str
) -> None:
    asked = {**OURS, left_out: ""}
    assert sign_in(client, "ann", password, **asked).status_code == 400


def test_wrong_passwords_are_told_alike_and_then_refused(
    client: TestClient, ann: Principal, password: str
) -> None:
    wrong = sign_in(client, "ann", "wrong", redirectUrl="/deploy")
    unknown = sign_in(client, "nobody", "wrong", redirectUrl="/deploy")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text == unknown.text.replace("nobody", "ann")
    for _ in range(10):
        last = sign_in(client, "ann", "wrong", redirectUrl="/deploy")
    assert last.status_code == 429
    # the right one has to wait too, and no forwarded address helps
    again = client.post(
        "/auth/signin",
        data={"user": "ann", "password": password, "redirectUrl": "/deploy"},
        headers={"X-Forwarded-For": "203.0.113.9"},
    )
    assert again.status_code == 429


def test_odd_names_and_passwords_are_wrong_and_no_more(client: TestClient, ann: Principal) -> None:
    for user, word in [("é", "é"), ("x" * 100_000, "y"), ("ann", "x" * 100_000)]:
        assert sign_in(client, user, word, redirectUrl="/deploy").status_code == 401
    assert sign_in(client, "a\x00b", "x", redirectUrl="/deploy").status_code == 400


def test_an_unknown_name_is_verified_as_long(
    services: Services, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways compute one hash: the time says nothing."""
    hashed: list[str] = []

    def noted(known: str, password: str) -> bool:
        hashed.append(known)
        return False

    monkeypatch.setattr("deploy_magics.server.services.accounts._verify", noted)
    for name in ("ann", "nobody"):
        with pytest.raises(Exception, match="wrong"):
            services.accounts.by_password(name, "x")
    assert len(hashed) == 2
    assert all(known.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for known in hashed)


def test_forms_of_other_sites_are_refused(
    client: TestClient, ann: Principal, password: str
) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        done = client.post(
            "/auth/signin",
            data={"user": "ann", "password": password, "redirectUrl": "/deploy"},
            headers=headers,
            follow_redirects=False,
        )
        assert done.status_code == 403


def test_what_is_typed_is_escaped(client: TestClient, ann: Principal) -> None:
    done = sign_in(client, '"><script>x</script>', "wrong", redirectUrl="/deploy")
    assert "<script>" not in done.text


def test_the_owners_first_visit(client: TestClient, services: Services) -> None:
    owner, fresh = services.accounts.ensure_owner()
    assert fresh
    code = services.tokens.make_code("setup", account_id=owner.id)
    assert client.get("/auth/setup", params={"code": "guess"}).status_code == 401
    page = client.get("/auth/setup", params={"code": code})
    assert re.search(r'name="code" value="[^"]+"', page.text)
    form = {"code": code, "user": "ann", "password": "short"}
    assert client.post("/auth/setup", data=form).status_code == 400
    form["password"] = "long enough for us"
    assert client.post("/auth/setup", data=form).status_code == 200
    assert client.post("/auth/setup", data={**form, "user": "eve"}).status_code == 401
    assert services.accounts.by_password("ann", "long enough for us").owner
    assert services.accounts.count() == 1


def test_tokens_are_listed_and_revoked_over_the_api(me: Any, other: Any) -> None:
    made = me.post("/auth/tokens", json={"name": "ci", "scopes": "read"})
    assert made["scopes"] == ["read"]
    listed = me.get("/auth/tokens")
    assert {row["name"] for row in listed} == {"ci", "test"}
    assert "refreshToken" not in str(listed)
    assert other.call("DELETE", f"/auth/tokens/{made['id']}").status_code == 404
    assert me.call("DELETE", f"/auth/tokens/{made['id']}").status_code == 200
    answer = me.client.post("/auth/token", data={"refreshToken": made["refreshToken"]})
    assert answer.status_code == 401
    me.post("/auth/signout")
    assert me.call("GET", "/auth/me").status_code == 401


def test_bare_and_odd_headers_are_refused_alike(client: TestClient, me: Any) -> None:
    good = me.headers["token"]
    for headers in (
        [],
        [("token", "")],
        [("token", me.token)],
        [("token", good), ("token", good)],
        [("token", "x" * 60_000)],
        [("authorization", f"Bearer {good}")],
    ):
        answer = client.get("/overview", headers=headers)
        assert answer.status_code == 401
        assert set(answer.json()) == {"error"}
    assert client.get("/overview", params={"token": good}).status_code == 401
    assert client.post("/auth/token", data={"refreshToken": good}).status_code == 401


def test_of_two_first_visits_at_once_one_counts(services: Services) -> None:
    owner, _ = services.accounts.ensure_owner()
    code = services.tokens.make_code("setup", account_id=owner.id)
    outcomes: list[str] = []

    def visit(name: str) -> None:
        try:
            services.accounts.set_up(services.tokens, code, name, "long enough for us")
            outcomes.append(name)
        except NotSignedInError:
            outcomes.append("refused")

    threads = [threading.Thread(target=visit, args=(name,)) for name in ("ann", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [name for name in outcomes if name != "refused"]
    assert [row.name for row in services.accounts.list()] == [winner]
