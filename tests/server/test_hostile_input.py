"""Whatever is sent to whatever route: a refusal in that dialect's words, never a failure.

The routes are taken from the application itself, and each case runs on both databases: what one
of them cannot store must be refused before it gets there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from deploy_magics.server.services import Services

DEEP = b'{"name":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
# names that routes read, each with what no database or program should meet
FIELDS = (
    *("name", "description", "projectId", "modelId", "versionId", "sha256", "value", "type"),
    *("plan", "pythonVersion", "backtestArgs", "feed", "schedule", "scopes", "refreshToken"),
    *("code", "verifier", "user", "password", "email", "resource_id", "resource_dict", "labels"),
    *("input_type", "input_fields", "version", "secret", "pairlist", "title", "fields", "id"),
)
VALUES: tuple[bytes, ...] = (
    b'"a\\u0000b"',
    b'"\\ud800"',
    b'"' + b"x" * 10_000 + b'"',
    b'"\\u001b[31m\\r\\nX-Evil: \\u202e../../x"',
    b"1" + b"0" * 400,
    b"-1e400",
    b'[{"a": {"b": [1e400]}}]',
)
BODIES: tuple[tuple[str, bytes], ...] = (
    ("application/json", DEEP),
    ("application/json", b'{"name": "a", "name": "b"}'),
    ("application/json", b'{"name": NaN}'),
    ("application/json", b'{"name": "\xff"}'),
    ("application/json", b'[{"name": "a"}]'),
    ("application/json", b"{"),
    ("application/x-www-form-urlencoded", b"name=%00&projectId=%00&modelId=%ff&versionId=%00"),
    ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(5_000))),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="name"\r\n'),
    ("multipart/form-data", b"x"),
)
QUERIES: tuple[dict[str, str], ...] = (
    {"limit": "-1", "offset": "-1", "wait": "-1", "after": "-1"},
    {"limit": "9" * 30, "offset": "9" * 30, "after": "9" * 30, "resource_id": "9" * 30},
    {"offset": "9" * 18, "after": "9" * 18, "algorithm_id": "-" + "9" * 18},
    {"wait": "nan", "projectId": "x" * 10_000, "kind": "x" * 10_000},
    {"projectId": "\x00", "modelId": "\x00", "symbol": "\x00", "state": "\x00", "name": "\x00"},
)
PLACES = ("a%00b", "..%2f..%2fetc%2fpasswd", "%ff%e2%80%ae" + "x" * 3_000, "9" * 40)
WHERE = ("trace", "site-packages", "psycopg", "sqlalchemy", "sqlite3", 'file "')


def refusal(answer: Any) -> str:
    """Empty when the answer is one of a service that held, else what is wrong with it."""
    if answer.status_code >= 500 and answer.status_code not in (502, 501):
        return f"{answer.status_code} {answer.text[:150]}"
    said = answer.text.lower()
    if answer.status_code >= 400 and any(word in said for word in WHERE):
        return f"tells of itself: {answer.text[:150]}"
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        return shaped(answer)
    return ""


def shaped(answer: Any) -> str:
    """An error has its dialect's shape: one line under one name."""
    path = answer.request.url.path
    if "html" in answer.headers.get("content-type", ""):
        return "" if path.startswith("/auth/") else "a page"
    body = answer.json()
    names = {"error"}
    if path.startswith("/bots/") and answer.status_code != 502:
        names = {"detail"}
    if set(body) != names or not isinstance(next(iter(body.values())), str):
        return f"{answer.status_code} {answer.text[:150]}"
    return "more than a line" if "\n" in next(iter(body.values())) else ""


def own_routes(walk: Any) -> Iterator[tuple[str, str]]:
    """All that take something; a direct request of UbiOps waits for a worker, and there is none."""
    for method, path in walk.routes():
        if method not in ("WS", "FILES") and not path.startswith("/v2/") and path != "/docs":
            yield method, path


@pytest.fixture
def send(walk: Any, me: Any, things: dict[str, str], client: TestClient) -> Any:
    me.headers_of = {}

    def do(method: str, path: str, place: str | None = None, **options: Any) -> Any:
        if path.startswith("/auth/signout") or path.startswith("/auth/tokens/"):
            return None
        headers = {**walk.headers(path, me), **options.pop("headers", {})}
        place = place or walk.filled(path, things)
        if path.endswith("/requests") and method == "POST":
            options["params"] = {"timeout": "1", **options.get("params", {})}
        return client.request(method, place, headers=headers, **options)

    return do


def test_hostile_bodies(walk: Any, send: Any) -> None:
    bad = []
    for method, path in own_routes(walk):
        if method in ("GET", "DELETE"):
            continue
        for kind, body in BODIES:
            answer = send(method, path, content=body, headers={"content-type": kind})
            if answer is not None and (why := refusal(answer)):
                bad.append((method, path, kind, body[:30], why))
    assert bad == []


def test_hostile_values_in_every_field(walk: Any, send: Any, services: Services) -> None:
    bad = []
    for method, path in own_routes(walk):
        if method in ("GET", "DELETE"):
            continue
        for value in VALUES:
            fields = b",".join(b'"%s":%s' % (name.encode(), value) for name in FIELDS)
            for body in (b"{" + fields + b"}", b'{"name":"ok","value":' + value + b"}"):
                answer = send(
                    method, path, content=body, headers={"content-type": "application/json"}
                )
                if answer is not None and (why := refusal(answer)):
                    bad.append((method, path, value[:20], why))
    assert bad == []


def test_hostile_queries(walk: Any, send: Any) -> None:
    bad = []
    for method, path in own_routes(walk):
        for query in QUERIES if method in ("GET", "DELETE") else ():
            answer = send(method, path, params=query)
            if answer is not None and (why := refusal(answer)):
                bad.append((method, path, query, why))
    assert bad == []


def test_hostile_names_in_the_address(walk: Any, send: Any, things: dict[str, str]) -> None:
    bad = []
    for method, path in own_routes(walk):
        for name in re.findall(r"{(\w+)}", path):
            for odd in PLACES:
                answer = send(method, path, walk.filled(path, {**things, name: odd}), json={})
                if answer is not None and (why := refusal(answer)):
                    bad.append((method, path, name, odd[:20], why))
    assert bad == []
