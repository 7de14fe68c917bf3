"""Deploy to UbiOps: a cell with a class ``Deployment``, or a Blankly model that is wrapped."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..display import escape, progress
from ..display.table import clean
from ..errors import ModelFailedError, NotFoundError, UsageError
from ..executor.data import PriceSet
from ..model import Model
from ..platforms.ubiops import UbiopsClient
from ..platforms.ubiops_types import Deployment, Revision, Version
from .feeds import prices_for
from .kinds import Source
from .ubiops_package import UbiopsPackage, package_of
from .ubiops_session import DEFAULT_VERSION, client, project_of, remember

POLL = 0.5
BUILD_SECONDS = 1800.0
SMALLEST_PYTHON, DEFAULT_PYTHON = (3, 7), "3.11"


@dataclass(frozen=True, repr=False)
class UbiopsDeployment:
    """A version on UbiOps, with the revision that was uploaded last."""

    server: str
    project: str
    name: str
    version: Version
    revision: Revision
    wrapped: bool = False

    @property
    def state(self) -> str:
        """queued, building, success or failed: the state of the revision's build."""
        return self.revision.status or "queued"

    def request(self, data: object) -> Any:
        """Send a request and give back its answer."""
        from .ubiops_requests import send

        return send(client(self.server), self.project, self.name, self.version.version, data)

    def _lines(self) -> list[tuple[str, str]]:
        active = self.version.active_revision
        methods = [
            name
            for name, has in (
                ("request", self.revision.has_request_method),
                ("requests", self.revision.has_requests_method),
            )
            if has
        ]
        return [
            ("build", self.state),
            ("version", f"{self.version.version} ({self.version.status})"),
            ("revision", self.revision.id + (" (active)" if active == self.revision.id else "")),
            ("methods", ", ".join(methods)),
            ("environment", self.version.environment_shown),
            ("project", self.project),
            ("server", self.server),
        ]

    def __repr__(self) -> str:
        lines = [f"  {name:<11}  {clean(text)}" for name, text in self._lines() if text]
        return "\n".join([clean(f"{self.name} {self.version.version} on UbiOps"), *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left;opacity:.75'>{escape(name)}</td>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in self._lines()
            if text
        )
        title = escape(f"{self.name} {self.version.version}")
        return f"<div><b>{title}</b> on UbiOps</div><table>{rows}</table>"


def deploy(
    model: Model,
    *,
    message: str = "",
    project: str | None = None,
    description: str = "",
    version: str | None = None,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
    data: Mapping[str, Source] | None = None,
    arguments: Mapping[str, Any] | None = None,
    wait: bool = True,
    server: str | None = None,
) -> UbiopsDeployment:
    """Upload the model as a new revision; the deployment and the version are made when missing.

    Args:
        model: a program with a class ``Deployment``, or a Blankly model, which is wrapped.
        message: description of a version that is made.
        project: the project's name.
        description: of a deployment that is made.
        version: the version's name, ``v1`` unless given.
        inputs, outputs: fields by name with their types; left out, read off the code.
        data: prices that a wrapped model runs on where a request brings none.
        arguments: of a wrapped model's backtest where a request says none.
        wait: until it is built.
        server: the service's address.

    Raises:
        ModelFailedError: the build failed; the active revision is what it was.
    """
    here = client(server)
    place = project_of(here, project)
    prices: PriceSet | None = prices_for(model, data, remembered=True)
    package = package_of(model, prices=prices, arguments=arguments, inputs=inputs, outputs=outputs)
    deployment = _deployment(
        here, place, name_of(model.name), package, description, inputs, outputs
    )
    made = _version(here, deployment, version or DEFAULT_VERSION, model, message)
    remember(here, deployment.name)
    revision = _upload(here, deployment, made, package)
    if wait:
        revision = await_build(here, deployment, made.version, revision)
    made = here.version(place, deployment.name, made.version)
    shown = UbiopsDeployment(here.server, place, deployment.name, made, revision, package.wrapped)
    if revision.status == "failed":
        raise build_failed(shown)
    return shown


def name_of(model_name: str) -> str:
    """A model's name as UbiOps takes it: small letters, digits and dashes, a letter first."""
    name = re.sub(r"[^a-z0-9]+", "-", model_name.lower()).strip("-")[:64].rstrip("-")
    if not name:
        raise UsageError("UbiOps needs a name of letters and digits.", "Give it with --name.")
    return name if name[0].isalpha() else f"d-{name}"[:64]


def _deployment(
    here: UbiopsClient,
    project: str,
    name: str,
    package: UbiopsPackage,
    description: str,
    inputs: Mapping[str, str] | None,
    outputs: Mapping[str, str] | None,
) -> Deployment:
    """The deployment of that name, made when it is missing; fields that are said are changed."""
    try:
        found = here.deployment(project, name)
    except NotFoundError:
        return here.create_deployment(
            project,
            name,
            description=description[:400],
            input_type="structured" if package.inputs else "plain",
            output_type="structured" if package.outputs else "plain",
            input_fields=package.inputs,
            output_fields=package.outputs,
        )
    said: dict[str, Any] = {"description": description[:400]} if description else {}
    if inputs is not None:
        said["input_fields"] = package.inputs
    if outputs is not None:
        said["output_fields"] = package.outputs
    return here.update_deployment(project, name, **said) if said else found


def _version(
    here: UbiopsClient, deployment: Deployment, name: str, model: Model, message: str
) -> Version:
    try:
        return here.version(deployment.project, deployment.name, name)
    except NotFoundError:
        python = model.manifest.python_version or DEFAULT_PYTHON
        environment = "python" + "-".join(python.split(".")[:2])
        return here.create_version(
            deployment.project,
            deployment.name,
            name,
            environment=environment,
            description=message[:400],
        )


def _upload(
    here: UbiopsClient, deployment: Deployment, version: Version, package: UbiopsPackage
) -> Revision:
    with (
        tempfile.TemporaryDirectory(prefix="deploy_magics-") as folder,
        progress(None, f"Uploading {deployment.name}") as line,
    ):
        path = package.write(Path(folder) / f"{deployment.name}.zip")
        place = (deployment.project, deployment.name, version.version)
        sent = here.upload(*place, path, on_progress=line.update)
        return here.revision(*place[:2], version.version, sent.revision)


def await_build(
    here: UbiopsClient, deployment: Deployment, version: str, revision: Revision
) -> Revision:
    """Watch a build until it has ended; an interrupt ends the watching and not the build."""
    until = time.monotonic() + BUILD_SECONDS
    pause = 0.1
    with progress(None, f"{deployment.name} {version}: {revision.status}") as line:
        try:
            while not revision.ended and time.monotonic() < until:
                time.sleep(pause)
                pause = min(pause * 1.5, POLL)
                revision = here.revision(deployment.project, deployment.name, version, revision.id)
                line.label = f"{deployment.name} {version}: {revision.status}"
                line.update(0)
        except KeyboardInterrupt:
            pass
    return revision


def build_failed(shown: UbiopsDeployment) -> ModelFailedError:
    """The error for a build that failed, with what the service said."""
    serves = shown.version.active_revision
    hint = f"Revision {serves} goes on serving." if serves else ""
    said = (shown.revision.error_message or "no reason was given").rstrip(".")
    return ModelFailedError(f"The build of {shown.name} failed: {said}.", hint)
