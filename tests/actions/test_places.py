"""Names to things, and where we are signed in, over a service that is a function."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy_magics import credentials
from deploy_magics.actions import embedded, names, session
from deploy_magics.actions.deployment import Deployment, feed_text, progress_lines
from deploy_magics.actions.find import (
    find_model,
    find_project,
    find_run,
    find_version,
    known_model,
)
from deploy_magics.actions.session import Place
from deploy_magics.actions.workspace import current
from deploy_magics.errors import NotFoundError, NotSignedInError, UsageError
from deploy_magics.platforms.blankly import BlanklyClient
from deploy_magics.platforms.blankly_types import Run
from deploy_magics.platforms.session import answer

PROJECTS = {"p1": "Personal", "p2": "RSI Models"}
MODELS = {
    "p1": [("m1", "Trend")],
    "p2": [("m2", "RSI Model"), ("m3", "Trend")],
}
RUNS = [
    {"id": "r3", "kind": "live", "state": "cancelled", "modelId": "m2", "version": 2},
    {"id": "r2", "kind": "live", "state": "running", "modelId": "m2", "version": 1},
]


def service(request: requests.PreparedRequest) -> requests.Response:
    path = str(request.path_url).split("?")[0]
    if path == "/auth/token":
        return answer(json={"idToken": "i", "data": {"user_id": "p1"}})
    if path == "/project/list":
        return answer(json=[{"projectId": key, "name": name} for key, name in PROJECTS.items()])
    if path == "/model/list":
        project = str(request.body).split("projectId=")[1]
        return answer(json=[{"id": key, "name": name} for key, name in MODELS[project]])
    if path == "/model/m2/versions":
        return answer(json=[{"versionId": f"v{n}", "version": n} for n in (2, 1)])
    if path == "/runs":
        return answer(json=RUNS)
    if path == "/run/r2":
        return answer(json=RUNS[1])
    return answer(404, {"error": "no such page"})


@pytest.fixture
def client() -> BlanklyClient:
    return BlanklyClient("http://there.test", "t", transport=service, patience=0)


@pytest.mark.parametrize("named", ["RSI Models", "rsi models", "p2"])
def test_a_project_by_name_or_id(client: BlanklyClient, named: str) -> None:
    assert find_project(client, named).id == "p2"
    assert find_project(client, None).id == "p2"  # the one used last


def test_the_personal_project_is_the_first(client: BlanklyClient) -> None:
    assert find_project(client, None).name == "Personal"


def test_a_name_that_is_nearly_right(client: BlanklyClient) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'RSI Models'"):
        find_project(client, "RSI Modles")
    with pytest.raises(NotFoundError, match="Did you mean 'RSI Model'"):
        find_model(client, "RSI Modell")
    with pytest.raises(NotFoundError, match="lists them"):
        find_model(client, "zzz")


def test_a_name_that_stands_for_two(client: BlanklyClient) -> None:
    with pytest.raises(UsageError, match="--project"):
        find_model(client, "Trend")
    assert find_model(client, "Trend", "RSI Models").id == "m3"
    with pytest.raises(UsageError, match="--project"):
        known_model(client, "Trend", None)
    assert known_model(client, "Trend", "Personal").id == "m1"  # type: ignore[union-attr]
    assert known_model(client, "New", None) is None


def test_the_model_that_was_used_last(client: BlanklyClient) -> None:
    with pytest.raises(UsageError, match="There are RSI Model, Trend"):
        find_model(client, None)
    find_model(client, "RSI Model")
    assert find_model(client, None).id == "m2"


@pytest.mark.parametrize(("named", "number"), [("1", 1), ("v2", 2), ("V1", 1), (None, 2)])
def test_a_version(client: BlanklyClient, named: str | None, number: int) -> None:
    model = find_model(client, "RSI Model")
    assert find_version(client, model, named).number == number


def test_a_version_that_is_not(client: BlanklyClient) -> None:
    with pytest.raises(NotFoundError, match="There are 1 to 2"):
        find_version(client, find_model(client, "RSI Model"), "7")


def test_the_run_that_is_meant(client: BlanklyClient) -> None:
    assert find_run(client, "RSI Model").id == "r2"  # the one that runs
    assert find_run(client, None, run="r2").id == "r2"


def test_where_the_user_signed_in_last() -> None:
    with pytest.raises(NotSignedInError, match="Say %deploy_login"):
        session.client()
    credentials.save("blankly", "http://there.test", "me", "dm_t")
    session.choose(Place("blankly", "http://there.test"))
    first = session.client()
    assert first.base_url == "http://there.test" and session.client() is first
    assert session.address() == ("http://there.test", "dm_t")
    session.choose(Place("blankly", "http://other.test"))
    with pytest.raises(NotSignedInError, match=r"Say %deploy_login --server http://other\.test"):
        session.client()
    session.forget_choice()
    with pytest.raises(NotSignedInError):
        session.chosen()


def test_the_choice_is_kept_without_the_token(fresh: Path) -> None:
    session.choose(Place("blankly", "http://there.test"))
    kept = fresh.parent / "home" / "place.json"
    assert json.loads(kept.read_text()) == {"platform": "blankly", "server": "http://there.test"}
    assert current().client is None


@pytest.mark.parametrize(
    ("feed", "text"),
    [
        ({"kind": "replay", "pace": 0}, "as fast as it goes"),
        ({"kind": "replay", "pace": "real"}, "in real time"),
        ({"kind": "replay", "pace": 10}, "10 bars a second"),
        ({"kind": "ccxt", "exchange": "kraken"}, "live prices of kraken"),
        ({"kind": "exchange"}, "real orders"),
        ({}, ""),
    ],
)
def test_what_a_run_runs_on(feed: dict[str, Any], text: str) -> None:
    assert text in feed_text(feed)


def test_a_deployment_is_worth_printing() -> None:
    run = Run(
        "r1",
        state="failed",
        attempts=3,
        error="<b>no luck</b>",
        feed={"kind": "exchange"},
        progress={"done": 1200, "total": 5000, "time": 1.5e9, "equity": 10123.456},
    )
    shown = Deployment("RSI Model", 3, "Personal", "http://there.test", run, note="Noted.")
    text, page = repr(shown), shown._repr_html_()
    for said in ("RSI Model v3", "failed", "1,200 of 5,000", "10,123.46", "2017-07-14", "Noted."):
        assert said in text and said in page
    assert "&lt;b&gt;no luck" in page and "attempts" in text
    assert progress_lines({}) == []


def test_tab_starts_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_start", lambda: pytest.fail("started"))
    session.choose(Place("blankly", session.EMBEDDED))
    with pytest.raises(NotSignedInError, match="does not run"):
        names.names_of("model")
