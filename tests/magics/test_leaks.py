"""What leaves this machine, or is shown, and must not be: tokens, files, other people's markup."""

from __future__ import annotations

import ast
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import deploy_magics
from deploy_magics.errors import UsageError
from deploy_magics.executor.result import BacktestResult
from deploy_magics.magics.command import Command, Group
from deploy_magics.magics.register import commands
from deploy_magics.model import Model
from deploy_magics.platforms.session import Session

PACKAGE = Path(deploy_magics.__file__).parent
CANARY = "dm_Canary0123456789abcdefghij"


def all_commands() -> list[Command]:
    found: list[Command] = []
    for command in commands():
        if isinstance(command, Group):
            found += [Command(word, action) for word, action in command.actions.items()]
        else:
            found.append(command)
    return found


def test_no_magic_takes_a_secret_on_its_line() -> None:
    """A line is kept in the notebook and in IPython's history."""
    for command in all_commands():
        for option in command.options().options:
            if re.search(r"token|password|secret|pass$|api_?key", option.name):
                names_a_variable = option.name.endswith("_env")
                assert names_a_variable or option.kind is bool, (command.name, option.name)


@pytest.mark.parametrize("line", ["%deploy_login --token {}", "%bot connect --password {}"])
def test_a_secret_that_is_typed_is_refused_and_not_repeated(shell: Any, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        shell.run_cell(line.format(CANARY))
    assert "-env" in str(caught.value) or "no option" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An address where calls arrive; what is raised in place of an answer is to be said."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(error: BaseException) -> str:
            def getresponse(self: Any, *_: Any, **__: Any) -> Any:
                raise error

            monkeypatch.setattr(http.client.HTTPConnection, "getresponse", getresponse)
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield answer


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a fault of ours")], ids=str)
@pytest.mark.parametrize(
    "line",
    [
        "%deploy_login {} --token-env TEAM_TOKEN",
        "%deploy_login {} --platform ubiops --token-env TEAM_TOKEN",
        "%bot connect {} --user ann --token-env TEAM_TOKEN",
    ],
)
def test_no_traceback_shows_a_token(
    shell: Any,
    nobody_answers: Any,
    line: str,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", CANARY)
    shell.run_line_magic("xmode", "Verbose")
    with pytest.raises(BaseException) as caught:
        shell.run_cell(line.format(nobody_answers(error)))
    assert isinstance(caught.value, type(error))
    shown = capsys.readouterr()
    assert type(error).__name__ in shown.out + shown.err
    assert CANARY not in shown.out + shown.err


def test_a_notebook_in_the_folder_stays_behind(tmp_path: Path) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": [f"token = '{CANARY}'\n"]}
    cell = {"cell_type": "code", "source": "x", "metadata": {}, "outputs": [output]}
    (tmp_path / "explored.ipynb").write_text(json.dumps({"cells": [cell]}, indent=1))
    (tmp_path / "bot.py").write_text("import blankly\n")
    (tmp_path / "blankly.json").write_text(json.dumps({"main_script": "bot.py"}))
    assert "explored.ipynb" not in Model.from_folder(tmp_path).files
    named = Model.from_folder(tmp_path, include=["explored.ipynb"])
    assert "explored.ipynb" in named.files


HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J"


def test_nothing_in_a_result_is_markup_or_a_terminal_command(tmp_path: Path) -> None:
    record: dict[str, Any] = {
        "deploy_magics_result": 1,
        "history": {"time": [0, 10**9], "columns": {"value": [1.0, 2.0], HOSTILE: [1.0, 2.0]}},
        "further": [],
        "metrics": {HOSTILE: 1.0, "text": HOSTILE},
        "metric_names": {HOSTILE: HOSTILE},
        "order_list": [{"symbol": HOSTILE, "side": HOSTILE, "size": 1, "price": 1, "time": 1}],
        "model": HOSTILE,
        "model_digest": HOSTILE,
        "quote_asset": HOSTILE,
        "exchange": HOSTILE,
        "symbols": [HOSTILE],
        "imports": [HOSTILE],
        "notes": [HOSTILE],
        "logs": HOSTILE,
        "code": {f"{HOSTILE}.py": HOSTILE},
        "callback_errors": [{"count": 1, "traceback": HOSTILE, "message": HOSTILE}],
        "versions": {HOSTILE: HOSTILE},
        "data_digests": {HOSTILE: HOSTILE},
        "id": HOSTILE,
    }
    result = BacktestResult.from_json(json.dumps(record))
    page = result.to_html(tmp_path / "page.html").read_text("utf-8")
    for shown in (result._repr_html_(), page):
        assert "<img src=x" not in shown and "onerror" in shown
    assert "\x1b" not in repr(result)


def test_nothing_that_was_sent_is_unpickled_or_run() -> None:
    """JSON and arrays alone come back; the one program that is run is the model, in its process."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"pickle", "dill", "cloudpickle", "marshal", "shelve", "yaml"}, path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, path


LOADING = """
import os, socket, subprocess, sys
def refuse(*_, **__): raise AssertionError("loading reaches out")
socket.socket.connect = socket.getaddrinfo = subprocess.Popen.__init__ = os.fork = refuse
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
before = set(shell.user_ns)
shell.run_line_magic("load_ext", "deploy_magics")
assert set(shell.user_ns) == before, set(shell.user_ns) - before
assert not any(name.startswith("deploy_magics.platforms") for name in sys.modules)
"""


def test_loading_reaches_nobody_and_starts_nothing(home: Path, tmp_path: Path) -> None:
    (home / "opened.ipynb").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", LOADING], capture_output=True, text=True, cwd=home, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "home").exists()
    assert [path.name for path in home.iterdir()] == ["opened.ipynb"]


def test_the_environments_proxy_is_for_others_and_never_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/own.pem")
    away = Session("https://deploy.example")
    assert away._http.proxies["https"] == "http://proxy.example:3128"
    assert away._http.verify == "/etc/own.pem"
    for address in ("http://127.0.0.1:5000", "http://localhost:5000"):
        assert not Session(address)._http.proxies


def test_an_interrupted_upload_leaves_no_file(
    road: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy_magics.errors import RunCancelledError
    from deploy_magics.platforms.blankly import BlanklyClient

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sizes: list[int] = []

    def broken_off(self: Any, package: Path, **_: Any) -> Any:
        sizes.append(package.stat().st_size)
        raise KeyboardInterrupt

    monkeypatch.setattr(BlanklyClient, "deploy", broken_off)
    with pytest.raises(RunCancelledError, match="broken off"):
        road.run_cell(
            "%%deploy --name Cut --data EUR-USD=EUR-USD_1h.csv\nimport blankly\nblankly.Strategy\n"
        )
    assert sizes and list(tmp_path.iterdir()) == []
