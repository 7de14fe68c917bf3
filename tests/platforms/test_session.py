import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.auth import AuthBase

from deploy_magics.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotSignedInError,
    PlatformError,
    RateLimitError,
    RejectedError,
    ServiceError,
    UnreachableError,
    UsageError,
)
from deploy_magics.platforms.session import Session, answer, check_url, new_key

Answers = list[Any]


class Server:
    """Answers in turn what it is given: a response, or an error to raise; notes what came."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.requests: list[requests.PreparedRequest] = []
        self.bodies: list[bytes] = []
        self.slept: list[float] = []

    def __call__(self, request: requests.PreparedRequest) -> requests.Response:
        self.requests.append(request)
        body = request.body
        if hasattr(body, "read"):
            body = body.read()  # type: ignore[union-attr]
        self.bodies.append(body.encode() if isinstance(body, str) else body or b"")
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def session(self, **options: Any) -> Session:
        return Session(
            "http://server.test/base", transport=self, sleep=self.slept.append, **options
        )


@pytest.fixture
def server() -> Callable[..., Server]:
    return lambda *answers: Server(list(answers))


def test_a_good_answer_is_returned(server: Callable[..., Server]) -> None:
    there = server(answer(json={"a": 1}))
    assert there.session().get("x/y", params={"q": "1 2"}) == {"a": 1}
    assert there.requests[0].url == "http://server.test/base/x/y?q=1+2"
    assert "Authorization" not in there.requests[0].headers


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RejectedError),
        (401, NotSignedInError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, RejectedError),
        (418, RejectedError),
        (422, RejectedError),
        (500, ServiceError),
        (302, ServiceError),
    ],
)
def test_a_status_is_an_error_of_ours_and_is_not_tried_again(
    server: Callable[..., Server], status: int, kind: type[PlatformError]
) -> None:
    there = server(answer(status, {"error": "the model's name\nis taken"}))
    with pytest.raises(kind) as caught:
        there.session().get("x")
    assert caught.value.status == status
    assert "\n" not in str(caught.value)
    assert len(there.requests) == 1
    if status != 302:
        assert "the model's name is taken." in str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "no"}, "no."),
        ({"detail": "gone"}, "gone."),
        ({"message": "why?"}, "why?"),
        ({"error": {"message": "deep"}}, "deep."),
        ({"detail": [{"loc": ["body", "name"], "msg": "too long"}]}, "name: too long."),
        ([1], "server.test answered 400."),
        ({}, "server.test answered 400."),
    ],
)
def test_the_services_own_words_are_kept(
    server: Callable[..., Server], body: Any, said: str
) -> None:
    with pytest.raises(RejectedError) as caught:
        server(answer(400, body)).session().get("x")
    assert str(caught.value) == said


@pytest.mark.parametrize(("status", "said"), [(404, "Not Found"), (405, "Method Not Allowed")])
def test_a_call_that_the_server_does_not_know_is_a_matter_of_versions(
    server: Callable[..., Server], status: int, said: str
) -> None:
    with pytest.raises(PlatformError, match=r"not know this call.*upgrade the older") as caught:
        server(answer(status, {"error": said})).session().get("x")
    assert caught.value.status == status


def test_a_page_in_place_of_json_is_said_to_be_one(server: Callable[..., Server]) -> None:
    page = answer(content=b"<html>sign in here</html>", headers={"Content-Type": "text/html"})
    with pytest.raises(ServiceError, match="does not answer as a deployment service does"):
        server(page).session().get("x")


def test_a_redirect_is_named_and_not_followed(server: Callable[..., Server]) -> None:
    away = answer(302, {}, headers={"Location": "http://evil.test/take?token=t"})
    there = server(away)
    with pytest.raises(ServiceError, match=r"sends us on to http://evil\.test, where no token"):
        there.session().get("x")
    assert len(there.requests) == 1


def test_a_busy_server_is_asked_again_where_that_is_safe(server: Callable[..., Server]) -> None:
    there = server(answer(503, {}), requests.ConnectionError(), answer(json=1))
    assert there.session().get("x") == 1
    assert len(there.slept) == 2 and 0 < there.slept[0] <= there.slept[1] * 2


def test_a_post_is_sent_once_unless_it_has_a_key(server: Callable[..., Server]) -> None:
    there = server(requests.ConnectionError(), answer(json=1))
    with pytest.raises(UnreachableError):
        there.session().post("x")
    there = server(requests.ConnectionError(), answer(json=1))
    key = new_key()
    assert there.session().post("x", idempotency_key=key) == 1
    assert [request.headers["Idempotency-Key"] for request in there.requests] == [key, key]


def test_attempts_and_waiting_are_bounded(server: Callable[..., Server]) -> None:
    there = server(*[answer(503, {}) for _ in range(10)])
    with pytest.raises(ServiceError):
        there.session(attempts=3).get("x")
    assert len(there.requests) == 3
    there = server(*[requests.ConnectTimeout() for _ in range(99)])
    with pytest.raises(UnreachableError, match="does not answer"):
        there.session(attempts=99, patience=5).get("x")
    assert sum(there.slept) <= 5


def test_too_many_requests_are_waited_out_for_every_method(server: Callable[..., Server]) -> None:
    there = server(answer(429, {}, headers={"Retry-After": "2"}), answer(json=1))
    assert there.session().post("x") == 1
    assert there.slept == [2]
    there = server(answer(429, {}, headers={"x-ratelimit-reset": "3600"}))
    with pytest.raises(RateLimitError, match="3600 s"):
        there.session().post("x")
    assert there.slept == []


class Renewing(AuthBase):
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["token"] = self.tokens[0]
        return request

    def renew(self, session: Session) -> bool:
        self.tokens.pop(0)
        return bool(self.tokens)


def test_a_token_is_renewed_once(server: Callable[..., Server]) -> None:
    there = server(answer(401, {}), answer(json=1))
    assert there.session(auth=Renewing(["old", "new"])).post("x") == 1
    assert [request.headers["token"] for request in there.requests] == ["old", "new"]
    there = server(answer(401, {}), answer(401, {}))
    with pytest.raises(NotSignedInError, match="%deploy_login"):
        there.session(auth=Renewing(["a", "b", "c"])).post("x")


def test_a_service_may_explain_itself(server: Callable[..., Server]) -> None:
    there = server(answer(502, {"error": "no such trade"}), answer(json=1))

    def explain(response: requests.Response) -> PlatformError | None:
        return RejectedError(response.json()["error"]) if response.status_code == 502 else None

    with pytest.raises(RejectedError, match="no such trade"):
        there.session(explain=explain).get("x")
    assert len(there.requests) == 1


def test_netrc_never_speaks_for_us(
    server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine server.test login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    there = server(answer(json=1))
    there.session().get("x")
    assert "Authorization" not in there.requests[0].headers


def test_an_upload_is_streamed_and_rewound_for_a_second_attempt(
    server: Callable[..., Server], tmp_path: Path
) -> None:
    package = tmp_path / "model.zip"
    package.write_bytes(b"z" * 5000)
    there = server(requests.ConnectionError(), answer(json=1))
    seen: list[tuple[int, int]] = []
    with package.open("rb") as file:
        file.seek(1000)
        there.session().post(
            "x",
            data={"name": 'a "b"', "left": None, "live": True, "args": {"to": "1y"}},
            files=[
                ("model", ("m.zip", file, "application/zip")),
                ("prices", ("A/B.csv", package, "text/csv")),
            ],
            idempotency_key="k",
            on_progress=lambda sent, total: seen.append((sent, total)),
        )
    first, second = there.bodies
    assert first == second and first.count(b"z" * 4000) == 2
    assert b'name="name"\r\n\r\na "b"\r\n' in first and b"left" not in first
    assert b'name="live"\r\n\r\ntrue' in first and b'{"to": "1y"}' in first
    assert seen[-1] == (len(first), len(first))
    assert int(there.requests[0].headers["Content-Length"]) == len(first)
    assert [done for done, _ in seen[: len(seen) // 2]] == sorted(
        done for done, _ in seen[: len(seen) // 2]
    )


def test_a_filename_starts_no_header(server: Callable[..., Server]) -> None:
    there = server(answer(json=1))
    there.session().post("x", files={"m": ('a"\r\nX-Evil: 1', b"", "text/plain")})
    assert b"\r\nX-Evil" not in there.bodies[0]


@pytest.mark.parametrize(
    "url",
    ["", "server", "ftp://a", "http://", "https://user:secret@host", "https://host?x=1", "//host"],
)
def test_what_is_no_address_is_refused_and_not_repeated_with_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


def test_an_address_loses_its_last_slash() -> None:
    assert check_url(" https://host:1/a/ ") == "https://host:1/a"


@pytest.fixture
def loopback() -> Iterator[str]:
    """A real server that answers with what it was sent, in JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"length": len(body), "start": body[:2].hex()}).encode())

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b'{"cut": ')
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def test_over_a_real_connection(loopback: str) -> None:
    session = Session(loopback)
    try:
        sent = session.post("up", files={"model": ("m.zip", b"z" * 3_000_000, "")})
        assert sent["length"] > 3_000_000
    finally:
        session.close()


def test_an_answer_that_breaks_off_is_unreachable(loopback: str) -> None:
    session = Session(loopback, attempts=1)
    try:
        with pytest.raises(UnreachableError):
            session.get("cut")
    finally:
        session.close()


def test_nobody_there(loopback: str) -> None:
    session = Session("http://127.0.0.1:1", attempts=1)
    try:
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
            session.get("x")
        assert isinstance(caught.value.__cause__, requests.ConnectionError)
    finally:
        session.close()
