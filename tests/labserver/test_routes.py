"""The panel's routes: what they answer, what they call, and that none is open to strangers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from deploy_magics import credentials
from deploy_magics.actions import overview
from deploy_magics.errors import (
    ConflictError,
    NotSignedInError,
    RejectedError,
    UnreachableError,
)
from deploy_magics.labserver.routes import ROUTES
from deploy_magics.platforms import ubiops_types

PREFIX = "deploy-magics"
ACCOUNT = {"account": "blankly https://deploy.example"}
STEPS = [
    ("versions/v1/run", ("run_version", "v1"), {"id": "r9", "state": "queued"}),
    ("versions/v1/rollback", ("rollback", "v1"), {"id": "v3"}),
    ("runs/r2/stop", ("stop", "r2"), None),
    ("runs/r2/start", ("start", "r2"), None),
]


async def get(jp_fetch: Any, *path: str, **query: str) -> Any:
    return json.loads((await jp_fetch(PREFIX, *path, params=query)).body)


async def post(jp_fetch: Any, path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
    answer = await jp_fetch(
        PREFIX, *path.split("/"), method="POST", body=json.dumps(body or {}), params=query
    )
    return json.loads(answer.body)


async def test_the_overview_is_the_tree_with_runs_below_their_version(
    jp_fetch: Any, platform: Any
) -> None:
    answer = await get(jp_fetch, "overview")
    account = answer["accounts"][0]
    assert account["state"] == "online"
    assert account["user"] == "me"
    model = account["projects"][0]["models"][0]
    assert [version["number"] for version in model["versions"]] == [2, 1]
    newest = model["versions"][0]["runs"][0]
    assert (newest["id"], newest["progress"], newest["startedAt"]) == ("r2", 0.25, 202.0)
    assert model["versions"][1]["runs"][0]["state"] == "failed"
    assert [version["steps"] for version in model["versions"]] == [["stop"], ["run", "rollback"]]
    assert (newest["steps"], newest["restarts"], newest["real"]) == (["logs", "stop"], 2, True)
    assert answer["local"] == []


async def test_an_unchanged_overview_is_not_sent_again(jp_fetch: Any, platform: Any) -> None:
    first = await get(jp_fetch, "overview")
    assert await get(jp_fetch, "overview") == first
    assert platform.calls == [("overview", ""), ("overview", "etag-1")]


async def test_a_server_that_is_gone_is_offline_with_what_it_said_last(
    jp_fetch: Any, platform: Any
) -> None:
    before = await get(jp_fetch, "overview")
    platform.failure = UnreachableError("Nobody answers.")
    account = (await get(jp_fetch, "overview"))["accounts"][0]
    assert (account["state"], account["error"]) == ("offline", "Nobody answers.")
    assert account["projects"] == before["accounts"][0]["projects"]
    platform.failure = None
    assert await get(jp_fetch, "overview") == before


async def test_a_refused_token_shows_nothing_of_before(jp_fetch: Any, platform: Any) -> None:
    await get(jp_fetch, "overview")
    platform.failure = NotSignedInError("It is revoked.")
    account = (await get(jp_fetch, "overview"))["accounts"][0]
    assert (account["state"], account["projects"]) == ("signed-out", [])


async def test_nobody_is_signed_in_at_first(jp_fetch: Any, home: Any) -> None:
    assert await get(jp_fetch, "overview") == {"accounts": [], "local": []}


@pytest.mark.parametrize(("path", "call", "expected"), STEPS, ids=[step[0] for step in STEPS])
async def test_each_step_calls_the_platform(
    jp_fetch: Any, platform: Any, path: str, call: tuple[Any, ...], expected: dict[str, Any] | None
) -> None:
    answer = await post(jp_fetch, path, **ACCOUNT)
    assert platform.calls == [call]
    assert answer is None if expected is None else expected.items() <= answer.items()


async def test_a_project_is_created(jp_fetch: Any, platform: Any) -> None:
    body = {"name": "Mine", "description": "All of them"}
    assert await post(jp_fetch, "projects", body, **ACCOUNT) == {"id": "p9"}
    assert platform.calls == [("create_project", "Mine", "All of them")]


async def test_logs_go_on_where_they_ended(jp_fetch: Any, platform: Any) -> None:
    query = {**ACCOUNT, "offset": "7", "wait": "1000"}
    answer = await get(jp_fetch, "runs", "r2", "logs", **query)
    assert answer == {"text": "bought\n", "offset": 14, "state": "running"}
    assert platform.calls == [("logs", "r2", 7, 5.0)]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ConflictError("It has ended."), 409),
        (UnreachableError("Nobody answers."), 502),
        (RejectedError("No."), 400),
        (NotSignedInError("It is revoked."), 403),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_errors_are_one_line_of_json(
    jp_fetch: Any, platform: Any, failure: Exception, status: int
) -> None:
    platform.failure = failure
    with pytest.raises(HTTPClientError) as caught:
        await post(jp_fetch, "runs/r2/stop", **ACCOUNT)
    assert caught.value.code == status
    assert json.loads(caught.value.response.body) == {"error": str(failure)}


async def test_an_account_that_nobody_has_is_not_found(jp_fetch: Any, platform: Any) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await post(jp_fetch, "runs/r2/stop", account="blankly https://elsewhere.example")
    assert caught.value.code == 404
    assert platform.calls == []


async def test_signing_out_forgets_the_token(jp_fetch: Any, platform: Any) -> None:
    from deploy_magics import credentials

    credentials.save("ubiops", "https://ubi.example", "me", "secret")
    query = {"account": "ubiops https://ubi.example"}
    await jp_fetch(PREFIX, "accounts", method="DELETE", params=query)
    assert credentials.load("ubiops", "https://ubi.example") is None


class Ubiops:
    """In place of UbiopsClient: a deployment with two versions, the first with two revisions."""

    calls: list[tuple[Any, ...]] = []

    def __init__(self, server: str, token: str) -> None:
        assert (server, token) == ("https://ubi.example", "Token secret")

    def projects(self) -> list[Any]:
        return [ubiops_types.Project("demo")]

    def deployments(self, project: str) -> list[Any]:
        self.calls.append(("deployments", project))
        return [ubiops_types.Deployment("d1", "rsi", project)]

    def versions(self, project: str, name: str) -> list[Any]:
        first = self.version(project, name, "v1")
        return [first, ubiops_types.Version("2", name, "v2", "unavailable", default=True)]

    def version(self, project: str, name: str, version: str) -> Any:
        return ubiops_types.Version("1", name, version, "available", active_revision="aaaa")

    def revisions(self, *place: str) -> list[Any]:
        failed = {"status": "failed", "error_message": "No module", "creation_date": "2026-01-02"}
        first = {"status": "success", "creation_date": "2026-01-01"}
        return [
            ubiops_types.Revision("aaaa", "v1", **first),
            ubiops_types.Revision("bbbb", "v1", **failed),
        ]

    def rebuild(self, *place: str) -> None:
        self.calls.append(("rebuild", *place))

    def update_deployment(self, *place: str, **fields: str) -> None:
        self.calls.append(("update", *place, fields))

    def audit(self, project: str, deployment: str) -> list[Any]:
        newest = ubiops_types.AuditEvent("2", "update", "A build failed", "d2", "me")
        return [newest, ubiops_types.AuditEvent("1", "create", "It was made", "d1", "me")]


@pytest.fixture
def ubiops(home: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Signed in to UbiOps; the account, as a query."""
    Ubiops.calls = []
    monkeypatch.setattr(overview, "UbiopsClient", Ubiops)
    credentials.save("ubiops", "https://ubi.example", "me@ubi.example", "Token secret")
    return {"account": "ubiops https://ubi.example"}


