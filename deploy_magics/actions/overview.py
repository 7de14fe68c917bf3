"""What the panel shows: every account that is signed in, with its projects, models, versions, runs.

Works without a kernel. Each account answers for itself: one that cannot be reached is reported
as such, with what it said last, and does not keep the others waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .. import credentials
from ..errors import (
    DeployMagicsError,
    NotFoundError,
    NotSignedInError,
    UnreachableError,
    UsageError,
)
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import ModelInfo, Project, Run, Version
from . import embedded
from .session import EMBEDDED, chosen

PATIENCE = 2.0  # seconds: a panel asks again soon
RUNS_SHOWN = 20
UBIOPS_EVERY = 15.0  # seconds


@dataclass(frozen=True)
class Account:
    """One server that somebody is signed in to."""

    platform: str
    server: str
    name: str
    token: str = field(repr=False)

    @property
    def embedded(self) -> bool:
        return self.name == EMBEDDED

    @property
    def id(self) -> str:
        return EMBEDDED if self.embedded else f"{self.platform} {self.server}"


class Overviews:
    """Asks all accounts, and remembers what each said last; safe to use from several threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="overview")
        self._local = threading.local()
        self._said: dict[str, tuple[str, list[dict[str, Any]]]] = {}

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def all(self) -> list[dict[str, Any]]:
        """Every account as the panel's JSON."""
        return list(self._pool.map(self._one, accounts()))

    def client(self, account_id: str) -> BlanklyClient:
        """A client for an account, of this thread alone.

        Raises:
            NotFoundError: nobody is signed in to that account.
            UsageError: its platform is not one that the panel can change things on.
        """
        for account in accounts():
            if account.id == account_id:
                if account.embedded and not account.token:
                    raise UnreachableError(
                        "The server on this machine does not run.", "Start it in the panel."
                    )
                if account.platform != "blankly":
                    raise UsageError(
                        f"The panel only shows what is on {account.platform}.",
                        "The magics change it; %deploy --help lists them.",
                    )
                return self._client(account)
        raise NotFoundError(f"Nobody is signed in to {account_id!r}.", "Sign in first.")

    def _client(self, account: Account) -> BlanklyClient:
        clients = self._local.__dict__.setdefault("clients", {})
        key = (account.server, account.token)
        if key not in clients:
            clients[key] = BlanklyClient(account.server, account.token, patience=PATIENCE)
        return clients[key]

    def _one(self, account: Account) -> dict[str, Any]:
        state, error = "online", None
        etag, projects = self._said.get(account.id, ("", []))
        try:
            if account.embedded and not account.token:
                raise UnreachableError("It is not running.")
            if account.platform == "ubiops":
                from .overview_ubiops import ubiops_projects

                # many requests: not at each of the panel's questions
                if not etag or time.time() - float(etag) > UBIOPS_EVERY:
                    etag, projects = (
                        str(time.time()),
                        ubiops_projects(account.server, account.token),
                    )
            else:
                answer, etag = self._client(account).overview(etag)
                projects = projects if answer is None else nested(answer)
            self._said[account.id] = (etag, projects)
        except NotSignedInError as problem:
            state, error, projects = "signed-out", str(problem), []
        except DeployMagicsError as problem:
            state, error = "offline", str(problem)
        return {
            "id": account.id,
            "platform": account.platform,
            "server": account.server,
            "embedded": account.embedded,
            "user": "" if account.embedded else account.name,
            "state": state,
            "error": error,
            "projects": projects,
        }


def accounts() -> list[Account]:
    """All that are signed in; the server on this machine first, running or not.

    The token of one that does not run is empty.
    """
    found = []
    for platform, server, name in credentials.known():
        kept = credentials.load(platform, server, name)
        if kept is not None:
            found.append(Account(platform, server, name, kept.token))
    here = embedded.running()
    if here is not None:
        found.insert(0, Account("blankly", here.url, EMBEDDED, here.token))
    elif _embedded_is_chosen():
        found.insert(0, Account("blankly", "", EMBEDDED, ""))
    return found


def _embedded_is_chosen() -> bool:
    try:
        return chosen().server == EMBEDDED
    except NotSignedInError:
        return False


def nested(answer: Any) -> list[dict[str, Any]]:
    """The server's overview as the panel's tree: runs stand below their version."""
    projects = answer.get("projects", []) if isinstance(answer, Mapping) else answer
    return [
        {
            **_named(Project.of(item)),
            "models": [_model(model) for model in item.get("models") or ()],
        }
        for item in projects
    ]


def _model(answer: Mapping[str, Any]) -> dict[str, Any]:
    runs = [Run.of(item) for item in answer.get("runs") or ()]
    versions = [_version(item, runs) for item in answer.get("versions") or ()]
    versions.sort(key=lambda version: version["number"], reverse=True)
    return {**_named(ModelInfo.of(answer)), "versions": versions}


def _version(answer: Mapping[str, Any], runs: Sequence[Run]) -> dict[str, Any]:
    version = Version.of(answer)
    own = [Run.of(item) for item in answer.get("runs") or ()]
    own += [run for run in runs if run.version_id == version.id]
    return {
        "id": version.id,
        "number": version.number or 0,
        "name": f"v{version.number}",
        "description": version.description,
        "createdAt": seconds(version.created_at),
        "plan": version.plan,
        "state": version.state or None,
        "status": "",
        "runs": [run_shape(run) for run in own[:RUNS_SHOWN]],
    }


def _named(thing: Project | ModelInfo) -> dict[str, Any]:
    return {"id": thing.id, "name": thing.name, "description": thing.description}


def run_shape(run: Run) -> dict[str, Any]:
    """One run as the panel's JSON."""
    done, total = run.progress.get("done"), run.progress.get("total")
    return {
        "id": run.id,
        "kind": run.kind,
        "state": run.state,
        "createdAt": seconds(run.created_at),
        "startedAt": seconds(run.started_at),
        "endedAt": seconds(run.ended_at),
        "description": run.description,
        "error": run.error or None,
        "progress": done / total if done is not None and total else None,
    }


def seconds(at: datetime | None) -> float | None:
    """Seconds since the epoch."""
    return at.timestamp() if at is not None else None
