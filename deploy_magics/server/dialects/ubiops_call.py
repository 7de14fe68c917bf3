"""One call of UbiOps' API: who calls, what the address names, what the body says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy_magics.errors import NotFoundError, RejectedError
from deploy_magics.server.forms import Form
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.ubiops_revisions import Place, UbiopsRevisions
from deploy_magics.server.services.variables import Scope
from deploy_magics.server.store.tables import Model, Project

NOBODY = Principal("", "", scopes=frozenset())


class named:
    """What is not found inside is not found under UbiOps' name for it."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, NotFoundError):
            raise NotFoundError(f"{self._what} was not found", status=404) from None


@dataclass
class Call:
    """Looks up what the address names, each thing in the one before it.

    Raises (from all methods):
        NotFoundError: there is no such thing, or it is another account's.
    """

    services: Services
    who: Principal
    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: Form | None = None
    peer: str = ""

    @property
    def ubiops(self) -> UbiopsRevisions:
        s = self.services
        return UbiopsRevisions(s.store, s.audit, s.versions, s.runs, s.blobs, s.uploads)

    def given(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        if not isinstance(self.body, dict):
            raise RejectedError("The body of the request must be a JSON object", status=400)
        return self.body

    def project(self) -> Project:
        with named("Project"):
            return self.services.projects.by_name(self.who, self.path["project_name"])

    def deployment(self, name: str | None = None) -> Model:
        project = self.project()
        with named("Deployment"):
            return self.services.models.by_name(
                self.who, project.id, name or self.path["deployment_name"]
            )

    def place(self, deployment: str | None = None, version: str | None = None) -> Place:
        """The version that the address names, or another of the same project by name."""
        model = self.deployment(deployment)
        with named("Deployment version"):
            found = self.services.versions.by_name(
                self.who, model.id, version or self.path["version"]
            )
        return Place(model, found)

    def scope(self) -> tuple[Scope, dict[str, str]]:
        """Where variables lie by the address, and the names of the levels above."""
        project = self.project()
        names = {"project": project.name}
        if "deployment_name" not in self.path:
            return Scope(project.id), names
        model = self.deployment()
        names["model"] = model.name
        if "version" not in self.path:
            return Scope(project.id, model.id), names
        return Scope(project.id, model.id, self.place().version.id), names

    def number(self, name: str, otherwise: int, *, least: int = 0, most: int = 1000) -> int:
        """A whole number of the query."""
        text = self.query.get(name) or str(otherwise)
        if not text.isascii() or not text.isdigit() or not least <= int(text[:12]) <= most:
            raise RejectedError(f"{name} must be a whole number from {least} to {most}", status=400)
        return int(text)
