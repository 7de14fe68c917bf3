"""Versions: what is in one, its zip again, a rollback, another run of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse

from deploy_magics.errors import NotFoundError
from deploy_magics.server.dialects import blankly_shapes as shapes
from deploy_magics.server.dialects.blankly_call import Call, calling, reading, takes
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal

JSON = "application/json"


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["versions"])
    reader, writes = reading(services), calling(services)

    @made.get("/version/{version_id}")
    def one(version_id: str, who: Principal = reader) -> dict[str, Any]:
        row = services.versions.get(who, version_id)
        runs = services.runs.list(who, version_id=row.id, limit=1000)
        revision = services.versions.active_revision(row)
        return shapes.version(row, revision, shapes.newest_by_version(runs).get(row.id))

    @made.get("/version/{version_id}/package", response_class=FileResponse)
    def package(version_id: str, who: Principal = reader) -> FileResponse:
        row = services.versions.get(who, version_id)
        revision = services.versions.active_revision(row)
        if revision is None or revision.sha256 is None:
            raise NotFoundError("This version has no uploaded zip.", status=404)
        return FileResponse(
            services.blobs.path(revision.sha256),
            media_type="application/zip",
            filename=f"model-v{row.number}.zip",
            headers={"ETag": f'"{revision.sha256}"'},
        )

    @made.post(
        "/version/{version_id}/rollback", openapi_extra=takes(JSON, description="why, optional")
    )
    def rollback(version_id: str, call: Call = writes) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            message = call.fields.maybe("description")
            return shapes.outcome(services.deployments.rollback(call.who, version_id, message))

        return call.once(work)

    @made.post(
        "/version/{version_id}/run",
        openapi_extra=takes(JSON, feed="an object", live="true: real orders", plan="a plan"),
    )
    def run(version_id: str, call: Call = writes) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            row = services.deployments.run(
                call.who,
                version_id,
                feed=call.fields.json("feed"),
                live=call.fields.flag("live"),
                plan=call.fields.maybe("plan"),
            )
            return shapes.run(row, services.versions.get(call.who, version_id).number)

        return call.once(work)

    @made.get("/package/{sha256}")
    def known(sha256: str, who: Principal = reader) -> dict[str, Any]:
        blob = services.uploads.require(who, sha256)
        return {"sha256": blob.sha256, "size": blob.size}

    return made
