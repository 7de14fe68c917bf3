"""A server that keeps Blankly's documented contract and nothing beyond it."""

import re
from pathlib import Path
from typing import Any

import pytest
import requests

import deploy_magics
from deploy_magics import credentials
from deploy_magics.actions import session
from deploy_magics.actions.session import Place
from deploy_magics.actions.workspace import current
from deploy_magics.errors import ServiceError
from deploy_magics.platforms.blankly import BlanklyClient
from deploy_magics.platforms.session import answer

URL = "http://seed.test"


class Seed:
    """Projects, deploys and backtests; everything else is not there."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []

    def __call__(self, request: requests.PreparedRequest) -> requests.Response:
        body: Any = request.body or b""
        body = body.read() if hasattr(body, "read") else body
        path = str(request.path_url)
        if path == "/auth/token":
            return answer(json={"idToken": "id"})
        if request.headers.get("token") != "id":
            return answer(401, {"error": "no token"})
        if path == "/project/list":
            return answer(json=[{"projectId": "p1", "name": "Mine"}])
        if path in ("/model/deploy", "/model/backtest"):
            fields = re.findall(rb'name="(\w+)"\r\n\r\n(.*?)\r\n--', body, re.DOTALL)
            self.forms.append({name.decode(): value.decode() for name, value in fields})
            ids = {"projectId": "p1", "modelId": "m1", "versionId": f"v{len(self.forms)}"}
            return answer(json={"status": "success", "timestamp": 1, **ids})
        return answer(404, {"error": "no such page"})


@pytest.fixture
def seed(monkeypatch: pytest.MonkeyPatch, fresh: Path) -> Seed:
    made = Seed()
    credentials.save("blankly", URL, "me", "dm_t")
    session.choose(Place("blankly", URL))
    workspace = current()
    workspace.client = BlanklyClient(URL, "dm_t", transport=made)
    workspace.client_of = (URL, "dm_t")
    (fresh / "bot.py").write_text("print('a model')\n")
    (fresh / "prices.csv").write_text("time,close\n1,1.0\n2,1.1\n3,1.2\n")
    return made


def test_a_model_is_deployed_and_then_another_version_of_it(seed: Seed) -> None:
    data = {"A-B": "prices.csv"}
    first = deploy_magics.deploy("bot.py", name="RSI Model", data=data, message="one")
    assert (first.model_id, first.version_id, first.project) == ("m1", "v1", "Mine")
    assert "does not say how it runs" in repr(first)
    deploy_magics.deploy("bot.py", name="RSI Model", data=data, plan="nano")
    one, two = seed.forms
    assert one["createNew"] == "true" and one["name"] == "RSI Model" and "modelId" not in one
    assert one["versionDescription"] == "one" and one["projectId"] == "p1"
    assert two["modelId"] == "m1" and "createNew" not in two and two["plan"] == "nano"


def test_a_backtest_is_taken_and_that_is_all(seed: Seed) -> None:
    with pytest.raises(ServiceError, match="does not say how it ends"):
        deploy_magics.backtest("bot.py", on="platform", to="1y")
    assert seed.forms[0]["backtestArgs"] == '{"to": "1y"}'
