"""Every route of every dialect: nothing without a token, nothing of another account.

The routes are taken from the application itself, so a new one is held to this at once.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal

# what anybody may call, and why
PUBLIC = {
    "/health": "is it there",
    "/openapi.json": "the documentation",
    "/docs": "the documentation",
    "/docs/oauth2-redirect": "the documentation",
    "/redoc": "the documentation",
    "/auth/signin": "the sign-in page",
    "/auth/setup": "the owner's first visit, by a one-time code",
    "/auth/token": "takes the refresh token itself",
    "/auth/exchange": "takes a one-time code",
    "/status": "UbiOps: is it there",
    "/v2/status": "UbiOps: is it there",
    "/v2.1/status": "UbiOps: is it there",
    "/oauth/sign-in": "UbiOps: how to sign in",
    "/authorize": "UbiOps: signs in with a password",
    "/v2/oauth/sign-in": "UbiOps: how to sign in",
    "/v2.1/oauth/sign-in": "UbiOps: how to sign in",
    "/v2/authorize": "UbiOps: signs in with a password",
    "/v2.1/authorize": "UbiOps: signs in with a password",
    "/bots/{run_id}/api/v1/ping": "freqtrade: is it there",
}
# published for others by its owner; the service's own rules decide (tests/server/signals)
SHARED = {"/api/v1/subscriptions/{kind}/{publisher}/{number}"}
# takes a token of its own kind, which is made after the check of the run
BY_OWN_TOKEN = {"/bots/{run_id}/api/v1/token/refresh"}
# parts of an address that name somebody's thing
OWNED = (
    *("project_id", "model_id", "version_id", "run_id", "token_id", "sha256"),
    *("project_name", "deployment_name", "version", "id"),
    *("revision_id", "build_id", "request_id"),
)
# what is named in the body or the query instead
BY_BODY = [
    ("POST", "/model/list", {"projectId": "project_id"}),
    ("POST", "/model/details", {"projectId": "project_id", "modelId": "model_id"}),
    ("POST", "/model/details", {"modelId": "model_id"}),
    ("POST", "/model/create-model", {"projectId": "project_id", "name": "=mine"}),
    ("POST", "/model/deploy", {"projectId": "project_id", "name": "=mine", "sha256": "sha256"}),
    ("POST", "/model/deploy", {"modelId": "model_id", "sha256": "sha256"}),
    ("POST", "/model/backtest", {"modelId": "model_id", "sha256": "sha256"}),
    ("POST", "/model/backtestUploadedModel", {"modelId": "model_id", "versionId": "version_id"}),
    ("POST", "/project/generate-project-token", {"projectId": "project_id", "name": "=x"}),
    ("PUT", "/variables", {"projectId": "project_id", "name": "=A", "value": "=1"}),
    ("PUT", "/variables", {"modelId": "model_id", "name": "=A", "value": "=1"}),
    ("PUT", "/variables", {"versionId": "version_id", "name": "=A", "value": "=1"}),
    ("DELETE", "/variables", {"modelId": "model_id", "name": "=KEY"}),
]
BY_QUERY = [
    ("/variables", {"projectId": "project_id"}),
    ("/variables", {"modelId": "model_id"}),
    ("/variables", {"versionId": "version_id"}),
]


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path; a websocket has the method "WS"."""
    for route in iter_route_contexts(app.routes):
        for method in sorted(getattr(route, "methods", None) or {"WS"}):
            if method != "HEAD":
                yield method, str(route.path)


@pytest.fixture
def things(services: Services, ann: Principal, me: Any, deployed: dict[str, Any]) -> dict[str, str]:
    """Ids and names of everything that Ann has."""
    project = services.projects.create(ann, "anns-project")
    model = services.models.create(ann, project.id, "anns-deployment")
    version = services.versions.create(ann, model.id, name="v1")
    revision = services.versions.add_revision(ann, version.id, None)
    sha256 = me.get(f"/version/{deployed['versionId']}")["sha256"]
    scope = services.variables.scope(ann, version_id=version.id)
    variable = services.variables.create(ann, scope, "KEY", "secret", secret=True)
    request = services.runs.create(
        ann, "request", services.versions.get(ann, version.id), revision_id=revision.id
    )
    return {
        "project_id": deployed["projectId"],
        "model_id": deployed["modelId"],
        "version_id": deployed["versionId"],
        "run_id": deployed["runId"],
        "token_id": services.tokens.list(ann)[0].id,
        "sha256": sha256,
        "project_name": project.name,
        "deployment_name": model.name,
        "version": version.name,
        "id": variable.id,
        "revision_id": revision.id,
        "build_id": revision.id,
        "request_id": request.id,
    }


def filled(path: str, things: dict[str, str]) -> str:
    values = {"number": "1", "kind": "resource", "publisher": "x", "environment_name": "x"}
    for name, value in {**values, "tag": "x", "name": "rsi", **things}.items():
        path = path.replace("{" + name + "}", value)
    return path.replace("{", "").replace("}", "")


