"""Environment variables of a project, a model or a version. Secret values are never answered."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from deploy_magics.server.dialects import blankly_shapes as shapes
from deploy_magics.server.dialects.blankly_call import Call, calling, reading, takes
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.variables import Scope

_PLACE = {"projectId": "where:", "modelId": "one of", "versionId": "these three"}


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["variables"])
    reader, writes = reading(services), calling(services)

    @made.get("/variables")
    def list_variables(
        projectId: str | None = None,
        modelId: str | None = None,
        versionId: str | None = None,
        who: Principal = reader,
    ) -> list[dict[str, Any]]:
        scope = services.variables.scope(
            who, project_id=projectId, model_id=modelId, version_id=versionId
        )
        return [shapes.variable(row) for row in services.variables.list(who, scope)]

    @made.put(
        "/variables",
        openapi_extra=takes(name="the name!", value="the value!", secret="true or false", **_PLACE),
    )
    def put(call: Call = writes) -> dict[str, Any]:
        value = call.fields.values.get("value")
        row = services.variables.set(
            call.who,
            _scope(services, call),
            call.fields.text("name"),
            value if isinstance(value, str) else call.fields.text("value"),
            secret=call.fields.flag("secret"),
        )
        return shapes.variable(row)

    @made.delete("/variables", openapi_extra=takes(name="the name!", **_PLACE))
    def delete(call: Call = writes) -> dict[str, Any]:
        services.variables.delete(call.who, _scope(services, call), _named(call, "name") or "")
        return {"status": "success"}

    return made


def _named(call: Call, name: str) -> str | None:
    """From the body, else from the query: DELETE often has no body."""
    return call.fields.maybe(name) or call.request.query_params.get(name)


def _scope(services: Services, call: Call) -> Scope:
    return services.variables.scope(
        call.who,
        project_id=_named(call, "projectId"),
        model_id=_named(call, "modelId"),
        version_id=_named(call, "versionId"),
    )
