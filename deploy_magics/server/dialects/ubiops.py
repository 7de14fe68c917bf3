"""UbiOps' Deployments API: one table of routes over the services.

Served under ``/v2`` and ``/v2.1``. An answer is JSON, an error is ``{"error": text}`` with the
status that says what kind it is; there is no other shape, whatever goes wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from deploy_magics.errors import NotSignedInError, RejectedError
from deploy_magics.server.dialects import ubiops_account as account
from deploy_magics.server.dialects import ubiops_deployments as deployments
from deploy_magics.server.dialects import ubiops_files as files
from deploy_magics.server.dialects import ubiops_requests as requests
from deploy_magics.server.dialects import ubiops_variables as variables
from deploy_magics.server.dialects.ubiops_call import NOBODY, Call
from deploy_magics.server.forms import loads, receive_form
from deploy_magics.server.identity import sent_once
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal

P = "/projects/{project_name}"
D = P + "/deployments/{deployment_name}"
V = D + "/versions/{version}"
R = V + "/revisions"
AT_ROOT = ("/status", "/user", "/oauth/sign-in", "/authorize")
POLL, LONGEST_POLL = 0.1, 1.0


class Route(NamedTuple):
    method: str
    path: str
    operation: str
    handler: Callable[[Call], Any]
    status: int = 200
    public: bool = False


def _variable_routes(place: str, prefix: str) -> list[Route]:
    """The five that every level has."""
    at = f"{place}/environment-variables"
    name = f"{prefix}_environment_variables"
    return [
        Route("GET", at, f"{name}_list", variables.variables_list),
        Route("POST", at, f"{name}_create", variables.variables_create, 201),
        Route("GET", at + "/{id}", f"{name}_get", variables.variables_get),
        Route("PATCH", at + "/{id}", f"{name}_update", variables.variables_update),
        Route("DELETE", at + "/{id}", f"{name}_delete", variables.variables_delete, 204),
    ]


ROUTES = [
    Route("GET", "/status", "status", account.status, public=True),
    Route("GET", "/user", "user_get", account.user_get),
    Route("POST", "/oauth/sign-in", "sign_in", account.sign_in_provider, public=True),
    Route("POST", "/authorize", "authorize", account.authorize, public=True),
    Route("GET", "/projects", "projects_list", account.projects_list),
    Route("POST", "/projects", "projects_create", account.projects_create, 201),
    Route("GET", P, "projects_get", account.projects_get),
    Route("GET", P + "/audit", "project_audit_events_list", account.audit_list),
    Route("GET", P + "/environments", "environments_list", account.environments_list),
    Route(
        "GET", P + "/environments/{environment_name}", "environments_get", account.environments_get
    ),
    Route(
        "GET",
        P + "/environments/{environment_name}/tags",
        "environment_tags_list",
        account.environment_tags,
    ),
    Route(
        "GET",
        P + "/environments/{environment_name}/tags/{tag}",
        "environment_tags_get",
        account.environment_tag,
    ),
    Route("GET", P + "/instance-types", "instance_types_list", account.instance_types),
    Route("GET", P + "/instance-type-groups", "instance_type_groups_list", account.instance_types),
    Route("GET", "/template-deployments", "template_deployments_list", account.templates_list),
    Route("GET", P + "/deployments", "deployments_list", deployments.deployments_list),
    Route("POST", P + "/deployments", "deployments_create", deployments.deployments_create, 201),
    Route("GET", D, "deployments_get", deployments.deployments_get),
    Route("PATCH", D, "deployments_update", deployments.deployments_update),
    Route("DELETE", D, "deployments_delete", deployments.deployments_delete, 204),
    Route("GET", D + "/audit", "deployment_audit_events_list", account.audit_list),
    Route("GET", D + "/versions", "deployment_versions_list", deployments.versions_list),
    Route("POST", D + "/versions", "deployment_versions_create", deployments.versions_create, 201),
    Route("GET", V, "deployment_versions_get", deployments.versions_get),
    Route("PATCH", V, "deployment_versions_update", deployments.versions_update),
    Route("DELETE", V, "deployment_versions_delete", deployments.versions_delete, 204),
    *_variable_routes(P, "project"),
    *_variable_routes(D, "deployment"),
    *_variable_routes(V, "deployment_version"),
    Route(
        "POST",
        D + "/copy-environment-variables",
        "deployment_environment_variables_copy",
        variables.variables_copy,
    ),
    Route(
        "POST",
        V + "/copy-environment-variables",
        "deployment_version_environment_variables_copy",
        variables.variables_copy,
    ),
    Route("GET", R, "revisions_list", files.revisions_list),
    Route("POST", R, "revisions_file_upload", files.revisions_upload, 201),
    Route("GET", R + "/{revision_id}", "revisions_get", files.revisions_get),
    Route("POST", R + "/{revision_id}/rebuild", "revisions_rebuild", files.revisions_rebuild, 201),
    Route(
        "GET", R + "/{revision_id}/download", "revisions_file_download", files.revisions_download
    ),
    Route("GET", V + "/builds/{build_id}", "builds_get", files.builds_get),
    Route("POST", D + "/requests", "deployment_requests_create", requests.requests_create),
    Route("POST", V + "/requests", "deployment_version_requests_create", requests.requests_create),
    Route(
        "POST", D + "/requests/batch", "batch_deployment_requests_create", requests.requests_batch
    ),
    Route(
        "POST",
        V + "/requests/batch",
        "batch_deployment_version_requests_create",
        requests.requests_batch,
    ),
    Route("GET", D + "/requests/{request_id}", "deployment_requests_get", requests.requests_get),
    Route(
        "GET",
        V + "/requests/{request_id}",
        "deployment_version_requests_get",
        requests.requests_get,
    ),
]


def router(services: Services) -> APIRouter:
    """All of it, for the prefixes ``/v2`` and ``/v2.1``."""
    return _router(services, ROUTES)


def root_router(services: Services) -> APIRouter:
    """What the command line asks at the root when it was given an address without a version."""
    return _router(services, [each for each in ROUTES if each.path in AT_ROOT])


def extra_routers(services: Services) -> list[APIRouter]:
    """What stands outside the two prefixes."""
    return [root_router(services)]


def _router(services: Services, routes: list[Route]) -> APIRouter:
    made = APIRouter(tags=["UbiOps"])
    for route in routes:
        made.add_api_route(
            route.path,
            _endpoint(services, route),
            methods=[route.method],
            name=f"ubiops_{route.operation}",
            summary=route.operation,
            response_class=JSONResponse,
            status_code=route.status,
            include_in_schema=route.method != "HEAD",
        )
    return made


def _endpoint(services: Services, route: Route) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        call = Call(services, NOBODY, dict(request.path_params), request.query_params)
        call.peer = request.client.host if request.client else ""
        if not route.public:
            header = sent_once(request, "Authorization")
            call.who = await run_in_threadpool(caller, services, header)
            request.state.account_id = call.who.account_id
            call.who.require("read" if route.method == "GET" else "deploy")
        if route.handler is files.revisions_upload:
            _only_multipart(request)
            limit = services.settings.max_upload
            async with receive_form(request, services.blobs, limit=limit) as call.form:
                return await _answer(route, call)
        if route.method in ("POST", "PATCH"):
            call.body = await _body(request)
        return await _answer(route, call)

    return endpoint


async def _answer(route: Route, call: Call) -> Response:
    answer = await run_in_threadpool(route.handler, call)
    if route.handler is requests.requests_create:
        answer = await _waited(call, answer)
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(status_code=route.status)
    return JSONResponse(answer, route.status)


async def _waited(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    """A direct request is answered when it has ended, or as it stands at its time-out."""
    until = requests.deadline(call)
    loop, pause = asyncio.get_running_loop(), POLL
    while not requests.ended(answer) and loop.time() < until:
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, LONGEST_POLL)
        answer = await run_in_threadpool(requests.again, call, answer)
    return answer


def caller(services: Services, header: str) -> Principal:
    """``Token …`` or ``Bearer …`` with a refresh token; ``/user`` gets the bare one too.

    Raises:
        NotSignedInError: none, or one that is not known.
    """
    kind, _, text = header.strip().rpartition(" ")
    if kind.strip().lower() not in ("", "token", "bearer") or not text:
        raise NotSignedInError(
            "Invalid token header. Token string should not contain spaces."
            if text
            else "Authentication credentials were not provided.",
            status=401,
        )
    try:
        return services.tokens.by_token(text)
    except NotSignedInError:
        raise NotSignedInError("Invalid token.", status=401) from None


def _only_multipart(request: Request) -> None:
    if not request.headers.get("Content-Type", "").lower().startswith("multipart/form-data"):
        raise RejectedError("The file must be sent as multipart/form-data", status=400)


async def _body(request: Request) -> Any:
    """Any JSON; nothing at all is an empty object."""
    try:
        content = await request.body()
        return loads(content) if content else {}
    except (ValueError, RecursionError, ClientDisconnect):
        raise RejectedError("The body of the request is not valid JSON", status=400) from None
