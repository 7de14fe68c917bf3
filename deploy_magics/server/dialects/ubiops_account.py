"""What UbiOps' command line needs beside deployments: who, which projects, audit, environments."""

from __future__ import annotations

from deploy_magics.errors import ConflictError, NotFoundError, NotSignedInError, RejectedError
from deploy_magics.server.dialects import ubiops_shapes as shapes
from deploy_magics.server.dialects.ubiops_call import Call
from deploy_magics.server.dialects.ubiops_shapes import Json
from deploy_magics.server.limiter import Limiter
from deploy_magics.server.services import ubiops_rules as rules
from deploy_magics.server.services import ubiops_templates
from deploy_magics.server.services.accounts import principal

SIGN_IN_SECONDS = 12 * 3600.0
LIMITER = Limiter(attempts=8, seconds=60.0)


def status(call: Call) -> Json:
    return {"status": "ok"}


def user_get(call: Call) -> Json:
    return {
        "id": call.who.account_id,
        "email": call.who.email or call.who.name,
        "name": call.who.name,
        "surname": "",
        "registration_date": None,
        "authentication": "password",
        "terms_conditions": None,
    }


def sign_in_provider(call: Call) -> Json:
    """Who checks the password of an address: this service does, of any."""
    if not isinstance(call.given().get("email"), str):
        raise RejectedError("email is required", status=400)
    return {"provider": "ubiops", "url": None}


def authorize(call: Call) -> Json:
    """A token for an address and a password; it ends after twelve hours."""
    body = call.given()
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or not isinstance(password, str):
        raise NotSignedInError("The email or the password is wrong", status=401)
    with LIMITER.attempt(f"peer {call.peer}", f"user {email.lower()[:254]}"):
        account = call.services.accounts.by_password(email, password)
    text, _ = call.services.tokens.create(
        principal(account), "UbiOps sign-in", seconds=SIGN_IN_SECONDS
    )
    return {"access": text}


def projects_list(call: Call) -> list[Json]:
    rows = call.services.projects.list(call.who)
    return [shapes.project(row, call.who.name) for row in rows]


def projects_get(call: Call) -> Json:
    return shapes.project(call.project(), call.who.name)


def projects_create(call: Call) -> Json:
    body = call.given()
    name = rules.name(body.get("name"), "The name of the project")
    try:
        row = call.services.projects.create(call.who, name)
    except ConflictError:
        raise ConflictError(f"Project {name} already exists", status=409) from None
    return shapes.project(row, call.who.name)


def templates_list(call: Call) -> list[Json]:
    return ubiops_templates.listing()


def audit_list(call: Call) -> list[Json]:
    """Of a project, or of one deployment with its versions."""
    action = call.query.get("action") or None
    if action not in (None, "create", "update", "delete", "info"):
        raise RejectedError("action must be one of create, update, delete, info", status=400)
    deployment = call.deployment() if "deployment_name" in call.path else None
    project = call.project()
    rows = call.services.audit.list(
        call.who,
        project_id=project.id,
        model_id=deployment.id if deployment else None,
        action=action,
        limit=call.number("limit", 50, least=1),
        offset=call.number("offset", 0, most=10**9),
    )
    existing = call.ubiops.existing(
        [row.model_id for row in rows] + [row.version_id for row in rows]
    )
    return [shapes.audit(row, existing) for row in rows]


def environments_list(call: Call) -> list[Json]:
    call.project()
    return [shapes.environment(name) for name in rules.ENVIRONMENTS]


def environments_get(call: Call) -> Json:
    return shapes.environment(_environment(call))


def environment_tags(call: Call) -> list[Json]:
    return [shapes.environment_tag(_environment(call))]


def environment_tag(call: Call) -> Json:
    name = _environment(call)
    if call.path["tag"] != "latest":
        raise NotFoundError("Environment tag was not found", status=404)
    return shapes.environment_tag(name)


def _environment(call: Call) -> str:
    call.project()
    if call.path["environment_name"] not in rules.ENVIRONMENTS:
        raise NotFoundError("Environment was not found", status=404)
    return call.path["environment_name"]


def instance_types(call: Call) -> Json:
    """One size, the one that versions get."""
    call.project()
    only = {
        "id": rules.VERSION_DEFAULTS["instance_type_group_id"],
        "name": rules.VERSION_DEFAULTS["instance_type_group_name"],
        "display_name": "512 MB",
        "cpu": 1.0,
        "memory": 512,
        "storage": 1024,
        "dedicated_node": False,
        "instance_types": [],
    }
    return {"next": None, "previous": None, "results": [only]}
