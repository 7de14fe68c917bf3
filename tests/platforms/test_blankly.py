"""The client, against a service by Blankly's documented contract and against parts of ours."""

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy_magics.errors import (
    NotSignedInError,
    RejectedError,
    ServiceError,
    UnreachableError,
)
from deploy_magics.platforms.blankly import BlanklyClient
from deploy_magics.platforms.blankly_types import Run, moment
from deploy_magics.platforms.session import answer

Route = Callable[[requests.PreparedRequest, bytes], Any]


class Service:
    """Answers by route; every call but the token's needs the id token of now."""

    def __init__(self, **routes: Any) -> None:
        self.routes: dict[str, Any] = {
            "POST auth/token": self.token,
            **{name.replace("__", " ").replace("_", "/"): made for name, made in routes.items()},
        }
        self.id_token = "id-1"
        self.calls: list[tuple[str, bytes, requests.PreparedRequest]] = []

    def token(self, request: requests.PreparedRequest, body: bytes) -> Any:
        if b"refreshToken=good" not in body:
            return answer(400, {"error": "unknown token"})
        return {"idToken": self.id_token, "data": {"user_id": "u1"}}

    def __call__(self, request: requests.PreparedRequest) -> requests.Response:
        path = str(request.path_url).split("?")[0].strip("/")
        body: Any = request.body
        if hasattr(body, "read"):
            body = body.read()
        body = body.encode() if isinstance(body, str) else body or b""
        name = f"{request.method} {path}"
        self.calls.append((name, body, request))
        route = self.routes.get(name)
        if route is None:
            return answer(404, {"error": "no such page"})
        if path not in ("auth/token", "health") and request.headers.get("token") != self.id_token:
            return answer(401, {"error": "who are you?"})
        made = route(request, body) if callable(route) else route
        return made if isinstance(made, requests.Response) else answer(json=made)

    def client(self, token: str = "good") -> BlanklyClient:
        return BlanklyClient("http://there.test", token, transport=self, patience=0)

    def names(self) -> list[str]:
        return [name for name, _, _ in self.calls]


@pytest.fixture
def service() -> type[Service]:
    return Service


PROJECTS = [{"projectId": "p1", "name": "RSI Models", "description": None, "createdAt": 1.0}]


def test_by_the_documented_contract_alone(service: type[Service], tmp_path: Path) -> None:
    there = service(
        GET__project_list=PROJECTS,
        POST__project_create={"status": "success", "projectId": "p2", "name": "New"},
        POST__model_deploy={
            "status": "success",
            "timestamp": 1,
            "modelId": "m1",
            "versionId": "v1",
            "projectId": "p1",
        },
    )
    client = there.client()
    assert client.check().user_id == "u1"
    assert client.health() == {}
    assert [project.name for project in client.projects()] == ["RSI Models"]
    assert client.create_project("New", "what for").id == "p2"
    package = tmp_path / "model.zip"
    package.write_bytes(b"PK-zip")
    accepted = client.deploy(
        package, project_id="p1", name="RSI Model", message="first", plan="nano", sha256="0" * 64
    )
    assert (accepted.model_id, accepted.version_id, accepted.run_id) == ("m1", "v1", "")
    sent = there.calls[-1][1]
    for field, value in [
        (b"createNew", b"true"),
        (b"name", b"RSI Model"),
        (b"versionDescription", b"first"),
        (b"plan", b"nano"),
    ]:
        assert b'name="%s"\r\n\r\n%s\r\n' % (field, value) in sent
    assert b"PK-zip" in sent and b'name="model"; filename="model.zip"' in sent
    assert b"feed" not in sent


def test_a_token_that_is_refused_is_not_signed_in(service: type[Service]) -> None:
    with pytest.raises(NotSignedInError, match=r"unknown token.*%deploy_login") as caught:
        service().client("bad_secret").check()
    assert "bad_secret" not in str(caught.value)


def test_the_id_token_is_made_anew_when_it_has_expired(service: type[Service]) -> None:
    there = service(GET__project_list=PROJECTS)
    client = there.client()
    client.projects()
    there.id_token = "id-2"
    client.projects()
    assert there.names().count("POST auth/token") == 2


def test_no_id_token_is_no_service_of_ours(service: type[Service]) -> None:
    there = service()
    there.routes["POST auth/token"] = {"something": "else"}
    with pytest.raises(ServiceError, match="gives no id token"):
        there.client().projects()


