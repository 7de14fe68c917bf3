"""A service on a fresh database, its application, people in it, and models to upload."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from deploy_magics.model import Model
from deploy_magics.server.app import create_app
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.settings import Settings

PASSWORD = "correct horse battery"
SCRIPT = "import blankly\n\nprint('nothing to see')\n"
PRICES = b"time,open,high,low,close,volume\n" + b"".join(
    b"%d,1.0,2.0,0.5,1.5,10\n" % (1_500_000_000 + 3600 * hour) for hour in range(48)
)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", database_url=database_url)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    opened = Services.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def ann(services: Services) -> Principal:
    """The owner, with the password ``PASSWORD``."""
    return principal(services.accounts.create("ann", PASSWORD, email="ann@x.org", owner=True))


@pytest.fixture
def bob(services: Services) -> Principal:
    return principal(services.accounts.create("bob", PASSWORD))


@pytest.fixture
def password() -> str:
    return PASSWORD


@pytest.fixture
def app(settings: Settings, services: Services) -> FastAPI:
    return create_app(settings, services)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Nobody's client; errors of the application are answers, as for a real one."""
    with TestClient(app, base_url="http://127.0.0.1:8800", raise_server_exceptions=False) as opened:
        yield opened


@dataclass
class Person:
    """One signed-in person on the application."""

    who: Principal
    client: TestClient
    token: str
    headers: dict[str, str]

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        answer = self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **options: Any) -> Any:
        answer = self.call("POST", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def sign_in(services: Services, client: TestClient) -> Callable[..., Person]:
    """Signs a principal in over the API; ``scopes`` and the like go to ``tokens.create``."""

    def do(who: Principal, **options: Any) -> Person:
        token, _ = services.tokens.create(who, "test", **options)
        answer = client.post("/auth/token", data={"refreshToken": token})
        assert answer.status_code == 200, answer.text
        return Person(who, client, token, {"token": answer.json()["idToken"]})

    return do


@pytest.fixture
def me(sign_in: Callable[..., Person], ann: Principal) -> Person:
    return sign_in(ann)


@pytest.fixture
def other(sign_in: Callable[..., Person], bob: Principal) -> Person:
    return sign_in(bob)


@pytest.fixture(scope="session")
def make_zip() -> Callable[..., bytes]:
    """The zip of a small model; ``script`` makes it differ from others."""

    def make(script: str = SCRIPT, **options: Any) -> bytes:
        model = Model.build("Small", script, requirements=["numpy<2"], **options)
        return model.zip_bytes()

    return make


@pytest.fixture(scope="session")
def small_zip(make_zip: Callable[..., bytes]) -> bytes:
    return make_zip()


@pytest.fixture
def deployed(me: Person, small_zip: bytes) -> Any:
    """What the server answered to a first deployment with prices."""
    return me.post(
        "/model/deploy",
        data={
            "name": "RSI",
            "createNew": "true",
            "feed": json.dumps({"kind": "replay", "pace": 0}),
        },
        files=[
            ("model", ("model.zip", small_zip, "application/zip")),
            ("prices", ("EUR-USD.csv", PRICES, "text/csv")),
        ],
    )
