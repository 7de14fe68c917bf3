"""What the panel shows of a UbiOps account."""

from __future__ import annotations

from typing import Any

from ..platforms.blankly_types import moment
from ..platforms.ubiops import UbiopsClient

STATES = {"available": "succeeded", "building": "building", "failed": "failed"}


def ubiops_projects(server: str, token: str) -> list[dict[str, Any]]:
    """Projects, deployments and versions, in the panel's words; one request for each deployment."""
    client = UbiopsClient(server, token)
    return [
        {
            "id": project.name,
            "name": project.name,
            "description": project.organization_name,
            "models": [
                {
                    "id": f"{project.name}/{each.name}",
                    "name": each.name,
                    "description": each.description or "",
                    "versions": _versions(client, project.name, each.name),
                }
                for each in client.deployments(project.name)
            ],
        }
        for project in client.projects()
    ]


def _versions(client: UbiopsClient, project: str, deployment: str) -> list[dict[str, Any]]:
    """The newest first."""
    shown: list[dict[str, Any]] = []
    for number, version in enumerate(client.versions(project, deployment), start=1):
        made = moment(version.creation_date)
        shown.append(
            {
                "id": f"{project}/{deployment}/{version.version}",
                "number": number,
                "name": version.version,
                "description": version.description or "",
                "createdAt": made.timestamp() if made else None,
                "plan": version.instance_type_group_name or "",
                "state": STATES.get(version.status),
                "status": version.status,
                "runs": [],
            }
        )
    return shown[::-1]
