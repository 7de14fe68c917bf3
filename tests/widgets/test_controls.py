"""The widgets made of stock controls: what they show, and that their buttons are wired."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from deploy_magics.actions import ubiops_browse
from deploy_magics.actions.deployment import Deployment
from deploy_magics.actions.login import SignedIn
from deploy_magics.actions.projects import projects
from deploy_magics.errors import NotSignedInError
from deploy_magics.platforms import ubiops_types
from deploy_magics.platforms.blankly_types import Project, Run
from deploy_magics.widgets import login as login_module
from deploy_magics.widgets.login import LoginWidget
from deploy_magics.widgets.projects import ProjectsWidget
from deploy_magics.widgets.result import Static
from deploy_magics.widgets.run import RunWidget, deployment_widget

RUN = Run("r1", "live", "running", progress={"done": 3, "total": 4}, version=2)
PATIENCE = 60


def test_a_run_is_followed_to_its_end(platform: Any) -> None:
    platform.runs["r1"] = replace(RUN, state="succeeded")
    platform.log = "bought <b>1</b>\n"
    widget = RunWidget("RSI Model v2", "r1", lambda: platform)
    widget.join(PATIENCE)
    assert "bought &lt;b&gt;1&lt;/b&gt;" in widget.printed.value
    assert "succeeded" in widget.state.value
    assert widget.progress.value == 0.75
    assert widget.buttons.children == (widget.start_button,)


def test_a_run_that_fell_says_why_and_when_it_is_tried_again(platform: Any) -> None:
    soon = datetime.now(timezone.utc) + timedelta(seconds=60)
    fallen = replace(RUN, state="queued", restarts=2, error="No <answer>", next_try=soon)
    platform.runs["r1"] = fallen
    widget = RunWidget("RSI Model v2", "r1", lambda: platform)
    widget.close()
    widget.join(PATIENCE)
    widget._show(fallen)
    for text in ("restarts 2", "last error No &lt;answer&gt;", "next try"):
        assert text in widget.state.value
    assert widget.buttons.children == (widget.stop_button,)


def test_a_run_is_stopped_and_started_by_button(platform: Any) -> None:
    platform.runs["r1"] = RUN
    widget = RunWidget("RSI Model v2", "r1", lambda: platform)
    widget.stop_button.click()
    widget.join(PATIENCE)
    assert "cancelled" in widget.state.value
    widget.start_button.click()
    widget.join(PATIENCE)
    assert platform.calls == [("stop", "r1"), ("start", "r1")]


def test_a_closed_widget_asks_no_more(platform: Any) -> None:
    platform.runs["r1"] = RUN
    widget = RunWidget("RSI Model v2", "r1", lambda: platform)
    widget.close()
    widget.join(PATIENCE)
    assert widget._thread is not None
    assert not widget._thread.is_alive()


def test_a_deployment_without_a_run_is_shown_as_it_is() -> None:
    shown = deployment_widget(Deployment("RSI", 1, "p", "http://x", Run("")))
    assert isinstance(shown, Static)


def test_projects_lead_to_models_and_versions(platform: Any) -> None:
    widget = ProjectsWidget(platform=lambda: platform)
    assert [name for name, _ in widget.version.options] == ["v2", "v1"]
    assert "First &lt;b&gt;" in widget.table.value
    widget.project.value = "p2"
    assert widget.version.options == ()
    assert widget.buttons.children == ()


def test_projects_are_asked_for_again_by_button(platform: Any) -> None:
    widget = ProjectsWidget(platform=lambda: platform)
    platform.projects = lambda: [Project("p3", "New")]
    widget.refresh_button.click()
    assert [name for name, _ in widget.project.options] == ["New"]


class Ubiops:
    """A client of UbiOps' API: one deployment, its version with two revisions."""

    def __init__(self) -> None:
        self.rebuilt: list[tuple[str, ...]] = []

    def projects(self) -> list[ubiops_types.Project]:
        return [ubiops_types.Project("quants")]

    def deployments(self, project: str) -> list[ubiops_types.Deployment]:
        return [ubiops_types.Deployment("d", "rsi", project)]

    def versions(self, project: str, name: str) -> list[ubiops_types.Version]:
        return [ubiops_types.Version("x", name, "v1", active_revision="aaaaaaaa-1")]

    def revisions(self, *place: str) -> list[ubiops_types.Revision]:
        first = ubiops_types.Revision("aaaaaaaa-1", "v1", "success", creation_date="2026-01-01")
        second = replace(first, id="bbbbbbbb-2", status="failed", creation_date="2026-01-02")
        return [second, first]

    def rebuild(self, *place: str) -> None:
        self.rebuilt.append(place)


def test_ubiops_is_shown_by_the_same_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Ubiops()
    monkeypatch.setattr(ubiops_browse, "client", lambda: here)
    widget = ProjectsWidget(projects(platform="ubiops"))
    names = [name for name, _ in widget.version.options]
    assert names == ["v1 · bbbbbbbb", "v1 · aaaaaaaa (serves)"]
    assert "failed" in widget.table.value
    assert widget.buttons.children == (widget.rollback_button,)
    widget.version.value = dict(widget.version.options)["v1 · aaaaaaaa (serves)"]
    assert widget.buttons.children == ()
    widget.version.value = dict(widget.version.options)["v1 · bbbbbbbb"]
    widget.rollback_button.click()
    assert here.rebuilt == [("quants", "rsi", "v1", "bbbbbbbb-2")]


def test_a_version_has_the_buttons_of_its_state(platform: Any) -> None:
    widget = ProjectsWidget(platform=lambda: platform)
    assert widget.buttons.children == (widget.stop_button,)
    widget.version.value = "v1"
    assert widget.buttons.children == (widget.run_button, widget.rollback_button)


@pytest.mark.parametrize(
    ("button", "call"),
    [("run_button", ("run", "v1")), ("rollback_button", ("rollback", "v1"))],
)
def test_version_buttons_are_wired(platform: Any, button: str, call: tuple[str, str]) -> None:
    widget = ProjectsWidget(platform=lambda: platform)
    widget.version.value = "v1"
    getattr(widget, button).click()
    assert platform.calls == [call]


def test_a_refusal_is_said_in_the_widget(platform: Any) -> None:
    widget = ProjectsWidget(platform=lambda: platform)
    widget.stop_button.click()
    assert "It has ended already." in widget.problem.value


def test_a_token_leaves_the_box_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str | None, str | None]] = []

    def login(server: str | None, *, token: str | None) -> SignedIn:
        seen.append((server, token))
        return SignedIn("blankly", "https://deploy.example", "me", "file")

    monkeypatch.setattr(login_module, "login", login)
    widget = LoginWidget("https://deploy.example")
    widget.token.value = "secret"
    widget.button.click()
    assert seen == [("https://deploy.example", "secret")]
    assert widget.token.value == ""
    assert "Signed in" in widget.said.value


def test_a_refused_token_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def login(server: str | None, *, token: str | None) -> SignedIn:
        raise NotSignedInError("It does not take <this> token.")

    monkeypatch.setattr(login_module, "login", login)
    widget = LoginWidget()
    widget.button.click()
    assert "&lt;this&gt;" in widget.said.value