async def test_a_ubiops_account_is_shown_with_what_it_can_do(
    jp_fetch: Any, ubiops: dict[str, str]
) -> None:
    account = (await get(jp_fetch, "overview"))["accounts"][0]
    assert (account["id"], account["state"], account["steps"]) == (ubiops["account"], "online", [])
    second, first = account["projects"][0]["models"][0]["versions"]
    assert (first["name"], first["state"], first["status"]) == ("v1", "succeeded", "available")
    assert first["steps"] == ["revisions", "activity", "make-default"]
    assert (second["default"], second["steps"]) == (True, ["revisions", "activity"])
    newest, oldest = await get(jp_fetch, "versions", first["id"], "revisions", **ubiops)
    assert (newest["error"], newest["steps"]) == ("No module", ["activate"])
    assert (oldest["serves"], oldest["steps"]) == (True, [])


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("versions/demo:rsi:v1:bbbb/activate", ("rebuild", "demo", "rsi", "v1", "bbbb")),
        ("versions/demo:rsi:v1/make-default", ("update", "demo", "rsi", {"default_version": "v1"})),
    ],
)
async def test_a_ubiops_step_is_seen_at_once(
    jp_fetch: Any, ubiops: dict[str, str], path: str, call: tuple[Any, ...]
) -> None:
    await get(jp_fetch, "overview")
    await get(jp_fetch, "overview")  # soon after, nobody is asked again
    assert Ubiops.calls == [("deployments", "demo")]
    await post(jp_fetch, path, **ubiops)
    await get(jp_fetch, "overview")
    assert Ubiops.calls[1:] == [call, ("deployments", "demo")]


