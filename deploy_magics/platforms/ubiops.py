"""Client of UbiOps' Deployments API, and of any server that speaks it (ours does).

The operations are those of https://ubiops.com/docs/ (Python client, Deployments), with projects
and requests beside them. The variables of a project, a deployment and a version are three levels
of one thing, told apart by how much of the address is given; so is the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from deploy_magics.errors import UnreachableError, UsageError
from deploy_magics.platforms import ubiops_types as types
from deploy_magics.platforms.session import Session
from deploy_magics.platforms.ubiops_address import (
    TokenAuth,
    address,
    labels_query,
    path_of,
    place_of,
)
from deploy_magics.platforms.ubiops_files import file_name, save_stream

DEFAULT_SERVER = "https://api.ubiops.com/v2.1"
AUDIT_PAGE = 50
REQUEST_TIMEOUT = (5.0, 630.0)
"""Seconds to connect, and to wait for a request's answer: its process may have to start first."""


class UbiopsClient:
    """One server, one token. Every method raises the classes under ``PlatformError``."""

    def __init__(
        self, server: str = DEFAULT_SERVER, token: str = "", *, session: Session | None = None
    ) -> None:
        self.server = address(server)
        self._session = session or Session(self.server, auth=TokenAuth(token))

    def __repr__(self) -> str:
        return f"UbiopsClient({self.server!r})"

    def _json(
        self,
        method: str,
        *parts: str,
        json: object = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        return self._session.json(method, path_of(*parts), json=json, params=params)

    # who and where

    def user(self) -> types.User:
        """Who the token belongs to; the cheapest check of a token."""
        return types.User.read(self._json("GET", "user"))

    def projects(self) -> list[types.Project]:
        return types.Project.read_all(self._json("GET", "projects"))

    def templates(self) -> list[types.Template]:
        return types.Template.read_all(self._json("GET", "template-deployments"))

    # deployments

    def deployments(
        self, project: str, *, labels: Mapping[str, str] | None = None
    ) -> list[types.Deployment]:
        found = self._json("GET", *place_of(project), "deployments", params=labels_query(labels))
        return types.Deployment.read_all(found)

    def create_deployment(self, project: str, name: str, **fields: Any) -> types.Deployment:
        """``fields`` are the API's: input_type, output_type, input_fields, output_fields,
        description, labels."""
        body = {"name": name, **fields}
        made = self._json("POST", *place_of(project), "deployments", json=body)
        return types.Deployment.read(made)

    def deployment(self, project: str, name: str) -> types.Deployment:
        return types.Deployment.read(self._json("GET", *place_of(project, name)))

    def update_deployment(self, project: str, name: str, **fields: Any) -> types.Deployment:
        changed = self._json("PATCH", *place_of(project, name), json=fields)
        return types.Deployment.read(changed)

    def delete_deployment(self, project: str, name: str) -> None:
        self._json("DELETE", *place_of(project, name))

    # versions

    def versions(
        self, project: str, deployment: str, *, labels: Mapping[str, str] | None = None
    ) -> list[types.Version]:
        place = place_of(project, deployment)
        return types.Version.read_all(
            self._json("GET", *place, "versions", params=labels_query(labels))
        )

    def create_version(
        self, project: str, deployment: str, version: str, **fields: Any
    ) -> types.Version:
        body = {"version": version, **fields}
        made = self._json("POST", *place_of(project, deployment), "versions", json=body)
        return types.Version.read(made)

    def version(self, project: str, deployment: str, version: str) -> types.Version:
        return types.Version.read(self._json("GET", *place_of(project, deployment, version)))

    def update_version(
        self, project: str, deployment: str, name: str, **fields: Any
    ) -> types.Version:
        """``fields`` are the API's; ``version=`` renames it."""
        changed = self._json("PATCH", *place_of(project, deployment, name), json=fields)
        return types.Version.read(changed)

    def delete_version(self, project: str, deployment: str, version: str) -> None:
        self._json("DELETE", *place_of(project, deployment, version))

    # revisions and builds

    def revisions(self, project: str, deployment: str, version: str) -> list[types.Revision]:
        place = place_of(project, deployment, version)
        return types.Revision.read_all(self._json("GET", *place, "revisions"))

    def revision(
        self, project: str, deployment: str, version: str, revision: str
    ) -> types.Revision:
        place = place_of(project, deployment, version)
        return types.Revision.read(self._json("GET", *place, "revisions", revision))

    def build(self, project: str, deployment: str, version: str, build: str) -> types.Build:
        place = place_of(project, deployment, version)
        return types.Build.read(self._json("GET", *place, "builds", build))

    def upload(
        self,
        project: str,
        deployment: str,
        version: str,
        package: Path | str,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> types.Uploaded:
        """Upload a zip as a new revision, in constant memory; its build begins at once.

        Args:
            package: path of the zip.
            on_progress: called with the bytes sent and their total.
        """
        package = Path(package)
        if not package.is_file():
            raise UsageError(f"There is no file {package}.")
        file = {"file": (file_name("", package.name), package, "application/zip")}
        path = path_of(*place_of(project, deployment, version), "revisions")
        return types.Uploaded.read(self._session.post(path, files=file, on_progress=on_progress))

    def upload_copy(
        self,
        project: str,
        deployment: str,
        version: str,
        *,
        source_deployment: str | None = None,
        source_version: str | None = None,
        template: str | None = None,
    ) -> types.Uploaded:
        """A new revision from another version's file, or from a template (its id)."""
        given = {
            "source_deployment": source_deployment,
            "source_version": source_version,
            "template_deployment_id": template,
        }
        path = path_of(*place_of(project, deployment, version), "revisions")
        return types.Uploaded.read(self._session.post(path, data=given, files={}))

    def rebuild(self, project: str, deployment: str, version: str, revision: str) -> types.Revision:
        """Build a revision's file again; what is built becomes the active revision."""
        place = place_of(project, deployment, version)
        made = self._json("POST", *place, "revisions", revision, "rebuild", json={})
        return types.Revision.read(made)

    def download(
        self, project: str, deployment: str, version: str, revision: str, folder: Path | str = "."
    ) -> Path:
        """The very zip of a revision, saved in ``folder`` under the name that the server gives,
        stripped of any path; a file that is there already is never overwritten."""
        place = place_of(project, deployment, version)
        path = path_of(*place, "revisions", revision, "download")
        with self._session.request("GET", path, stream=True) as answer:
            name = file_name(answer.headers.get("Content-Disposition", ""), f"{deployment}.zip")
            try:
                return save_stream(answer.iter_content(1 << 20), Path(folder), name)
            except requests.RequestException:
                raise UnreachableError(
                    f"The download of {name} broke off.", "Nothing was saved; try again."
                ) from None

    # environment variables, at the level that the address names

    def variables(
        self, project: str, deployment: str | None = None, version: str | None = None
    ) -> list[types.Variable]:
        """The variables in force there, inherited ones included."""
        place = place_of(project, deployment, version)
        return types.Variable.read_all(self._json("GET", *place, "environment-variables"))

    def variable(
        self, project: str, deployment: str | None, version: str | None, variable: str
    ) -> types.Variable:
        """One variable of that very level, by its id (our server: or its name)."""
        place = place_of(project, deployment, version)
        return types.Variable.read(self._json("GET", *place, "environment-variables", variable))

    def set_variable(
        self,
        project: str,
        deployment: str | None,
        version: str | None,
        name: str,
        value: str,
        *,
        secret: bool | None = None,
    ) -> types.Variable:
        """Create a variable or change it; a secret stays one where ``secret`` is not given."""
        place = place_of(project, deployment, version)
        own = {
            each.name: each
            for each in self.variables(project, deployment, version)
            if each.inheritance_type is None
        }
        body = {"name": name, "value": value, "secret": bool(secret)}
        if name not in own:
            made = self._json("POST", *place, "environment-variables", json=body)
            return types.Variable.read(made)
        if secret is None:
            body["secret"] = own[name].secret
        at = [*place, "environment-variables", own[name].id]
        return types.Variable.read(self._json("PATCH", *at, json=body))

    def delete_variable(
        self, project: str, deployment: str | None, version: str | None, variable: str
    ) -> None:
        place = place_of(project, deployment, version)
        self._json("DELETE", *place, "environment-variables", variable)

    def copy_variables(
        self,
        project: str,
        deployment: str,
        version: str | None = None,
        *,
        source_deployment: str,
        source_version: str | None = None,
    ) -> list[types.Variable]:
        """Copy variables from another deployment or version; the copied ones come back."""
        body = {"source_deployment": source_deployment}
        if source_version:
            body["source_version"] = source_version
        place = place_of(project, deployment, version)
        copied = self._json("POST", *place, "copy-environment-variables", json=body)
        return types.Variable.read_all(copied)

    # audit and requests

    def audit(
        self, project: str, deployment: str | None = None, *, action: str | None = None
    ) -> Iterator[types.AuditEvent]:
        """All audit events, as the server orders them, fetched by pages as they are read."""
        place, offset = place_of(project, deployment), 0
        while True:
            params: dict[str, Any] = {"limit": AUDIT_PAGE, "offset": offset}
            if action:
                params["action"] = action
            page = types.AuditEvent.read_all(self._json("GET", *place, "audit", params=params))
            yield from page
            if len(page) < AUDIT_PAGE:
                return
            offset += len(page)

    def request(
        self, project: str, deployment: str, data: object, version: str | None = None
    ) -> types.Request:
        """Send one request and wait for its answer."""
        place = place_of(project, deployment, version)
        path = path_of(*place, "requests")
        return types.Request.read(self._session.post(path, json=data, timeout=REQUEST_TIMEOUT))