def headers_for(path: str, person: Any) -> dict[str, str]:
    """How a person signs in, by the dialect of the path."""
    if path.startswith(("/v2", "/status", "/user")):
        return {"Authorization": f"Token {person.token}"}
    if path.startswith("/api/v1"):
        token = person.get("/auth/me")["token"]["id"]
        return {"API-KEY": token, "API-SECRET": person.token}
    if path.startswith("/bots/"):
        word = base64.b64encode(f"{person.who.name}:{person.token}".encode()).decode()
        return {"Authorization": f"Basic {word}"}
    return dict(person.headers)


def test_nothing_without_a_token(app: FastAPI, client: TestClient, things: dict[str, str]) -> None:
    open_doors = []
    for method, path in routes(app):
        if path in PUBLIC:
            continue
        if method == "WS":
            with pytest.raises(WebSocketDisconnect), client.websocket_connect(filled(path, things)):
                pass
            continue
        answer = client.request(method, filled(path, things), json={})
        if answer.status_code != 401:
            open_doors.append((method, path, answer.status_code))
    assert open_doors == []


def test_nothing_of_another_account(
    app: FastAPI, client: TestClient, things: dict[str, str], other: Any
) -> None:
    leaks = []
    for method, path in routes(app):
        if path in PUBLIC or path in SHARED or path in BY_OWN_TOKEN or method == "WS":
            continue
        if not any("{" + name + "}" in path for name in OWNED):
            continue
        body: dict[str, Any] = {"json": [{}] if path.endswith("/batch") else {"name": "x"}}
        if method == "POST" and path.endswith("/revisions"):
            body = {"files": {"file": ("model.zip", b"", "application/zip")}}
        answer = client.request(
            method, filled(path, things), headers=headers_for(path, other), **body
        )
        if answer.status_code != 404:
            leaks.append((method, path, answer.status_code, answer.text[:100]))
    assert leaks == []


def test_nothing_of_another_account_by_body_or_query(
    client: TestClient, things: dict[str, str], other: Any
) -> None:
    def value(name: str) -> str:
        return name[1:] if name.startswith("=") else things[name]

    answers = [
        (
            method,
            path,
            names,
            other.call(method, path, json={k: value(v) for k, v in names.items()}),
        )
        for method, path, names in BY_BODY
    ]
    answers += [
        (
            "GET",
            path,
            names,
            other.call("GET", path, params={k: value(v) for k, v in names.items()}),
        )
        for path, names in BY_QUERY
    ]
    wrong = [(m, p, n, a.status_code, a.text) for m, p, n, a in answers if a.status_code != 404]
    assert wrong == []


def test_lists_hold_ones_own_only(other: Any, things: dict[str, str], app: FastAPI) -> None:
    seen = []
    for method, path in routes(app):
        if method == "GET" and "{" not in path and path not in PUBLIC:
            answer = other.client.get(path, headers=headers_for(path, other))
            seen += [(path, name) for name, value in things.items() if value in answer.text]
    # "v1" is a name that many things have
    assert [each for each in seen if each[1] != "version"] == []


def test_filters_open_no_door(other: Any, things: dict[str, str]) -> None:
    names = {"projectId": "project_id", "modelId": "model_id", "versionId": "version_id"}
    for field, name in names.items():
        assert other.get("/runs", params={field: things[name]}) == []


def test_what_belongs_elsewhere_is_not_found(
    services: Services, me: Any, ann: Principal, deployed: dict[str, Any]
) -> None:
    """One's own things, but under another parent: the whole chain is checked."""
    project = services.projects.create(ann, "another")
    model = services.models.create(ann, project.id, "another")
    wrong = [
        ("/model/details", {"projectId": project.id, "modelId": deployed["modelId"]}),
        (
            "/model/backtestUploadedModel",
            {"modelId": model.id, "versionId": deployed["versionId"], "backtestArgs": {}},
        ),
    ]
    for path, body in wrong:
        assert me.call("POST", path, json=body).status_code == 404
    both = {"projectId": project.id, "modelId": deployed["modelId"]}
    assert me.call("GET", "/variables", params=both).status_code == 404


def test_other_methods_open_no_door(client: TestClient, things: dict[str, str]) -> None:
    paths = ("/overview", f"/run/{things['run_id']}", f"/version/{things['version_id']}/package")
    for method, path in itertools.product(("HEAD", "OPTIONS", "PATCH", "PUT", "TRACE"), paths):
        answer = client.request(method, path, headers={"X-HTTP-Method-Override": "GET"})
        assert answer.status_code in (401, 405), (method, path)


def test_scopes_hold(
    services: Services, ann: Principal, sign_in: Callable[..., Any], deployed: dict[str, Any]
) -> None:
    reader = sign_in(ann, scopes=["read"])
    reader.get("/overview")
    run, model = deployed["runId"], deployed["modelId"]
    for method, path in [
        ("POST", "/project/create"),
        ("POST", "/model/deploy"),
        ("POST", "/model/backtest"),
        ("POST", f"/run/{run}/stop"),
        ("POST", f"/run/{run}/start"),
        ("POST", f"/version/{deployed['versionId']}/rollback"),
        ("DELETE", f"/model/{model}"),
        ("PUT", "/variables"),
    ]:
        answer = reader.call(method, path, json={"name": "x", "modelId": model})
        assert answer.status_code == 403, (method, path, answer.text)
    paper = sign_in(ann, scopes=["read", "deploy"])
    answer = paper.call("POST", f"/version/{deployed['versionId']}/run", json={"live": "true"})
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("This token may not trade.")
