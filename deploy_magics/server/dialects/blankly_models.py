"""Models: created, listed, told in full, deleted; and everything at one glance."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from deploy_magics.server.dialects import blankly_shapes as shapes
from deploy_magics.server.dialects.blankly_call import LIMIT, OFFSET, Call, calling, reading, takes
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.tables import Model, Version

_LATEST_RUNS = 100


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["models"])
    reader, reads, writes = reading(services), calling(services, "read"), calling(services)

    @made.post(
        "/model/create-model",
        openapi_extra=takes(
            projectId="the project!",
            type="strategy or screener",
            name="the name!",
            description="what it does",
        ),
    )
    def create(call: Call = writes) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            row = services.models.create(
                call.who,
                call.fields.maybe("projectId") or call.who.account_id,
                call.fields.text("name"),
                kind=call.fields.maybe("type") or "strategy",
                description=call.fields.maybe("description") or "",
            )
            return {"status": "success", **shapes.model(row)}

        return call.once(work)

    @made.post("/model/list", openapi_extra=takes(projectId="the project, else your own"))
    def list_models(call: Call = reads) -> list[dict[str, Any]]:
        project_id = call.fields.maybe("projectId") or call.who.account_id
        return [shapes.model(row) for row in services.models.list(call.who, project_id)]

    @made.get("/model/status")
    def status(who: Principal = reader) -> list[dict[str, Any]]:
        latest = services.overview.latest(who)
        live = {row.model_id: row for row in reversed(latest.runs) if row.kind == "live"}
        return [
            {
                **shapes.model(row, latest.schedules.get(row.id)),
                "status": live[row.id].state if row.id in live else "inactive",
                "run": shapes.run(live[row.id]) if row.id in live else None,
            }
            for row in latest.models
        ]

    @made.post("/model/details", openapi_extra=takes(projectId="the project", modelId="the model!"))
    def details(call: Call = reads) -> dict[str, Any]:
        project_id = call.fields.maybe("projectId")
        personal = project_id in (None, call.who.account_id)
        model_id = call.fields.text("modelId")
        row = services.models.get(call.who, model_id, project_id=None if personal else project_id)
        return full(call.who, row)

    @made.get("/overview", response_model=None)
    def overview(request: Request, who: Principal = reader) -> Response:
        etag = f'"{services.overview.fingerprint(who)}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = {"projects": shapes.overview(services.overview.latest(who))}
        return JSONResponse(body, headers=headers)

    @made.get("/model/{model_id}")
    def one(model_id: str, who: Principal = reader) -> dict[str, Any]:
        return full(who, services.models.get(who, model_id))

    @made.get("/model/{model_id}/versions")
    def versions(
        model_id: str, limit: int = LIMIT, offset: int = OFFSET, who: Principal = reader
    ) -> list[dict[str, Any]]:
        rows = services.versions.list(who, model_id, limit=limit, offset=offset)
        return shown(who, model_id, list(rows))

    @made.delete("/model/{model_id}")
    def delete(model_id: str, call: Call = writes) -> dict[str, Any]:
        services.models.delete(call.who, model_id)
        return {"status": "success"}

    def full(who: Principal, row: Model) -> dict[str, Any]:
        rows = services.versions.list(who, row.id, limit=1000)
        numbers = {version.id: version.number for version in rows}
        runs = services.runs.list(who, model_id=row.id, limit=_LATEST_RUNS)
        return {
            **shapes.model(row, services.schedules.of_model(row.id)),
            "versions": shown(who, row.id, list(rows)),
            "runs": [shapes.run(run, numbers.get(run.version_id or "")) for run in runs],
        }

    def shown(who: Principal, model_id: str, rows: list[Version]) -> list[dict[str, Any]]:
        runs = services.runs.list(who, model_id=model_id, limit=1000)
        live = shapes.newest_by_version(runs)
        revisions = services.versions.active_revisions(rows)
        return [shapes.version(row, revisions.get(row.id), live.get(row.id)) for row in rows]

    return made
