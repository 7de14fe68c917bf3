"""The library's own client, unchanged from the registry, against a real server process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy_magics.executor.environment import Environment, ensure_environment
from deploy_magics.model import BLANKLY
from deploy_magics.server.starters import STARTERS, starter_zip

PATIENCE = 180.0
TABLE = Path(__file__).with_name("blankly_table.txt")


class Server(NamedTuple):
    url: str
    token: str
    data_dir: Path


@pytest.fixture(scope="module")
def library() -> Environment:
    return ensure_environment("3.11", BLANKLY)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with its worker, as ``deploy-magics serve`` starts it."""
    data_dir = tmp_path_factory.mktemp("server") / "data"
    command = [sys.executable, "-m", "deploy_magics.cli"]
    with (data_dir.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "serve", "--port", "0", "--data-dir", str(data_dir)], stdout=log, stderr=log
        )
    try:
        state = data_dir / "server.json"
        deadline = time.monotonic() + PATIENCE
        while not state.exists():
            assert process.poll() is None, (data_dir.parent / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        token = subprocess.run(
            [*command, "token", "create", "--data-dir", str(data_dir)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        yield Server(json.loads(state.read_text())["url"], token, data_dir)
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert not state.exists()


def ask(server: Server, path: str, data: bytes | None = None) -> Any:
    form = f"refreshToken={server.token}".encode()
    with urllib.request.urlopen(f"{server.url}/auth/token", form, timeout=60) as answer:
        id_token = json.load(answer)["idToken"]
    request = urllib.request.Request(f"{server.url}{path}", data, headers={"token": id_token})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def until(server: Server, run_id: str, *states: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while True:
        run = ask(server, f"/run/{run_id}")
        if run["state"] in states:
            return run
        assert time.monotonic() < deadline, run
        assert run["state"] in ("queued", "building", "running"), run
        time.sleep(0.2)


@pytest.fixture(scope="module")
def table(library: Environment, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the client answered to every call of its table, in one process of the library's."""
    folder = tmp_path_factory.mktemp("client")
    package = folder / "model.zip"
    package.write_bytes(starter_zip("rsi"))
    done = subprocess.run(
        [str(library.python), "-c", TABLE.read_text(), server.url, str(package)],
        input=server.token,
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    assert "Invalid Response" not in done.stdout
    return json.loads(done.stdout.splitlines()[-1])


def test_signing_in(table: Any, server: Server) -> None:
    assert table["user_id"] == ask(server, "/auth/me")["user_id"]


def test_projects(table: Any) -> None:
    created = table["create_project"]
    assert (created["status"], created["name"]) == ("success", "RSI Models")
    listed = {row["projectId"]: row for row in table["list_projects"]}
    assert listed[created["projectId"]]["description"] == "buy low"
    assert set(listed[created["projectId"]]) >= {"projectId", "name", "description", "createdAt"}
    assert table["user_id"] in listed
    assert "error" in table["create_again"]
    # where else models lie: the library asks these for the rest of its list of all models
    assert table["list_teams"] == [{"id": created["projectId"], "name": "RSI Models"}]


def test_plans(table: Any) -> None:
    for kind in ("backtesting", "live"):
        plans = table["get_plans"][kind]
        assert plans["nano"].keys() == {"cpu", "ram"}


def test_keys(table: Any) -> None:
    assert set(table["generate_keys"]) == {"apiKey", "apiPass"}


def test_models(table: Any) -> None:
    model = table["create_model"]
    assert model["modelId"]
    (listed,) = table["list_models"]
    assert (listed["id"], listed["name"], listed["type"]) == (model["modelId"], "RSI", "strategy")
    where = {row["name"]: row.get("team", {}).get("name") for row in table["list_all_models"]}
    assert where == {"Mine": None, "RSI": "RSI Models"}


def test_starters(table: Any, server: Server) -> None:
    starters = table["get_starter_models"]
    assert {row["shortName"] for row in starters} == {starter.name for starter in STARTERS}
    for row in starters:
        assert set(row) >= {"shortName", "url", "path", "exchange", "modelType"}
        assert row["url"].startswith(server.url)


def test_deploying(table: Any) -> None:
    done = table["deploy"]
    assert done["status"] == "success"
    assert done["modelId"] == table["create_model"]["modelId"]
    assert set(done) >= {"timestamp", "modelId", "versionId", "projectId"}
    assert "error" in table["deploy_nowhere"]


def test_status_and_details(table: Any) -> None:
    status = {row["modelId"]: row["status"] for row in table["get_status"]}
    assert status[table["deploy"]["modelId"]] in ("queued", "building", "running", "succeeded")
    details = table["get_details"]
    assert details["versions"][0]["versionId"] == table["deploy"]["versionId"]
    assert details["runs"][0]["kind"] == "live"


def test_both_backtests_run_and_agree(table: Any, server: Server) -> None:
    results = []
    for call in ("backtest", "backtest_deployed"):
        assert table[call]["status"] == "success"
        until(server, table[call]["backtestId"], "succeeded")
        results.append(ask(server, f"/run/{table[call]['backtestId']}/result"))
    first, second = results
    assert first["metrics"] == second["metrics"]
    assert first["orders"]
    run = ask(server, f"/run/{table['backtest_deployed']['backtestId']}")
    assert run["args"] == {"start_date": "2017-05-01", "end_date": "2017-06-01"}
    assert run["description"] == "again"


@pytest.mark.parametrize(
    "name", [starter.name for starter in STARTERS if starter.kind != "screener"]
)
def test_starter_models_run(table: Any, server: Server, name: str) -> None:
    run = until(server, table["starters"][name]["backtestId"], "succeeded")
    result = ask(server, f"/run/{run['id']}/result")
    assert result["orders"]
    assert result["callback_errors"] == []


def test_the_starter_screener_screens(table: Any, server: Server) -> None:
    version = table["starters"]["movers"]["versionId"]
    run = ask(server, f"/version/{version}/run", data=b"")
    assert run["kind"] == "screen"
    until(server, run["id"], "succeeded")


def test_the_sign_in_page_hands_over_to_the_librarys_port(server: Server) -> None:
    """The library listens on localhost:9082; a browser follows the page's redirect there."""
    subprocess.run(
        [
            *(sys.executable, "-m", "deploy_magics.cli", "user", "add", "quant"),
            *("--data-dir", str(server.data_dir), "--password-env", "QUANT_PASSWORD"),
        ],
        check=True,
        env={**os.environ, "QUANT_PASSWORD": "a long enough password"},
    )
    heard: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    form = b"user=quant&password=a+long+enough+password&redirectUrl=%2Fdeploy"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with closing(HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as connection:
        connection.request("POST", "/auth/signin", form, kind)
        place = urlsplit(connection.getresponse().getheader("Location"))
    assert (place.scheme, place.netloc) == ("http", "localhost:9082")
    # the port is fixed by the library; the test listens on a free one in its place
    with HTTPServer(("127.0.0.1", 0), Listener) as listener:
        threading.Thread(target=listener.handle_request).start()
        address = f"http://127.0.0.1:{listener.server_port}{place.path}?{place.query}"
        urllib.request.urlopen(address, timeout=60).close()
    (token,) = parse_qs(urlsplit(heard[0]).query)["token"]
    data = f"refreshToken={token}".encode()
    with urllib.request.urlopen(f"{server.url}/auth/token", data, timeout=60) as answer:
        assert json.load(answer)["data"]["user_id"]
