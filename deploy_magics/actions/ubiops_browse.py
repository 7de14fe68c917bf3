"""UbiOps' projects, deployments, versions and revisions, in the words of the projects' list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..platforms.blankly_types import ModelInfo, Project, moment
from ..platforms.ubiops import UbiopsClient
from ..platforms.ubiops_types import Revision, Version
from .projects import Projects
from .ubiops_session import client

STATES = {"queued": "queued", "building": "building", "validating": "building",
          "success": "succeeded", "failed": "failed"}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """One revision of a version; the one that serves is marked in its name."""

    id: str
    number: int
    name: str
    state: str
    description: str
    created_at: datetime | None


class Browser:
    """Answers as a ``BlanklyClient`` does to who looks through projects, models and versions.

    A revision stands where Blankly has a version: each upload makes one.
    """

    steps = ("rollback",)

    def __init__(self, here: UbiopsClient) -> None:
        self._here = here

    def projects(self) -> list[Project]:
        return [
            Project(each.name, each.name, each.organization_name) for each in self._here.projects()
        ]

    def models(self, project: str) -> list[ModelInfo]:
        return [
            ModelInfo(f"{project}/{each.name}", each.name)
            for each in self._here.deployments(project)
        ]

    def versions(self, model: str) -> list[Shown]:
        """Every revision of every version, the oldest first."""
        project, deployment = model.split("/")
        found = [
            (version, revision)
            for version in self._here.versions(project, deployment)
            for revision in self._here.revisions(project, deployment, version.version)
        ]
        found.sort(key=lambda pair: (pair[0].creation_date or "", pair[1].creation_date or ""))
        return [_shown(model, number, *pair) for number, pair in enumerate(found, start=1)]

    def rollback(self, place: str) -> Revision:
        """Builds a former revision anew; it serves once that went well."""
        project, deployment, version, revision = place.split("/")
        return self._here.rebuild(project, deployment, version, revision)


def _shown(model: str, number: int, version: Version, revision: Revision) -> Shown:
    serves = " (serves)" if revision.id == version.active_revision else ""
    return Shown(
        f"{model}/{version.version}/{revision.id}",
        number,
        f"{version.version} · {revision.id[:8]}{serves}",
        STATES.get(revision.status or "", revision.status or ""),
        revision.error_message or version.description or "",
        moment(revision.creation_date),
    )


def projects() -> Projects:
    """The projects of the UbiOps service in use, with their deployments."""
    here = Browser(client())
    found: Sequence[Project] = here.projects()
    rows = [
        ["", each.name, each.description, ", ".join(m.name for m in here.models(each.id)), ""]
        for each in found
    ]
    return Projects(
        ["", "project", "organization", "deployments", ""],
        rows,
        empty="No project there.",
        projects=tuple(found),
        browse=lambda: here,
    )
