"""Which UbiOps service we speak to, as whom, and in which of its projects."""

from __future__ import annotations

import os

from .. import credentials
from ..errors import NotSignedInError, UsageError
from ..platforms.ubiops import DEFAULT_SERVER, UbiopsClient
from ..platforms.ubiops_types import Deployment, Version
from . import session
from .workspace import current

PLATFORM = "ubiops"
DEFAULT_VERSION = "v1"
_chosen: dict[str, str] = {}  # the project used last, by server
_deployed: dict[str, str] = {}  # the deployment used last, by server


def client(server: str | None = None) -> UbiopsClient:
    """A client that is signed in.

    Without ``server``: UbiOps' own variables, else the UbiOps service signed in to last, else the
    deployment server in use, which speaks this API too and takes the same token.

    Raises:
        NotSignedInError: there is none of them.
    """
    token = os.environ.get("UBIOPS_API_TOKEN")
    if token and server is None:
        return UbiopsClient(os.environ.get("UBIOPS_API_HOST") or DEFAULT_SERVER, token)
    if server is None:
        kept = [entry for entry in credentials.known() if entry[0] == PLATFORM]
        server = kept[-1][1] if kept else None
    if server is not None:
        found = credentials.load(PLATFORM, server)
        if found is None:
            raise NotSignedInError(
                f"Nobody is signed in to {server}.",
                f"Say %deploy_login --platform ubiops --server {server}.",
            )
        return UbiopsClient(server, found.token)
    try:
        url, token = session.address(session.chosen())
    except NotSignedInError:
        raise NotSignedInError(
            "Nobody is signed in to UbiOps.",
            "Say %deploy_login --platform ubiops, or %deploy_login for a server on this machine.",
        ) from None
    return UbiopsClient(url, token)


def project_of(here: UbiopsClient, project: str | None) -> str:
    """The project that is meant: the named one, the one used last, else the only or first one."""
    names = [each.name for each in here.projects()]
    chosen = project or _chosen.get(here.server)
    if chosen is None and names:
        chosen = names[0]
    if chosen not in names:
        raise UsageError(
            f"There is no project {chosen!r} at {here.server}." if chosen else "No project yet.",
            f"Projects: {', '.join(names)}." if names else "Create one first.",
        )
    _chosen[here.server] = chosen
    return chosen


def deployment_of(here: UbiopsClient, project: str, name: str | None) -> Deployment:
    """The deployment that is meant: the named one, else the one deployed last."""
    name = name or _deployed.get(here.server) or current().model_name
    if not name:
        raise UsageError("Which deployment?", "Name it with --deployment.")
    return here.deployment(project, name)


def version_of(here: UbiopsClient, deployment: Deployment, version: str | None) -> Version:
    """The version that is meant: the named one, else the deployment's default."""
    name = version or deployment.default_version or DEFAULT_VERSION
    return here.version(deployment.project, deployment.name, name)


def remember(here: UbiopsClient, deployment: str) -> None:
    """What was deployed is what later calls mean where they name nothing."""
    _deployed[here.server] = deployment
