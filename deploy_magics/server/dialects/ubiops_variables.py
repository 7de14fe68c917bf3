"""Environment variables at three levels: the address says at which."""

from __future__ import annotations

from deploy_magics.errors import NotFoundError, RejectedError
from deploy_magics.server.dialects import ubiops_shapes as shapes
from deploy_magics.server.dialects.ubiops_call import Call, named
from deploy_magics.server.dialects.ubiops_shapes import Json
from deploy_magics.server.services import ubiops_rules as rules
from deploy_magics.server.services.variables import Scope

WHAT = "Environment variable"
LEVELS = {"project": "project", "model": "deployment"}


def variables_list(call: Call) -> list[Json]:
    """Those in force at that level, inherited ones with the name of where they come from."""
    scope, names = call.scope()
    return [
        shapes.inherited_variable(
            row, LEVELS[level] if level else None, names[level] if level else None
        )
        for row, level in call.services.variables.inherited(call.who, scope)
    ]


def variables_create(call: Call) -> Json:
    (scope, _), body = call.scope(), call.given()
    row = call.services.variables.create(
        call.who,
        scope,
        rules.variable_name(body.get("name")),
        rules.variable_value(body.get("value")),
        secret=rules.boolean(body.get("secret", False), "secret"),
    )
    return shapes.variable(row)


def variables_get(call: Call) -> Json:
    scope, _ = call.scope()
    with named(WHAT):
        return shapes.variable(call.services.variables.get(call.who, scope, call.path["id"]))


def variables_update(call: Call) -> Json:
    """What the body leaves out stays; a secret never becomes readable again."""
    (scope, _), body = call.scope(), call.given()
    name, value, secret = (body.get(key) for key in ("name", "value", "secret"))
    with named(WHAT):
        row = call.services.variables.update(
            call.who,
            scope,
            call.path["id"],
            name=None if name is None else rules.variable_name(name),
            value=None if value is None else rules.variable_value(value),
            secret=None if secret is None else rules.boolean(secret, "secret"),
        )
    return shapes.variable(row)


def variables_delete(call: Call) -> None:
    scope, _ = call.scope()
    with named(WHAT):
        call.services.variables.delete(call.who, scope, call.path["id"])


def variables_copy(call: Call) -> list[Json]:
    """The own variables of the source; only the copied ones are answered."""
    (target, _), body = call.scope(), call.given()
    source_name, version_name = body.get("source_deployment"), body.get("source_version")
    if not isinstance(source_name, str) or not source_name:
        raise RejectedError("source_deployment is required", status=400)
    source = _source(call, source_name, version_name)
    copied = call.services.variables.copy(call.who, source, target)
    return [shapes.inherited_variable(row, None, None) for row in copied]


def _source(call: Call, deployment: str, version: object) -> Scope:
    model = call.deployment(deployment)
    if version is None:
        return Scope(model.project_id, model.id)
    if not isinstance(version, str):
        raise NotFoundError("Deployment version was not found", status=404)
    return Scope(model.project_id, model.id, call.place(deployment, version).version.id)
