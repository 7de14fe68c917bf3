"""Tokens: exchanged, listed, revoked."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from deploy_magics.server.dialects import blankly_shapes as shapes
from deploy_magics.server.dialects.blankly_call import Call, calling, reading, takes
from deploy_magics.server.forms import Fields, read_fields
from deploy_magics.server.limiter import Limiter
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["signing in"])
    reader, reads, writes = reading(services), calling(services, "read"), calling(services)
    limiter = Limiter(attempts=60, seconds=60.0)

    @made.post("/auth/token", openapi_extra=takes(refreshToken="the refresh token!"))
    def token(request: Request, fields: Fields = Depends(read_fields)) -> dict[str, Any]:
        with limiter.attempt(peer(request)):
            who = services.tokens.by_token(fields.maybe("refreshToken") or "")
        return {
            "idToken": services.tokens.id_token(who),
            "data": {"user_id": who.account_id},
            "expiresIn": services.settings.id_token_seconds,
        }

    @made.post(
        "/auth/exchange",
        openapi_extra=takes("application/json", code="the one-time code!", verifier="its secret!"),
    )
    def exchange(request: Request, fields: Fields = Depends(read_fields)) -> dict[str, str]:
        with limiter.attempt(peer(request)):
            code = services.tokens.use_code(
                "signin", fields.maybe("code") or "", fields.maybe("verifier")
            )
        account = services.accounts.by_id(code.account_id or "")
        text, _ = services.tokens.create(account, code.token_name or "notebook")
        return {"refreshToken": text}

    @made.get("/auth/me")
    def me(who: Principal = reader) -> dict[str, Any]:
        return {
            "user_id": who.account_id,
            "name": who.name,
            "email": who.email,
            "owner": who.owner,
            "scopes": sorted(who.scopes),
            "token": {"id": who.token_id, "name": who.token_name, "projectId": who.project_id},
        }

    @made.get("/auth/tokens")
    def tokens(who: Principal = reader) -> list[dict[str, Any]]:
        return [shapes.token(row, who) for row in services.tokens.list(who)]

    @made.post(
        "/auth/tokens",
        openapi_extra=takes("application/json", name="the name!", scopes="such as 'read deploy'"),
    )
    def create(call: Call = writes) -> dict[str, Any]:
        call.who.require_whole_account()
        scopes = (call.fields.maybe("scopes") or " ".join(call.who.scopes)).split()
        text, row = services.tokens.create(call.who, call.fields.text("name"), scopes)
        return {**shapes.token(row, call.who), "refreshToken": text}

    @made.delete("/auth/tokens/{token_id}")
    def revoke(token_id: str, call: Call = reads) -> dict[str, str]:
        if token_id != call.who.token_id:
            call.who.require("deploy")
        services.tokens.revoke(call.who, token_id)
        return {"status": "success"}

    @made.post("/auth/signout")
    def sign_out(call: Call = reads) -> dict[str, str]:
        services.tokens.revoke(call.who, call.who.token_id or "")
        return {"status": "success"}

    return made


def peer(request: Request) -> str:
    """The socket's other end; what a proxy says is believed by uvicorn only from trusted ones."""
    return request.client.host if request.client else ""
