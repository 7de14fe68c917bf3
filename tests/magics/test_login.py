"""Signing in to a server that is not our own: environment, prompt, browser; and out again."""

import re
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from deploy_magics import credentials, display
from deploy_magics.actions import embedded, signin
from deploy_magics.actions import login as login_module
from deploy_magics.errors import (
    CredentialsError,
    InteractionError,
    NotSignedInError,
    UnreachableError,
    UsageError,
)

PASSWORD = "correct horse battery"


def cli(data_dir: str, *words: str, **env: str) -> str:
    command = [sys.executable, "-m", "deploy_magics.cli", *words, "--data-dir", data_dir]
    import os

    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **env}, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Embedded]:
    """A running server with an account that has a password."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path_factory.mktemp("server")))
        found = embedded.ensure_running()
        cli(found.data_dir, "user", "add", "ann", "--password-env", "SECRET", SECRET=PASSWORD)
        yield found
        assert embedded.stop()


@pytest.fixture
def token(server: embedded.Embedded) -> str:
    return cli(server.data_dir, "token", "create", "--user", "ann", "--name", "test")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits there."""
    monkeypatch.setattr(display.ask, "can_answer", lambda: True)
    monkeypatch.setattr(login_module, "can_answer", lambda: True)
    for name in ("JUPYTERHUB_USER", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)


