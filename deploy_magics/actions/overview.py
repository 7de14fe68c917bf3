"""What the panel shows: every account that is signed in, with its projects, models, versions, runs.

Works without a kernel. Each account answers for itself: one that cannot be reached is reported
as such, with what it said last, and does not keep the others waiting.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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
from ..platforms.ubiops import UbiopsClient
from . import embedded
from .overview_shape import nested
from .overview_ubiops import settled, ubiops_projects
from .session import EMBEDDED, chosen
from .ubiops_browse import Browser

PATIENCE = 2.0  # seconds: a panel asks again soon
UBIOPS_EVERY = 15.0  # seconds
SHOWN = ("blankly", "ubiops")  # platforms that have projects


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
            UsageError: its platform has no such thing.
        """
        account = self._account(account_id)
        if account.embedded and not account.token:
            raise UnreachableError(
                "The server on this machine does not run.", "Start it in the panel."
            )
        if account.platform != "blankly":
            raise UsageError(f"There is no such thing on {account.platform}.")
        return self._client(account)

    def ubiops(self, account_id: str) -> Browser:
        """The same for an account on UbiOps; what is asked next is asked there again."""
        account = self._account(account_id)
        if account.platform != "ubiops":
            raise UsageError(f"There is no such thing on {account.platform}.")
        self._said.pop(account_id, None)
        return Browser(UbiopsClient(account.server, account.token))

    def _account(self, account_id: str) -> Account:
        found = next((each for each in accounts() if each.id == account_id), None)
        if found is None:
            raise NotFoundError(f"Nobody is signed in to {account_id!r}.", "Sign in first.")
        return found

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
                etag, projects = _ubiops(account, etag, projects)
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
            "steps": ["create-project"] if account.platform == "blankly" else [],
            "projects": projects,
        }


def _ubiops(
    account: Account, asked: str, projects: list[dict[str, Any]]
) -> tuple[str, list[dict[str, Any]]]:
    """When it was asked and what it said: many requests, so not at each question of the panel."""
    pause = UBIOPS_EVERY if settled(projects) else PATIENCE
    if asked and time.time() - float(asked) < pause:
        return asked, projects
    return str(time.time()), ubiops_projects(UbiopsClient(account.server, account.token))


def accounts() -> list[Account]:
    """All that are signed in; the server on this machine first, running or not.

    The token of one that does not run is empty.
    """
    found = []
    for platform, server, name in credentials.known():
        if platform not in SHOWN:
            continue  # bots and signal services have no projects
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
