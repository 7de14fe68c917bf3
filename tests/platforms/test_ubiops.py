"""The client for UbiOps over a transport that is a function: what it sends, reads and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from deploy_magics.errors import (
    ConflictError,
    NotFoundError,
    NotSignedInError,
    RateLimitError,
    ServiceError,
    UsageError,
)
from deploy_magics.platforms.session import Session, answer
from deploy_magics.platforms.ubiops import UbiopsClient
from deploy_magics.platforms.ubiops_address import TokenAuth, address, labels_query, path_of
from deploy_magics.platforms.ubiops_files import file_name, save_stream
from deploy_magics.platforms.ubiops_types import Revision, Variable, Version

SERVER = "https://api.example.com/v2.1"
VERSION = {"id": "1", "deployment": "d", "version": "v1", "status": "available", "new_key": 7}


class Service:
    """Answers with what it was given, one after the other, and keeps what was asked."""

    def __init__(self, *answers: requests.Response) -> None:
        self.answers = list(answers)
        self.asked: list[requests.PreparedRequest] = []
        self.bodies: list[bytes] = []
        self.slept: list[float] = []

    def __call__(self, request: requests.PreparedRequest) -> requests.Response:
        self.asked.append(request)
        body = request.body
        self.bodies.append(body.read() if hasattr(body, "read") else body or b"")  # type: ignore[union-attr,arg-type]
        return self.answers.pop(0)

    def client(self) -> UbiopsClient:
        session = Session(SERVER, auth=TokenAuth("secret"), transport=self, sleep=self.slept.append)
        return UbiopsClient(SERVER, session=session)

    def path(self, number: int = 0) -> str:
        return urlsplit(str(self.asked[number].url)).path.removeprefix("/v2.1")

    def query(self, number: int = 0) -> dict[str, list[str]]:
        return parse_qs(urlsplit(str(self.asked[number].url)).query)


Call = Callable[[UbiopsClient], Any]
V = "/projects/p/deployments/d/versions/v1"
REVISION = {"id": "r", "version": "v1", "status": "success"}
DEPLOYMENT = {"id": "1", "name": "d", "project": "p"}
VARIABLE = {"id": "x", "name": "A", "secret": False, "value": "1"}
BUILD = {"id": "b", "revision": "r", "status": "success"}
OPERATIONS: list[tuple[str, str, Any, Call]] = [
    ("GET", "/template-deployments", [{"id": "1", "details": {}}], lambda c: c.templates()),
    ("GET", "/projects/p/deployments", [DEPLOYMENT], lambda c: c.deployments("p")),
    ("POST", "/projects/p/deployments", DEPLOYMENT, lambda c: c.create_deployment("p", "d")),
    ("GET", "/projects/p/deployments/d", DEPLOYMENT, lambda c: c.deployment("p", "d")),
    ("PATCH", "/projects/p/deployments/d", DEPLOYMENT, lambda c: c.update_deployment("p", "d")),
    ("DELETE", "/projects/p/deployments/d", None, lambda c: c.delete_deployment("p", "d")),
    ("GET", "/projects/p/deployments/d/versions", [VERSION], lambda c: c.versions("p", "d")),
    (
        "POST",
        "/projects/p/deployments/d/versions",
        VERSION,
        lambda c: c.create_version("p", "d", "v1"),
    ),
    ("GET", V, VERSION, lambda c: c.version("p", "d", "v1")),
    ("PATCH", V, VERSION, lambda c: c.update_version("p", "d", "v1", version="v2")),
    ("DELETE", V, None, lambda c: c.delete_version("p", "d", "v1")),
    ("GET", f"{V}/revisions", [REVISION], lambda c: c.revisions("p", "d", "v1")),
    ("GET", f"{V}/revisions/r", REVISION, lambda c: c.revision("p", "d", "v1", "r")),
    ("POST", f"{V}/revisions/r/rebuild", REVISION, lambda c: c.rebuild("p", "d", "v1", "r")),
    ("GET", f"{V}/builds/b", BUILD, lambda c: c.build("p", "d", "v1", "b")),
    (
        "POST",
        f"{V}/revisions",
        {"success": True, "revision": "r"},
        lambda c: c.upload_copy("p", "d", "v1", template="t"),
    ),
    *(
        entry
        for place, names in (
            ("/projects/p/deployments/d", ("p", "d", None)),
            (V, ("p", "d", "v1")),
            ("/projects/p", ("p", None, None)),
        )
        for entry in (
            (
                "GET",
                f"{place}/environment-variables",
                [VARIABLE],
                lambda c, n=names: c.variables(*n),
            ),
            (
                "GET",
                f"{place}/environment-variables/x",
                VARIABLE,
                lambda c, n=names: c.variable(*n, "x"),
            ),
            (
                "DELETE",
                f"{place}/environment-variables/x",
                None,
                lambda c, n=names: c.delete_variable(*n, "x"),
            ),
        )
    ),
    (
        "POST",
        "/projects/p/deployments/d/copy-environment-variables",
        [VARIABLE],
        lambda c: c.copy_variables("p", "d", source_deployment="e"),
    ),
    (
        "POST",
        f"{V}/copy-environment-variables",
        [VARIABLE],
        lambda c: c.copy_variables("p", "d", "v1", source_deployment="e", source_version="v2"),
    ),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "call"), OPERATIONS, ids=[f"{m} {p}" for m, p, _, _ in OPERATIONS]
)
def test_what_each_operation_sends(method: str, path: str, body: Any, call: Call) -> None:
    service = Service(answer(204, content=b"") if body is None else answer(200, body))
    found = call(service.client())
    assert (service.asked[0].method, service.path()) == (method, path)
    assert service.asked[0].headers["Authorization"] == "Token secret"
    assert (found is None) == (body is None)


def test_names_are_quoted_whole() -> None:
    assert path_of("projects", "a/b", "c d?") == "/projects/a%2Fb/c%20d%3F"
    with pytest.raises(UsageError):
        path_of("projects", "..")
    with pytest.raises(UsageError):
        Service().client().version("p", "", "v1")


def test_a_new_key_is_kept_and_a_missing_one_told() -> None:
    assert Version.read(VERSION).extra == {"new_key": 7}
    for body in ({"id": "1"}, [], "text", None):
        with pytest.raises(ServiceError):
            Version.read(body)
    with pytest.raises(ServiceError):
        Revision.read_all({"error": "no list"})


def test_set_variable_creates_then_changes_and_keeps_secrets() -> None:
    service = Service(answer(200, []), answer(201, VARIABLE))
    service.client().set_variable("p", "d", None, "A", "1")
    assert [each.method for each in service.asked] == ["GET", "POST"]
    hidden = {**VARIABLE, "value": None, "secret": True}
    service = Service(answer(200, [hidden]), answer(200, hidden))
    service.client().set_variable("p", "d", "v1", "A", "2")
    assert service.path(1) == f"{V}/environment-variables/x"
    assert json.loads(service.bodies[1]) == {"name": "A", "value": "2", "secret": True}
    inherited = {**VARIABLE, "inheritance_type": "project", "inheritance_name": "p"}
    service = Service(answer(200, [inherited]), answer(201, VARIABLE))
    service.client().set_variable("p", "d", None, "A", "3")
    assert service.asked[1].method == "POST"


def test_audit_is_paged() -> None:
    event = {"id": "1", "action": "create", "event": "x"}
    service = Service(answer(200, [event] * 50), answer(200, [event] * 3))
    assert len(list(service.client().audit("p", "d", action="create"))) == 53
    assert service.query(1) == {"limit": ["50"], "offset": ["50"], "action": ["create"]}


def test_label_filter() -> None:
    assert labels_query({"a": "1", "b": "2"}) == {"labels": "a:1,b:2"}
    assert labels_query(None) == {}


def test_upload_streams_and_tells_how_far(tmp_path: Path) -> None:
    package = tmp_path / "my model.zip"
    package.write_bytes(b"PK" + bytes(300_000))
    told: list[tuple[int, int]] = []
    service = Service(answer(201, {"success": True, "revision": "r", "build": "b"}))
    sent = service.client().upload(
        "p", "d", "v1", package, on_progress=lambda done, total: told.append((done, total))
    )
    assert sent.revision == "r"
    assert package.read_bytes() in service.bodies[0]
    assert b'name="file"; filename="my model.zip"' in service.bodies[0]
    assert told[-1][0] == told[-1][1] == len(service.bodies[0])
    with pytest.raises(UsageError):
        service.client().upload("p", "d", "v1", tmp_path / "none.zip")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a.zip"', "a.zip"),
        ("attachment; filename=a.zip", "a.zip"),
        ('attachment; filename="../../.bashrc"', "bashrc"),
        ('attachment; filename="..\\\\..\\\\evil.zip"', "evil.zip"),
        ('attachment; filename="/etc/passwd"', "passwd"),
        ('attachment; filename="-rf.zip"', "rf.zip"),
        ('attachment; filename="a\x00b.zip"', "a_b.zip"),
        ('attachment; filename="..."', "deployment.zip"),
        ("", "d.zip"),
        ("attachment; filename*=UTF-8''x", "d.zip"),
    ],
)
def test_download_stays_in_its_folder(header: str, name: str, tmp_path: Path) -> None:
    assert file_name(header, "d.zip") == name
    headers = {"Content-Disposition": header} if "\x00" not in header else {}
    service = Service(answer(200, content=b"zip", headers=headers))
    path = service.client().download("p", "d", "v1", "r", tmp_path / "out")
    assert path.parent == tmp_path / "out"
    assert path.read_bytes() == b"zip"
    assert [each.name for each in (tmp_path / "out").iterdir()] == [path.name]


def test_download_never_writes_over_a_file(tmp_path: Path) -> None:
    names = {save_stream([b"1"], tmp_path, "a.zip").name for _ in range(3)}
    assert names == {"a.zip", "a-1.zip", "a-2.zip"}

    def broken() -> Any:
        yield b"half"
        raise OSError("cut")

    with pytest.raises(OSError, match="cut"):
        save_stream(broken(), tmp_path, "b.zip")
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, NotSignedInError), (404, NotFoundError), (409, ConflictError), (500, ServiceError)],
)
def test_errors_in_the_services_words(status: int, kind: type[Exception]) -> None:
    service = Service(answer(status, {"error": "Deployment was not found"}))
    with pytest.raises(kind, match="Deployment was not found"):
        service.client().create_deployment("p", "d")


def test_rate_limit_is_waited_out_within_bounds() -> None:
    busy = {"x-ratelimit-reset": "2"}
    service = Service(answer(429, {"error": "slow"}, headers=busy), answer(201, DEPLOYMENT))
    service.client().create_deployment("p", "d")
    assert sum(service.slept) >= 2
    service = Service(answer(429, {"error": "slow"}, headers={"x-ratelimit-reset": "86400"}))
    with pytest.raises(RateLimitError):
        service.client().create_deployment("p", "d")
    assert service.slept == []


def test_a_page_of_html_is_no_ubiops() -> None:
    service = Service(answer(200, content=b"<html>"))
    with pytest.raises(ServiceError):
        service.client().deployments("p")


@pytest.mark.parametrize(
    ("server", "base"),
    [
        ("https://x.io", "https://x.io/v2.1"),
        ("https://x.io/", "https://x.io/v2.1"),
        ("https://x.io/v2", "https://x.io/v2"),
        ("https://x.io/v2.1/", "https://x.io/v2.1"),
    ],
)
def test_address_has_a_version(server: str, base: str) -> None:
    assert address(server) == base


def test_tokens_and_secrets_are_never_shown() -> None:
    client = UbiopsClient("https://x.io", "Token hush")
    shown = [repr(client), repr(TokenAuth("hush")), str(vars(TokenAuth)), repr(client._session)]
    assert "hush" not in "".join(shown)
    assert "sesame" not in repr(Variable("1", "A", False, "sesame"))
    for token in ("", "two words", "Token Token x", "50%"):
        with pytest.raises(UsageError):
            TokenAuth(token)
