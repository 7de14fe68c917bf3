"""A Jupyter server with the panel's routes, over a platform that answers without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# for this folder alone: as a plugin, its loop would be set up around every test of the house
from pytest_jupyter.jupyter_server import *  # noqa: F403

from deploy_magics import credentials
from deploy_magics.actions import overview
from deploy_magics.errors import DeployMagicsError
from deploy_magics.platforms.blankly_types import Accepted, LogPart, Project, Run

SERVER = "https://deploy.example"
ACCOUNT = f"blankly {SERVER}"
ANSWER = [
    {
        "projectId": "p1",
        "name": "RSI Models",
        "description": "Bots",
        "models": [
            {
                "id": "m1",
                "name": "RSI Model",
                "generalDescription": "Buys low",
                "versions": [
                    {"versionId": "v1", "version": 1, "createdAt": 100.0, "plan": "nano"},
                    {"versionId": "v2", "version": 2, "createdAt": 200.0, "plan": "nano"},
                ],
                "runs": [
                    {
                        "id": "r2",
                        "kind": "live",
                        "state": "running",
                        "versionId": "v2",
                        "createdAt": 201.0,
                        "startedAt": 202.0,
                        "progress": {"done": 1, "total": 4},
                        "restarts": 2,
                        "live": True,
                    },
                    {"id": "r1", "kind": "backtest", "state": "failed", "versionId": "v1"},
                ],
            }
        ],
    }
]


@dataclass
class Platform:
    """In place of BlanklyClient; every client of a test is this one."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    failure: DeployMagicsError | None = None

    def __call__(self, server: str, token: str, **_: Any) -> Platform:
        assert (server, token) == (SERVER, "secret")
        return self

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure

    def overview(self, etag: str = "") -> tuple[Any, str]:
        self._note("overview", etag)
        return (None, etag) if etag else (ANSWER, "etag-1")

    def create_project(self, name: str, description: str = "") -> Project:
        self._note("create_project", name, description)
        return Project("p9", name, description)

    def run_version(self, version: str) -> Run:
        self._note("run_version", version)
        return Run("r9", "live", "queued")

    def rollback(self, version: str) -> Accepted:
        self._note("rollback", version)
        return Accepted("p1", "m1", "v3")

    def stop(self, run: str) -> None:
        self._note("stop", run)

    def start(self, run: str) -> None:
        self._note("start", run)

    def logs(self, run: str, offset: int, wait: float) -> LogPart:
        self._note("logs", run, offset, wait)
        return LogPart("bought\n", offset + 7, "running")


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"deploy_magics.labserver": True}}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user with nothing of their own yet."""
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    for name in ("DEPLOY_MAGICS_SERVER", "DEPLOY_MAGICS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path / "home"


@pytest.fixture
def platform(home: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Signed in to one server."""
    platform = Platform()
    monkeypatch.setattr(overview, "BlanklyClient", platform)
    credentials.save("blankly", SERVER, "me", "secret")
    return platform
