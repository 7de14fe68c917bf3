"""What the panel shows of a UbiOps account."""

from __future__ import annotations

from typing import Any

from ..platforms.blankly_types import moment
from ..platforms.ubiops import UbiopsClient
from ..platforms.ubiops_types import Version
from .ubiops_browse import place_id

STATES = {"available": "succeeded", "building": "building", "failed": "failed"}


def ubiops_projects(client: UbiopsClient) -> list[dict[str, Any]]:
    """Projects, deployments and versions, in the panel's words; one request for each deployment."""
    return [
        {
            "id": project.name,
            "name": project.name,
            "description": project.organization_name,
            "models": [
                {
                    "id": place_id(project.name, each.name),
                    "name": each.name,
                    "description": each.description or "",
                    "versions": _versions(client, project.name, each.name),
                }
                for each in client.deployments(project.name)
            ],
        }
        for project in client.projects()
    ]


def settled(projects: list[dict[str, Any]]) -> bool:
    """Nothing is being built that would be different in a moment."""
    return not any(
        version["state"] == "building"
        for project in projects
        for model in project["models"]
        for version in model["versions"]
    )


def _versions(client: UbiopsClient, project: str, deployment: str) -> list[dict[str, Any]]:
    """The newest first."""
    shown = [
        _version(place_id(project, deployment, each.version), number, each)
        for number, each in enumerate(client.versions(project, deployment), start=1)
    ]
    return shown[::-1]


def _version(place: str, number: int, version: Version) -> dict[str, Any]:
    made = moment(version.creation_date)
    return {
        "id": place,
        "number": number,
        "name": version.version,
        "description": version.description or "",
        "createdAt": made.timestamp() if made else None,
        "plan": version.instance_type_group_name or "",
        "state": STATES.get(version.status),
        "status": version.status,
        "default": version.default is True,
        "steps": _steps(version),
        "revision": f"{version.active_revision} {version.latest_revision}",
        "runs": [],
    }


def _steps(version: Version) -> list[str]:
    """Only a version that is available can be the default one."""
    default = version.status == "available" and version.default is not True
    return ["revisions", "activity", *(["make-default"] if default else [])]
