"""What the routes of Blankly's dialect share: the caller, the fields, the keyed answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, Query, Request, Security
from starlette.concurrency import run_in_threadpool

from deploy_magics.server.forms import Fields, read_fields
from deploy_magics.server.identity import id_token_header, identify
from deploy_magics.server.services import Services
from deploy_magics.server.services.answers import request_digest
from deploy_magics.server.services.principal import Principal

LARGEST_PAGE = 1000
LIMIT = Query(LARGEST_PAGE, ge=1, le=LARGEST_PAGE)
OFFSET = Query(0, ge=0, le=10**9)


class Call:
    """One authenticated request with its fields."""

    def __init__(self, request: Request, services: Services, who: Principal, fields: Fields):
        self.request = request
        self.services = services
        self.who = who
        self.fields = fields

    def once(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do it once for each Idempotency-Key: a repeated request gets the first answer."""
        key = self.request.headers.get("idempotency-key")
        asked = request_digest(self.request.url.path, self.fields.values)
        return self.services.answers.once(self.who, key, asked, work)


def reading(services: Services) -> Any:
    """Dependency of routes that read: the caller, whose token must have the scope "read"."""

    def caller(request: Request, _: str | None = Security(id_token_header)) -> Principal:
        who = identify(services, request)
        who.require("read")
        return who

    return Depends(caller)


def calling(services: Services, scope: str = "deploy") -> Any:
    """Dependency of routes that take fields; ``scope`` is what the token must have."""

    async def call(request: Request, _: str | None = Security(id_token_header)) -> Call:
        who = await run_in_threadpool(identify, services, request)
        who.require(scope)
        return Call(request, services, who, await read_fields(request))

    return Depends(call)


def takes(kind: str = "application/x-www-form-urlencoded", **fields: str) -> dict[str, Any]:
    """For the OpenAPI document: the fields of a body; ``name="text!"`` is required."""
    properties = {
        name: {"type": "string", "format": "binary"} if text.startswith("@") else {"type": "string"}
        for name, text in fields.items()
    }
    for name, text in fields.items():
        properties[name]["description"] = text.lstrip("@").rstrip("!")
    schema = {
        "type": "object",
        "properties": properties,
        "required": [name for name, text in fields.items() if text.endswith("!")],
    }
    return {"requestBody": {"content": {kind: {"schema": schema}}}}
