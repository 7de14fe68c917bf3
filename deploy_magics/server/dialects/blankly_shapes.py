"""How our objects look in Blankly's API and in what we add to it. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deploy_magics.server.services.orders import Outcome
from deploy_magics.server.services.overview import Latest
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.tables import (
    Model,
    Project,
    Revision,
    Run,
    Schedule,
    Token,
    Variable,
    Version,
)


def project(row: Project) -> dict[str, Any]:
    return {
        "projectId": row.id,
        "name": row.name,
        "description": row.description,
        "createdAt": row.created_at,
        "personal": row.id == row.account_id,
    }


def model(row: Model, schedule: Schedule | None = None) -> dict[str, Any]:
    return {
        "id": row.id,
        "modelId": row.id,
        "projectId": row.project_id,
        "name": row.name,
        "type": row.kind,
        "description": row.description,
        "generalDescription": row.description,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "schedule": schedule.cron if schedule else None,
        "nextRunAt": schedule.next_at if schedule and schedule.enabled else None,
    }


def version(row: Version, revision: Revision | None, latest: Run | None) -> dict[str, Any]:
    """``latest``: the version's latest live run, else its latest run of any kind."""
    return {
        "versionId": row.id,
        "version": row.number,
        "name": row.name,
        "modelId": row.model_id,
        "description": row.description,
        "versionDescription": row.description,
        "createdAt": row.created_at,
        "sha256": revision.sha256 if revision else None,
        "size": revision.size if revision else 0,
        "plan": row.plan,
        "pythonVersion": row.python_version,
        "rollbackOf": row.rollback_of,
        "state": latest.state if latest else None,
        "runId": latest.id if latest else None,
    }


def run(row: Run, number: int | None = None) -> dict[str, Any]:
    return {
        "id": row.id,
        "runId": row.id,
        "kind": row.kind,
        "state": row.state,
        "wanted": row.wanted,
        "live": row.live,
        "attempts": row.attempts,
        "restarts": row.restarts,
        "notBefore": row.not_before if row.state == "queued" else None,
        "createdAt": row.created_at,
        "startedAt": row.started_at,
        "endedAt": row.ended_at,
        "error": row.error,
        "progress": row.progress,
        "projectId": row.project_id,
        "modelId": row.model_id,
        "versionId": row.version_id,
        "version": number,
        "plan": row.plan,
        "args": row.args,
        "feed": row.feed or ({"kind": "exchange"} if row.live else None),
        "description": row.description,
    }


def outcome(found: Outcome, **more: Any) -> dict[str, Any]:
    return {
        "status": "success",
        "timestamp": found.version.created_at if found.run is None else found.run.created_at,
        "projectId": found.model.project_id,
        "modelId": found.model.id,
        "versionId": found.version.id,
        "version": found.version.number,
        "runId": found.run.id if found.run else None,
        **more,
    }


def variable(row: Variable) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "value": row.value, "secret": row.secret}


def token(row: Token, who: Principal) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes.split(),
        "projectId": row.project_id,
        "createdAt": row.created_at,
        "usedAt": row.used_at,
        "expiresAt": row.expires_at,
        "current": row.id == who.token_id,
    }


def overview(latest: Latest) -> list[dict[str, Any]]:
    """Projects with their models, those with their latest versions and runs, newest first."""
    numbers = {row.id: row.number for row in latest.versions}
    runs: dict[str, list[Run]] = {}
    for row in latest.runs:
        runs.setdefault(row.model_id or "", []).append(row)
    live = newest_by_version(latest.runs)
    versions: dict[str, list[dict[str, Any]]] = {}
    for each in latest.versions:
        shown = version(each, each, live.get(each.id))
        versions.setdefault(each.model_id, []).append(shown)
    models: dict[str, list[dict[str, Any]]] = {}
    for found in latest.models:
        models.setdefault(found.project_id, []).append(
            {
                **model(found, latest.schedules.get(found.id)),
                "versionCount": latest.version_counts.get(found.id, 0),
                "versions": versions.get(found.id, []),
                "runs": [run(r, numbers.get(r.version_id or "")) for r in runs.get(found.id, [])],
            }
        )
    return [{**project(row), "models": models.get(row.id, [])} for row in latest.projects]


def newest_by_version(runs: Sequence[Run]) -> dict[str, Run]:
    """Each version's latest live run, else its latest; ``runs`` has the newest first."""
    found: dict[str, Run] = {}
    for row in [*(r for r in runs if r.kind == "live"), *runs]:
        if row.version_id:
            found.setdefault(row.version_id, row)
    return found
