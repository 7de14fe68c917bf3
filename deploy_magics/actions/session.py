"""Which server we speak to, and as whom."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from .. import credentials
from ..credentials import home, write_private
from ..errors import NotSignedInError
from ..platforms.blankly import BlanklyClient
from . import embedded
from .workspace import current

EMBEDDED = "embedded"
PATIENCE = 60.0


@dataclass(frozen=True)
class Place:
    """A platform and a server of it; ``server`` is ``embedded`` for the one on this machine."""

    platform: str
    server: str


def client(
    server: str | None = None,
    platform: str | None = None,
    *,
    patience: float = PATIENCE,
    start: bool = True,
) -> BlanklyClient:
    """A client that is signed in: at ``server``, else where the user signed in last.

    Args:
        patience: seconds that one call may wait in all for a server that is away.
        start: start the server on this machine where it is meant and does not run.

    Raises:
        NotSignedInError: nobody signed in there.
    """
    place = Place(platform or "blankly", server) if server else chosen()
    url, token = address(place, start=start)
    workspace = current()
    if workspace.client is not None and workspace.client_of == (url, token):
        found: BlanklyClient = workspace.client
        return found
    made = BlanklyClient(url, token, patience=patience)
    if patience >= PATIENCE:
        _drop_client()
        workspace.client, workspace.client_of = made, (url, token)
    return made


def chosen() -> Place:
    """Where the user signed in last; the environment wins, for programs."""
    named = os.environ.get("DEPLOY_MAGICS_SERVER")
    if named:
        return Place("blankly", named)
    try:
        kept = json.loads((home() / "place.json").read_text(encoding="utf-8"))
        return Place(str(kept["platform"]), str(kept["server"]))
    except (OSError, ValueError, KeyError):
        raise NotSignedInError(
            "Nobody is signed in to a deployment server.",
            "Say %deploy_login; without arguments it starts one on this machine.",
        ) from None


def choose(place: Place) -> None:
    """Speak to that server from now on, in later kernels too."""
    write_private(
        home() / "place.json", json.dumps({"platform": place.platform, "server": place.server})
    )
    _drop_client()


def forget_choice() -> None:
    (home() / "place.json").unlink(missing_ok=True)
    _drop_client()


def _drop_client() -> None:
    workspace = current()
    if workspace.client is not None:
        workspace.client.close()
        workspace.client = None


def address(place: Place | None = None, *, start: bool = True) -> tuple[str, str]:
    """A server's address and our token for it; where the user signed in last, if none is named.

    Raises:
        NotSignedInError: nobody signed in there.
    """
    place = place or chosen()
    if place.server == EMBEDDED:
        found = embedded.ensure_running() if start else embedded.running()
        if found is None:
            raise NotSignedInError("The server on this machine does not run.", "Say %deploy_login.")
        return found.url, found.token
    named, token = os.environ.get("DEPLOY_MAGICS_SERVER"), os.environ.get("DEPLOY_MAGICS_TOKEN")
    if token and named and credentials.origin(named) == credentials.origin(place.server):
        return place.server, token
    kept = credentials.load(place.platform, place.server)
    if kept is None:
        raise NotSignedInError(
            f"Nobody is signed in to {place.server}.",
            f"Say %deploy_login --server {place.server}.",
        )
    return place.server, kept.token