@pytest.mark.parametrize("body", [{"error": "that name is taken"}])
def test_an_error_with_a_200_is_an_error(service: type[Service], body: Any) -> None:
    with pytest.raises(RejectedError, match="that name is taken"):
        service(POST__project_create=body).client().create_project("x")


@pytest.mark.parametrize("body", ["text", 3, {"a": 1}])
def test_what_is_no_list_is_said_to_be_none(service: type[Service], body: Any) -> None:
    with pytest.raises(ServiceError):
        service(GET__project_list=body).client().projects()


def test_an_upload_is_skipped_where_the_server_has_the_digest(
    service: type[Service], tmp_path: Path
) -> None:
    package = tmp_path / "model.zip"
    package.write_bytes(b"PK-zip")
    digest = "a" * 64
    there = service(POST__model_backtest={"status": "success", "runId": "r1", "version": 2})
    there.routes[f"GET package/{digest}"] = {"size": 6}
    accepted = there.client().backtest(
        package,
        sha256=digest,
        project_id="p",
        model_id="m",
        args={"to": "1y"},
        prices={"EUR-USD": b"time,open"},
    )
    assert (accepted.run_id, accepted.version) == ("r1", 2)
    sent = there.calls[-1][1]
    assert b"PK-zip" not in sent and digest.encode() in sent
    assert b'filename="EUR-USD.csv"' in sent and b'{"to": "1y"}' in sent
    assert there.calls[-1][2].headers["Idempotency-Key"]


def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    service: type[Service], tmp_path: Path
) -> None:
    package = tmp_path / "model.zip"
    package.write_bytes(b"PK")
    keys: list[str] = []

    def flaky(request: requests.PreparedRequest, body: bytes) -> Any:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise requests.ReadTimeout()
        return {"status": "success", "modelId": "m", "versionId": "v", "projectId": "p"}

    there = service(POST__model_deploy=flaky)
    client = BlanklyClient("http://there.test", "good", transport=there)
    assert client.deploy(package, project_id="p", name="n").model_id == "m"
    assert len(keys) == 2 and keys[0] == keys[1]


def test_versions_and_runs_are_typed_and_forgiving(service: type[Service]) -> None:
    version = {"versionId": "v1", "version": "3", "createdAt": "2026-01-02T03:04:05Z", "size": None}
    run = {"id": "r1", "state": "running", "startedAt": 1700000000.5, "progress": None, "new": 1}
    there = service(GET__runs=[run])
    there.routes["GET model/m%2F1/versions"] = [version, None, "odd"]
    client = there.client()
    (found,) = client.versions("m/1")
    assert found.number == 3 and found.size is None
    assert found.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    (live,) = client.runs(model_id="m1", kind="live")
    assert live.started_at is not None and live.progress == {} and not live.ended
    assert "modelId=m1" in str(there.calls[-1][2].url)


def test_an_overview_that_did_not_change_is_not_sent(service: type[Service]) -> None:
    def overview(request: requests.PreparedRequest, body: bytes) -> Any:
        if request.headers.get("If-None-Match") == '"e1"':
            return answer(304, content=b"")
        return answer(json={"projects": []}, headers={"ETag": '"e1"'})

    client = service(GET__overview=overview).client()
    assert client.overview() == ({"projects": []}, '"e1"')
    assert client.overview('"e1"') == (None, '"e1"')


def test_a_server_that_is_away() -> None:
    client = BlanklyClient("http://127.0.0.1:1", "good", patience=0)
    try:
        with pytest.raises(UnreachableError, match="Is the server running"):
            client.projects()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (1700000000, 2023),
        (1700000000000, 2023),
        ("1700000000", 2023),
        ("2023-11-14", 2023),
        ("2023-11-14T22:13:20+02:00", 2023),
        (None, None),
        ("soon", None),
        (1e300, None),
    ],
)
def test_times_of_every_kind(value: Any, year: int | None) -> None:
    found = moment(value)
    assert (found and found.year) == year
    assert found is None or found.tzinfo is not None


def test_a_token_shows_in_no_repr(service: type[Service]) -> None:
    client = service().client("good")
    assert "good" not in repr(client) + repr(client._auth) + repr(client._session)
    assert json.dumps(Run.of({"id": 1}).id) == '"1"'