async def test_the_activity_is_read_as_a_log(jp_fetch: Any, ubiops: dict[str, str]) -> None:
    first = await get(jp_fetch, "versions", "demo:rsi:v1", "activity", **ubiops)
    assert first["text"] == "d1  me  It was made\nd2  me  A build failed\n"
    rest = {**ubiops, "offset": str(first["offset"])}
    assert (await get(jp_fetch, "versions", "demo:rsi:v1", "activity", **rest))["text"] == ""


async def test_what_a_platform_has_not_is_refused(jp_fetch: Any, ubiops: dict[str, str]) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await post(jp_fetch, "versions/v1/run", **ubiops)
    assert caught.value.code == 400


async def test_a_platform_that_nobody_knows_is_refused(jp_fetch: Any, home: Any) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await post(jp_fetch, "accounts", {"platform": "else", "token": "x"})
    assert caught.value.code == 400


@pytest.mark.parametrize("action", ["backtest", "deploy"])
async def test_dialogs_offer_the_options_of_the_magics(jp_fetch: Any, action: str) -> None:
    offered = await get(jp_fetch, "options", action)
    options = {option["name"]: option for option in offered["options"]}
    assert offered["summary"]
    assert options["data"]["shape"] == "pairs"
    assert options["include"]["shape"] == "many"
    assert options["plan"]["flag"] == "--plan"
    assert all(option["help"] for option in options.values())
    assert "cell" not in options


async def test_there_is_no_dialog_for_anything_else(jp_fetch: Any) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await get(jp_fetch, "options", "login")
    assert caught.value.code == 404


def test_no_route_is_open_to_strangers() -> None:
    """Tornado's ``authenticated`` wraps each verb that a route has."""
    for path, handler in ROUTES:
        verbs = [name for name in ("get", "post", "delete") if name in vars(handler)]
        assert verbs, path
        for verb in verbs:
            assert hasattr(vars(handler)[verb], "__wrapped__"), f"{verb} {path}"


async def test_a_request_without_a_token_is_refused(
    jp_serverapp: Any, jp_web_app: Any, http_server_client: Any, jp_base_url: str
) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await http_server_client.fetch(f"{jp_base_url}{PREFIX}/overview", follow_redirects=False)
    assert caught.value.code in (302, 401, 403)
