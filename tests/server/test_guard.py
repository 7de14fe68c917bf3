"""Around the requests: host names, sizes, headers, slowness, the log."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from deploy_magics.errors import ServiceError, UsageError
from deploy_magics.server import guard, problems
from deploy_magics.server.guard import Guard, allowed_hosts
from deploy_magics.server.limiter import Limiter
from deploy_magics.server.logs import JsonLines, scrubbed
from deploy_magics.server.serve import check_exposure
from deploy_magics.server.settings import Settings


def test_another_host_name_is_refused_for_every_method(client: TestClient) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        for host in ("evil.example", "evil.example:8800", "127.0.0.1.evil.example", ""):
            answer = client.request(method, "/overview", headers={"Host": host})
            assert (answer.status_code, method, host) == (400, method, host)
            assert "access-control-allow-origin" not in answer.headers


def test_names_that_are_set_are_answered(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        host="0.0.0.0",
        public_url="https://deploy.example:8443/x",
        allowed_hosts=("Other.Example",),
    )
    expected = {"localhost", "127.0.0.1", "::1", "deploy.example", "other.example"}
    assert set(allowed_hosts(settings)) == expected


def test_every_answer_is_guarded(client: TestClient) -> None:
    for path in ("/health", "/nothing", "/overview", "/auth/signin"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers
    policy = client.get("/docs").headers["content-security-policy"]
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy


def test_errors_have_one_shape(client: TestClient, me: Any) -> None:
    for method, path, status in [
        ("GET", "/nothing", 404),
        ("DELETE", "/health", 405),
        ("GET", "/overview", 401),
    ]:
        answer = client.request(method, path)
        assert answer.status_code == status
        assert set(answer.json()) == {"error"}
    wrong = me.call("GET", "/runs", params={"limit": "many"})
    assert wrong.status_code == 422
    assert set(wrong.json()) == {"error"}


def test_an_unexpected_failure_says_nothing_of_itself(
    app: Any, me: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the password is sesame")

    monkeypatch.setattr(app.state.services.projects, "list", broken)
    answer = me.call("GET", "/project/list")
    assert answer.status_code == 500
    assert answer.json() == {"error": "The service failed; its log says why."}


def test_large_bodies_are_refused(me: Any, settings: Settings) -> None:
    large = b"x" * (settings.max_body + 1)
    assert me.call("POST", "/project/create", content=large).status_code == 413

    def chunks() -> Any:
        for _ in range(settings.max_body // 65_536 + 2):
            yield b"x" * 65_536

    answer = me.call("POST", "/project/create", content=chunks())
    assert answer.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.01)

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(ServiceError) as caught:
            await receive()
        assert caught.value.status == 408

    async def never() -> Any:
        await asyncio.Event().wait()

    async def nothing(message: Any) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"host", b"localhost")],
    }
    guarded = Guard(reads, Settings(data_dir=tmp_path), problems.wording({}))
    asyncio.run(guarded(scope, never, nothing))


def test_the_log_is_json_without_secrets(me: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "deploy_magics.server.access"):
        me.call("GET", "/overview", params={"token": "sesame"})
    (line,) = [json.loads(r.message) for r in caplog.records if "/overview" in r.message]
    assert (line["path"], line["status"], line["account"]) == ("/overview", 200, me.who.account_id)
    assert "sesame" not in caplog.text


def test_secrets_in_messages_are_masked() -> None:
    record = logging.LogRecord(
        "x", logging.ERROR, "", 1, "postgresql://u:pw@h/db %s", ("dm_" + "x" * 43,), None
    )
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "postgresql://***@h/db ***"
    assert scrubbed("GET /?token=abc&x=1 eyJh.eyJi.c") == "GET /?token=***&x=1 ***"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is tried here does not reach the database."""
    return sqlite_url


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "deploy.example"])
def test_a_server_that_others_reach_needs_the_words(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="--behind-tls"):
        check_exposure(Settings(data_dir=tmp_path, host=host))
    check_exposure(Settings(data_dir=tmp_path, host=host, behind_tls=True))
    check_exposure(Settings(data_dir=tmp_path, host=host, allow_plain_http=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_none(tmp_path: Path, host: str) -> None:
    check_exposure(Settings(data_dir=tmp_path, host=host))


def test_the_limiter_forgets_with_time_and_counts_failures_only() -> None:
    from deploy_magics.errors import NotSignedInError, RateLimitError

    now = [0.0]
    limiter = Limiter(attempts=3, seconds=10, clock=lambda: now[0])

    def fail(key: str) -> None:
        with pytest.raises(NotSignedInError), limiter.attempt(key):
            raise NotSignedInError("no")

    for _ in range(20):
        with limiter.attempt("ann"):
            pass
    for _ in range(3):
        fail("ann")
    with pytest.raises(RateLimitError, match="Wait 10 s"), limiter.attempt("ann"):
        pass
    fail("bob")
    now[0] = 10.5
    fail("ann")
