"""A service on a fresh database, its application, people in it, and models to upload."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import subprocess
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.routing import Mount

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
CLONE_NEWNS = 0x20000


@pytest.fixture(scope="session")
def own_mounts() -> bool:
    """From here on what this process mounts is seen by it and its children alone.

    It goes with the process at the latest. False, with a warning, where it may mount nothing.
    """
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        subprocess.run(["mount", "--make-rprivate", "/"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        warnings.warn(f"no disk could be mounted to fail: {error}", stacklevel=1)
        return False
    return True


class SmallDisk:
    """A file system in memory, of 24 MiB."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    @property
    def free(self) -> int:
        facts = os.statvfs(self.path)
        return facts.f_bavail * facts.f_frsize

    def fill(self, *, leave: int = 0) -> None:
        """Everything but ``leave`` bytes."""
        with self._ballast.open("ab", buffering=0) as file:
            while (more := self.free - leave) > 0:
                file.write(bytes(min(more, 1 << 20)))

    def clear(self) -> None:
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path, own_mounts: bool) -> Iterator[SmallDisk | None]:
    """None where this process may not mount anything."""
    if not own_mounts:
        yield None
        return
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", path], check=True)
    yield SmallDisk(path)
    subprocess.run(["umount", "--lazy", path], check=False)


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
    token_id: str
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
        token, row = services.tokens.create(who, "test", **options)
        answer = client.post("/auth/token", data={"refreshToken": token})
        assert answer.status_code == 200, answer.text
        return Person(who, client, token, row.id, {"token": answer.json()["idToken"]})

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


class Walk:
    """Every route of the application, filled with somebody's things."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def routes(self) -> Iterator[tuple[str, str]]:
        """Every method and path; a websocket has the method "WS", a folder of files "FILES"."""
        for route in iter_route_contexts(self._app.routes):
            path = str(route.path)
            if isinstance(route.original_route, Mount):
                yield "FILES", path
                continue
            for method in sorted(getattr(route, "methods", None) or {"WS"}):
                if method != "HEAD":
                    yield method, path

    @staticmethod
    def filled(path: str, things: dict[str, str]) -> str:
        values = {"number": "1", "kind": "signals", "publisher": "x", "environment_name": "x"}
        values |= {"tag": "x", "name": "rsi", "trade_id": "1"}
        for name, value in {**values, **things}.items():
            path = path.replace("{" + name + "}", value)
        assert "{" not in path, f"what stands for the names in {path}?"
        return path

    @staticmethod
    def headers(path: str, person: Person) -> dict[str, str]:
        """How a person signs in, by the dialect of the path."""
        if path.startswith(("/v2", "/status", "/user")):
            return {"Authorization": f"Token {person.token}"}
        if path.startswith("/api/v1"):
            return {"API-KEY": person.token_id, "API-SECRET": person.token}
        if path.startswith("/bots/"):
            word = base64.b64encode(f"{person.who.name}:{person.token}".encode()).decode()
            return {"Authorization": f"Basic {word}"}
        return dict(person.headers)


@pytest.fixture
def walk(app: FastAPI) -> Walk:
    return Walk(app)


@pytest.fixture
def things(services: Services, ann: Principal, me: Any, deployed: dict[str, Any]) -> dict[str, str]:
    """Ids and names of everything that Ann has."""
    project = services.projects.create(ann, "anns-project")
    model = services.models.create(ann, project.id, "anns-deployment")
    version = services.versions.create(ann, model.id, name="v1")
    revision = services.versions.add_revision(ann, version.id, None)
    sha256 = me.get(f"/version/{deployed['versionId']}")["sha256"]
    scope = services.variables.scope(ann, version_id=version.id)
    variable = services.variables.create(ann, scope, "KEY", "secret", secret=True)
    request = services.runs.create(
        ann, "request", services.versions.get(ann, version.id), revision_id=revision.id
    )
    return {
        "project_id": deployed["projectId"],
        "model_id": deployed["modelId"],
        "version_id": deployed["versionId"],
        "run_id": deployed["runId"],
        "token_id": services.tokens.list(ann)[0].id,
        "sha256": sha256,
        "project_name": project.name,
        "deployment_name": model.name,
        "version": version.name,
        "id": variable.id,
        "revision_id": revision.id,
        "build_id": revision.id,
        "request_id": request.id,
    }
