"""Requests to what is deployed on UbiOps."""

from __future__ import annotations

import json
from typing import Annotated, Any

from ..display import escape
from ..errors import ModelFailedError
from ..platforms.ubiops import UbiopsClient
from .kinds import Reads
from .ubiops_session import client, deployment_of, project_of, version_of


def request(
    data: Annotated[object, Reads("object")],
    *,
    deployment: str | None = None,
    version: str | None = None,
    project: str | None = None,
    server: str | None = None,
) -> Any:
    """Send a request to a deployment on UbiOps and show its answer.

    Args:
        data: what is sent: the name of an object in the kernel, or JSON.
        deployment: its name; left out, the one deployed last.
        version: the version; left out, the default one.
        project: the project's name.
        server: the service's address.

    Raises:
        ModelFailedError: the deployment raised.
    """
    here = client(server)
    found = deployment_of(here, project_of(here, project), deployment)
    name = version_of(here, found, version).version
    return Answer(send(here, found.project, found.name, name, data))


class Answer:
    """What a deployment answered; ``value`` is that itself."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return json.dumps(self.value, indent=1, ensure_ascii=False, default=str)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]


def send(here: UbiopsClient, project: str, deployment: str, version: str, data: object) -> Any:
    """The result of one request.

    Raises:
        ModelFailedError: the deployment raised, or it took too long.
    """
    done = here.request(project, deployment, data, version)
    if done.status != "completed":
        said = (done.error_message or done.status).rstrip(".")
        raise ModelFailedError(f"The request to {deployment} failed: {said}.")
    return done.result
