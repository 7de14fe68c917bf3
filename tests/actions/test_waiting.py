"""Waiting for runs over a service that is a function: it goes away, ends, fails."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from deploy_magics.actions import logs as logs_module
from deploy_magics.actions import patience, rollout
from deploy_magics.actions.patience import patiently
from deploy_magics.actions.remote import watched
from deploy_magics.errors import (
    ModelFailedError,
    NotFoundError,
    ServiceError,
    UnreachableError,
)
from deploy_magics.platforms.blankly import BlanklyClient
from deploy_magics.platforms.blankly_types import Run
from deploy_magics.platforms.session import answer

Made = Callable[..., BlanklyClient]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0)


@pytest.fixture
def client() -> Made:
    def make(*answers: Any) -> BlanklyClient:
        left = list(answers)

        def service(request: requests.PreparedRequest) -> requests.Response:
            if str(request.path_url) == "/auth/token":
                return answer(json={"idToken": "i"})
            made = left.pop(0)
            if isinstance(made, Exception):
                raise made
            return made if isinstance(made, requests.Response) else answer(json=made)

        return BlanklyClient("http://there.test", "t", transport=service, patience=0)

    return make


def test_a_server_that_is_away_is_waited_for() -> None:
    answers: list[Any] = [UnreachableError("away"), ServiceError("busy", status=503), 3]

    def ask() -> int:
        made = answers.pop(0)
        if isinstance(made, Exception):
            raise made
        return int(made)

    assert patiently(ask) == 3


@pytest.mark.parametrize(
    "error", [NotFoundError("gone", status=404), ServiceError("x", status=500)]
)
def test_other_errors_are_raised_at_once(error: Exception) -> None:
    calls: list[int] = []

    def ask() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        patiently(ask)
    assert len(calls) == 1


def test_waiting_has_an_end() -> None:
    def ask() -> None:
        raise UnreachableError("away")

    with pytest.raises(UnreachableError):
        patiently(ask, waits=-1)


def test_a_run_is_watched_through_a_restart_of_the_server(client: Made) -> None:
    here = client(
        {"id": "r", "state": "running", "progress": {"done": 5, "total": 10}},
        requests.ConnectionError(),
        answer(503, {"error": "starting"}),
        {"id": "r", "state": "succeeded"},
    )
    assert watched(here, "RSI", Run("r", state="queued")).state == "succeeded"


def test_a_fresh_run_is_watched_until_it_runs(client: Made) -> None:
    here = client({"id": "r", "state": "building"}, {"id": "r", "state": "running"})
    assert rollout.wait_until_running(here, "RSI", Run("r", state="queued")).state == "running"


def test_a_fresh_run_that_fails_says_why(client: Made) -> None:
    here = client(
        {"id": "r", "state": "failed", "error": "no such Python"},
        {"text": "\n".join(f"line {n}" for n in range(100)), "offset": 900, "state": "failed"},
    )
    with pytest.raises(ModelFailedError, match="no such Python") as caught:
        rollout.wait_until_running(here, "RSI", Run("r", state="queued"))
    shown = caught.value._render_traceback_()
    assert shown[0] == "line 70" and shown[-2] == "line 99" and "%deploy_logs --run r" in shown[-1]
    assert "line 1\n" in caught.value.logs


def test_a_log_is_followed_to_its_end(client: Made, capsys: pytest.CaptureFixture[str]) -> None:
    here = client(
        {"text": "one\ntw", "offset": 6, "state": "running"},
        requests.ConnectionError(),
        {"text": "o\n\x1b[31mthree\n", "offset": 20, "state": "succeeded"},
        {"text": "last", "offset": 24, "state": "succeeded"},
        {"text": "", "offset": 24, "state": "succeeded"},
    )
    logs_module._follow(here, "r", None)
    assert capsys.readouterr().out == "one\ntwo\n�[31mthree\nlast\nThe run has ended: succeeded.\n"


def test_only_lines_that_hold_a_text(client: Made, capsys: pytest.CaptureFixture[str]) -> None:
    here = client(
        {"text": "buy 1\nsell 2\nbuy 3\n", "offset": 20, "state": "cancelled"},
        {"text": "", "offset": 20, "state": "cancelled"},
    )
    logs_module._follow(here, "r", "buy")
    assert capsys.readouterr().out == "buy 1\nbuy 3\nThe run has ended: cancelled.\n"


def test_the_end_of_a_log(client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    here = client(
        {"id": "r", "state": "running"},
        {"text": "a\nb\n", "offset": 4, "state": "running"},
        {"text": "<c>\n", "offset": 8, "state": "running"},
        {"text": "", "offset": 8, "state": "running"},
    )
    monkeypatch.setattr(logs_module, "client", lambda: here)
    shown = logs_module.logs(run="r", tail=2)
    assert shown is not None and shown.text == "b\n<c>\n" and shown.left_out == 1
    assert "1 lines before" in repr(shown) and "&lt;c&gt;" in shown._repr_html_()