def test_by_a_variable(
    shell: Any, server: embedded.Embedded, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", token)
    shown = shell.run_cell(f"%deploy_login {server.url} --token-env TEAM_TOKEN")
    assert (shown.name, shown.where) == ("ann", "file")
    assert server.url in repr(shown) and token not in repr(shown) + shown._repr_html_()
    assert "Personal" in repr(shell.run_cell("%deploy_projects"))

    shell.run_line_magic("reload_ext", "deploy_magics")  # as after a restart of the kernel
    assert "Personal" in repr(shell.run_cell("%deploy_projects"))

    assert "Signed out" in repr(shell.run_cell("%deploy_logout"))
    assert credentials.known() == []
    with pytest.raises(NotSignedInError):
        shell.run_cell("%deploy_projects")
    with pytest.raises(NotSignedInError, match="does not take this token"):
        shell.run_cell(f"%deploy_login {server.url} --token-env TEAM_TOKEN")  # it was revoked


def test_a_wrong_token_is_checked_before_it_is_kept(
    shell: Any, server: embedded.Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "dm_wrong_secret")
    with pytest.raises(NotSignedInError) as caught:
        shell.run_cell(f"%deploy_login {server.url} --token-env TEAM_TOKEN")
    assert "dm_wrong_secret" not in str(caught.value)
    assert credentials.known() == []


def test_nobody_there_to_answer(shell: Any, server: embedded.Embedded) -> None:
    with pytest.raises(InteractionError, match="--token-env"):
        shell.run_cell(f"%deploy_login {server.url}")


def test_no_server_there(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "dm_x")
    monkeypatch.setattr("deploy_magics.platforms.session.time.sleep", lambda _: None)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 cannot be reached"):
        shell.run_cell("%deploy_login http://127.0.0.1:1 --token-env TEAM_TOKEN")


def test_by_a_hidden_prompt(
    shell: Any,
    server: embedded.Embedded,
    token: str,
    answering: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or f" {token}\n")
    monkeypatch.setenv("JUPYTERHUB_USER", "ann")
    assert shell.run_cell(f"%deploy_login {server.url}").name == "ann"
    monkeypatch.delenv("JUPYTERHUB_USER")
    assert shell.run_cell(f"%deploy_login {server.url} --paste").name == "ann"
    assert len(asked) == 2
    monkeypatch.setattr("getpass.getpass", lambda prompt: "")
    with pytest.raises(InteractionError, match="nothing was typed"):
        shell.run_cell(f"%deploy_login {server.url} --paste")


class Browser:
    """A browser whose user signs in on the page that is opened."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.last: requests.Response | None = None

    def open(self, address: str) -> bool:
        threading.Thread(target=self._sign_in, args=(address,)).start()
        return True

    def _sign_in(self, address: str) -> None:
        page = requests.get(address, timeout=60)
        self.pages.append(page.text)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        hidden = {name: value.replace("&amp;", "&") for name, value in hidden.items()}
        back_to = hidden["redirectUrl"]
        wrong = requests.get(f"{back_to}?code=evil&state=guessed", timeout=60)
        self.pages.append(wrong.text)
        form = {**hidden, "user": "ann", "password": PASSWORD}
        self.last = requests.post(
            address.split("?")[0], data=form, timeout=60, headers={"Origin": _origin(address)}
        )


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def test_by_the_browser(
    shell: Any,
    server: embedded.Embedded,
    answering: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    browser = Browser()
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    monkeypatch.setattr(webbrowser, "open", browser.open)
    assert shell.run_cell(f"%deploy_login {server.url}").name == "ann"
    kept = credentials.load("blankly", server.url)
    assert kept is not None and kept.name == "ann"
    assert "does not belong" in browser.pages[1]
    assert browser.last is not None and "You are signed in" in browser.last.text
    said = capsys.readouterr().out
    assert kept.token not in said and "Sign in at" in said


def test_nobody_signs_in_in_time() -> None:
    class Client:
        base_url = "http://127.0.0.1:1"

    opened: list[str] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(webbrowser, "open", opened.append)
        with pytest.raises(NotSignedInError, match="--paste"):
            signin.by_browser(Client(), waits=0.01)  # type: ignore[arg-type]
    query = parse_qs(urlsplit(opened[0]).query)
    assert query["redirectUrl"][0].startswith("http://127.0.0.1:")
    assert len(query["state"][0]) >= 32 and len(query["challenge"][0]) == 43


def test_the_environment_wins_for_programs(
    home: Path, server: embedded.Embedded, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import deploy_magics

    monkeypatch.setenv("DEPLOY_MAGICS_SERVER", server.url)
    with pytest.raises(NotSignedInError, match="--server"):
        deploy_magics.deploy_projects()
    monkeypatch.setenv("DEPLOY_MAGICS_TOKEN", token)
    assert len(deploy_magics.deploy_projects()) == 1
    monkeypatch.setenv("DEPLOY_MAGICS_SERVER", "http://elsewhere.test")
    monkeypatch.setattr("deploy_magics.platforms.session.time.sleep", lambda _: None)
    with pytest.raises((UnreachableError, UsageError)):
        deploy_magics.deploy_projects()


def test_credentials_that_others_can_read_are_not_used(
    shell: Any, home: Path, server: embedded.Embedded, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", token)
    shell.run_cell(f"%deploy_login {server.url} --token-env TEAM_TOKEN")
    (home.parent / "home" / "credentials.json").chmod(0o644)
    with pytest.raises(CredentialsError, match="can be read by others"):
        shell.run_cell("%deploy_projects")


def test_a_platform_has_an_address_of_its_own(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def check(address: str, token: str) -> str:
        asked.append(address)
        return "ann"

    monkeypatch.setenv("TEAM_TOKEN", "dm_x")
    monkeypatch.setattr(login_module, "_CHECKS", {"blankly": check, "ubiops": check})
    for platform in ("blankly", "ubiops"):
        shell.run_cell(f"%deploy_login --platform {platform} --token-env TEAM_TOKEN")
    assert asked[0] == "https://deploy.blankly.finance"
    assert "ubiops" in asked[1]
    with pytest.raises(UsageError, match="Did you mean ubiops"):
        shell.run_cell("%deploy_login --platform ubips")


def test_a_server_that_another_process_started_is_stopped_as_soon_as_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path))
    monkeypatch.setattr(embedded, "ENDS", 600.0)  # to wait for more than its end would take that
    starts = "from deploy_magics.actions import embedded; embedded.ensure_running(); input()"
    starter = subprocess.Popen([sys.executable, "-c", starts], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while embedded.running() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        stopping = threading.Thread(target=embedded.stop, daemon=True)
        stopping.start()
        stopping.join(120)
        assert not stopping.is_alive()
        assert embedded.running() is None
    finally:
        starter.communicate(b"\n")
