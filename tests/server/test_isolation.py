"""Every route of every dialect: nothing without a token, nothing of another account.

The routes are taken from the application itself, so a new one is held to this at once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
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
    "/docs-files": "the documentation's script and style",
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
# parts of an address that name nobody's thing: ours, or one inside of an owned thing
FREE = ("environment_name", "tag", "name", "trade_id", "kind", "number", "publisher")
# addresses without anybody's name, which act on the caller's own account or by the body (below)
OF_THE_CALLER = {
    *(f"{place}{path}" for place in ("", "/v2", "/v2.1") for path in ("/user",)),
    *(f"{place}{path}" for place in ("/v2", "/v2.1") for path in ("/projects",)),
    *("/v2/template-deployments", "/v2.1/template-deployments"),
    *("/api/v1/me", "/api/v1/upload_resource", "/api/v1/create_trading_signal"),
    *("/api/v1/resources/{number}", "/api/v1/channels/{kind}"),
    *("/api/v1/resources", "/api/v1/signals"),
    *("/auth/me", "/auth/tokens", "/auth/signout"),
    *("/project/list", "/project/create", "/project/plans", "/project/teams"),
    *("/project/generate-project-token", "/overview", "/runs", "/variables"),
    *("/model/starter-models", "/model/starter-models/{name}", "/model/deploy", "/model/backtest"),
    *("/model/backtestUploadedModel", "/model/create-model", "/model/list", "/model/status"),
    "/model/details",
}
# what reads although it is a POST, and what ends the caller's own token
OF_THE_ACCOUNT = {"/package/{sha256}"}  # the account has sent these bytes, whatever for
READS = {
    *("/model/list", "/model/details", "/project/plans", "/auth/signout"),
    "/api/v1/subscriptions/{kind}/{publisher}/{number}",
    *("/auth/tokens/{token_id}", "/bots/{run_id}/api/v1/token/login"),
}
BODIES = {
    "/api/v1/upload_resource": {"resource_id": 1, "resource_dict": {"a": 1}},
    "/api/v1/create_trading_signal": {
        "algorithm_id": 1,
        "ticker_symbol": "AAPL",
        "portfolio_ratio_investment": 0.5,
        "order_type": "market",
        "side": "buy",
        "time_in_force": "day",
    },
}
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
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


def body_for(method: str, path: str) -> dict[str, Any]:
    """A body that comes as far as the question whose it is."""
    if method == "POST" and path.endswith("/revisions"):
        return {"files": {"file": ("model.zip", b"", "application/zip")}}
    return {"json": BODIES.get(path, [{}] if path.endswith("/batch") else {"name": "x"})}


def test_every_route_is_listed_here(walk: Any) -> None:
    """A new one has to be put into one of the lists above before this passes."""
    unlisted = []
    for method, path in walk.routes():
        names = re.findall(r"{(\w+)}", path)
        owned = any(name in OWNED for name in names)
        known = path in PUBLIC or path in SHARED or owned != (path in OF_THE_CALLER)
        if not known or set(names) - {*OWNED, *FREE}:
            unlisted.append((method, path))
    assert unlisted == []
    gone = {*PUBLIC, *SHARED, *BY_OWN_TOKEN, *OF_THE_CALLER, *READS} - {p for _, p in walk.routes()}
    assert gone == set()


def test_nothing_without_a_token(walk: Any, client: TestClient, things: dict[str, str]) -> None:
    open_doors = []
    for method, path in walk.routes():
        if path in PUBLIC:
            continue
        place = walk.filled(path, things)
        if method == "WS":
            with pytest.raises(WebSocketDisconnect), client.websocket_connect(place):
                pass
            continue
        answer = client.request(method, place, json={})
        if answer.status_code != 401:
            open_doors.append((method, path, answer.status_code))
    assert open_doors == []


def test_nothing_of_another_account(
    walk: Any, client: TestClient, things: dict[str, str], other: Any
) -> None:
    leaks = []
    for method, path in walk.routes():
        if path in PUBLIC or path in SHARED or path in BY_OWN_TOKEN or path in OF_THE_CALLER:
            continue
        place, headers = walk.filled(path, things), walk.headers(path, other)
        if method == "WS":
            with (
                pytest.raises(WebSocketDisconnect),
                client.websocket_connect(place, headers=headers),
            ):
                pass
            continue
        answer = client.request(method, place, headers=headers, **body_for(method, path))
        if answer.status_code != 404:
            leaks.append((method, path, answer.status_code, answer.text[:100]))
    assert leaks == []


def test_no_verb_and_no_websocket_opens_another_accounts_thing(
    walk: Any, client: TestClient, things: dict[str, str], other: Any
) -> None:
    """Also verbs that no route has, also as an upgrade: whatever is not refused has not looked."""
    leaks = []
    for path in sorted({path for _, path in walk.routes()} - PUBLIC.keys() - OF_THE_CALLER):
        if path in SHARED or path in BY_OWN_TOKEN:
            continue
        place, headers = walk.filled(path, things), walk.headers(path, other)
        for verb in VERBS:
            answer = client.request(
                verb, place, headers={**headers, "X-HTTP-Method-Override": "GET"}
            )
            if answer.status_code not in (400, 404, 405, 415, 422):
                leaks.append((verb, path, answer.status_code))
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(place, headers=headers):
            leaks.append(("WS", path, 101))
    assert leaks == []


def test_a_token_of_one_project_opens_no_other_of_the_same_account(
    walk: Any,
    client: TestClient,
    things: dict[str, str],
    services: Services,
    ann: Principal,
    sign_in: Callable[..., Any],
) -> None:
    project = services.projects.create(ann, "elsewhere")
    narrow = sign_in(ann, project_id=project.id)
    leaks = []
    for method, path in walk.routes():
        if path in PUBLIC or path in SHARED or path in BY_OWN_TOKEN or path in OF_THE_CALLER:
            continue
        if path in OF_THE_ACCOUNT or method == "WS":
            continue
        answer = client.request(
            method,
            walk.filled(path, things),
            headers=walk.headers(path, narrow),
            **body_for(method, path),
        )
        if answer.status_code != 404:
            leaks.append((method, path, answer.status_code, answer.text[:100]))
    assert leaks == []


def test_a_token_that_reads_changes_nothing(
    walk: Any, client: TestClient, things: dict[str, str], ann: Principal, sign_in: Any
) -> None:
    reader = sign_in(ann, scopes=["read"])
    allowed = []
    for method, path in walk.routes():
        if method in ("GET", "WS", "FILES") or path in PUBLIC or path in READS:
            continue
        if path in BY_OWN_TOKEN:
            continue
        answer = client.request(
            method,
            walk.filled(path, things),
            headers=walk.headers(path, reader),
            **body_for(method, path),
        )
        if answer.status_code != 403:
            allowed.append((method, path, answer.status_code, answer.text[:100]))
    assert allowed == []


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


def test_lists_hold_ones_own_only(other: Any, things: dict[str, str], walk: Any) -> None:
    seen = []
    for method, path in walk.routes():
        if method == "GET" and "{" not in path and path not in PUBLIC:
            answer = other.client.get(path, headers=walk.headers(path, other))
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
