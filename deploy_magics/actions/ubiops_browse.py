"""UbiOps' projects, deployments, versions and revisions, in the words of the projects' list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from ..platforms.blankly_types import ModelInfo, Project, moment
from ..platforms.ubiops import UbiopsClient
from ..platforms.ubiops_types import Deployment, Revision, Version
from .projects import Projects
from .ubiops_session import client

STATES = {"queued": "queued", "building": "building", "validating": "building",
          "success": "succeeded", "failed": "failed"}  # fmt: skip
SEPARATOR = ":"
EVENTS = 500


@dataclass(frozen=True)
class Shown:
    """One revision of a version; the one that serves is marked in its name."""

    id: str
    number: int
    name: str
    state: str
    description: str
    created_at: datetime | None
    steps: tuple[str, ...] = ()  # what can be done about it


class Browser:
    """Answers as a ``BlanklyClient`` does to who looks through projects, models and versions.

    A revision stands where Blankly has a version: each upload makes one. Nothing is started or
    stopped there: a deployment answers requests as long as it has a revision that serves.
    """

    def __init__(self, here: UbiopsClient) -> None:
        self._here = here

    def projects(self) -> list[Project]:
        return [
            Project(each.name, each.name, each.organization_name) for each in self._here.projects()
        ]

    def models(self, project: str) -> list[ModelInfo]:
        return [
            ModelInfo(place_id(project, each.name), each.name)
            for each in self._here.deployments(project)
        ]

    def versions(self, model: str) -> list[Shown]:
        """Every revision of every version, the oldest first."""
        project, deployment = model.split(SEPARATOR)
        found = [
            (version, revision)
            for version in self._here.versions(project, deployment)
            for revision in self._here.revisions(project, deployment, version.version)
        ]
        found.sort(key=lambda pair: (pair[0].creation_date or "", pair[1].creation_date or ""))
        return [_shown(model, number, *pair) for number, pair in enumerate(found, start=1)]

    def rollback(self, place: str) -> Revision:
        """Builds a former revision anew; it serves once that went well."""
        project, deployment, version, revision = place.split(SEPARATOR)
        return self._here.rebuild(project, deployment, version, revision)

    def revisions(self, place: str) -> list[dict[str, Any]]:
        """The revisions of a version as the panel's JSON, the newest first."""
        project, deployment, name = place.split(SEPARATOR)
        version = self._here.version(project, deployment, name)
        found = self._here.revisions(project, deployment, name)
        found.sort(key=lambda each: each.creation_date or "", reverse=True)
        return [_revision(place, version, each) for each in found]

    def make_default(self, place: str) -> Deployment:
        """Requests that name no version go to this one from now on."""
        project, deployment, version = place.split(SEPARATOR)
        return self._here.update_deployment(project, deployment, default_version=version)

    def activity(self, place: str) -> str:
        """What was done to the deployment and by whom, the oldest first."""
        project, deployment = place.split(SEPARATOR)[:2]
        events = list(islice(self._here.audit(project, deployment), EVENTS))
        return "".join(
            f"{each.date or ''}  {each.user or ''}  {each.event}\n" for each in reversed(events)
        )


def place_id(*names: str) -> str:
    """One text for a place; no name over there has a colon in it."""
    return SEPARATOR.join(names)


def _revision(place: str, version: Version, revision: Revision) -> dict[str, Any]:
    made = moment(revision.creation_date)
    return {
        "id": place_id(place, revision.id),
        "name": revision.id[:8],
        "state": STATES.get(revision.status or "", "queued"),
        "status": revision.status or "",
        "serves": revision.id == version.active_revision,
        "createdAt": made.timestamp() if made else None,
        "by": revision.created_by or "",
        "steps": [] if revision.id == version.active_revision else ["activate"],
        "error": revision.error_message or None,
    }


def _shown(model: str, number: int, version: Version, revision: Revision) -> Shown:
    serves = revision.id == version.active_revision
    return Shown(
        place_id(model, version.version, revision.id),
        number,
        f"{version.version} · {revision.id[:8]}{' (serves)' if serves else ''}",
        STATES.get(revision.status or "", revision.status or ""),
        revision.error_message or version.description or "",
        moment(revision.creation_date),
        () if serves else ("rollback",),
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
