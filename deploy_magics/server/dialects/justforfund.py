"""JustForFund's API under ``/api/v1``: its two endpoints, and reading what they published.

An app is a token: ``API-KEY`` is the token's id (``GET /auth/me`` tells it), ``API-SECRET`` the
token itself. Beyond the two documented endpoints there are ours: what was published, a
subscriber's read, declaring a resource's keys.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.security import APIKeyHeader

from deploy_magics.errors import NotSignedInError
from deploy_magics.server.forms import Fields, read_fields
from deploy_magics.server.identity import sent_once
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.signals import Kind, Signals, resource, signal, whole
from deploy_magics.server.store.tables_signals import Channel, Publication

KINDS: dict[str, Kind] = {"resources": "resource", "signals": "algorithm"}
Plural = Literal["resources", "signals"]
_key = APIKeyHeader(name="API-KEY", auto_error=False, description="The id of the app's token")
_secret = APIKeyHeader(name="API-SECRET", auto_error=False, description="The app's token")


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["JustForFund"])
    signals = Signals(services.store)

    def app_of(
        request: Request,
        key: str | None = Security(_key),
        secret: str | None = Security(_secret),
    ) -> Principal:
        """The app that calls. Raises NotSignedInError: a header is missing, or they do not fit."""
        if not key or not secret or not sent_once(request, "API-SECRET"):
            raise NotSignedInError("The headers API-KEY and API-SECRET are missing.", status=401)
        who = services.tokens.by_id(key, secret)
        request.scope.setdefault("state", {})["account_id"] = who.account_id
        return who

    app: Any = Depends(app_of)
    body: Any = Depends(read_fields)

    @made.get("/me")
    def me(who: Principal = app) -> dict[str, Any]:
        return {"app": who.token_name, "account": who.name}

    @made.post("/upload_resource")
    def upload_resource(
        request: Request, who: Principal = app, sent: Fields = body
    ) -> dict[str, Any]:
        number, content = resource(sent.values)
        key = request.headers.get("idempotency-key")
        channel, row, new = signals.publish(who, "resource", number, content, key)
        return _published(channel, row, new)

    @made.post("/create_trading_signal")
    def create_trading_signal(
        request: Request, who: Principal = app, sent: Fields = body
    ) -> dict[str, Any]:
        number, content, remark = signal(sent.values)
        key = request.headers.get("idempotency-key")
        channel, row, new = signals.publish(who, "algorithm", number, content, key)
        answer = _published(channel, row, new)
        return {**answer, "remark": remark} if remark else answer

    @made.put("/resources/{number}")
    def declare(number: int, who: Principal = app, sent: Fields = body) -> dict[str, Any]:
        """Say what a resource is and which keys it has: title, fields {key: type}, open."""
        channel = signals.declare(
            who,
            "resource",
            whole(number, "resource"),
            title=str(sent.values.get("title") or ""),
            fields=sent.json("fields"),
            open=bool(sent.values.get("open", True)),
        )
        return _described(channel, who.name, 0)

    @made.get("/channels/{kind}")
    def channels(kind: Plural, who: Principal = app) -> dict[str, Any]:
        """The caller's resources or algorithms, and those that it subscribed to."""
        found = signals.channels(who, KINDS[kind])
        return {"channels": [_described(*each) for each in found]}

    @made.get("/resources")
    def resources(
        who: Principal = app,
        resource_id: int | None = Query(None, ge=0, lt=2**31),
        publisher: str | None = None,
        after: int = Query(0, ge=0, lt=2**31),
        limit: int = Query(100, ge=1),
    ) -> dict[str, Any]:
        found = signals.read(
            who, "resource", resource_id, publisher=publisher, after=after, limit=limit
        )
        return {"resources": [_one(*each) for each in found]}

    @made.get("/signals")
    def trading_signals(
        who: Principal = app,
        algorithm_id: int | None = Query(None, ge=0, lt=2**31),
        publisher: str | None = None,
        after: int = Query(0, ge=0, lt=2**31),
        limit: int = Query(100, ge=1),
    ) -> dict[str, Any]:
        found = signals.read(
            who, "algorithm", algorithm_id, publisher=publisher, after=after, limit=limit
        )
        return {"signals": [_one(*each) for each in found]}

    @made.post("/subscriptions/{kind}/{publisher}/{number}")
    def subscribe(
        kind: Plural, publisher: str, number: int, who: Principal = app
    ) -> dict[str, Any]:
        channel = signals.subscribe(who, KINDS[kind], publisher, whole(number, "number"))
        return _described(channel, publisher, 0)

    @made.delete("/subscriptions/{kind}/{publisher}/{number}")
    def unsubscribe(
        kind: Plural, publisher: str, number: int, who: Principal = app
    ) -> dict[str, Any]:
        signals.unsubscribe(who, KINDS[kind], publisher, whole(number, "number"))
        return {"status": "success"}

    return made


def _published(channel: Channel, row: Publication, new: bool) -> dict[str, Any]:
    return {
        "status": "success",
        "id": row.id,
        _number_name(channel): channel.number,
        "created_at": row.created_at,
        "repeated": not new,
    }


def _one(row: Publication, channel: Channel, publisher: str) -> dict[str, Any]:
    body = {"resource_dict": row.body} if channel.kind == "resource" else row.body
    return {
        "id": row.id,
        "publisher": publisher,
        "app": row.app,
        "created_at": row.created_at,
        _number_name(channel): channel.number,
        **body,
    }


def _described(channel: Channel, publisher: str, count: int) -> dict[str, Any]:
    return {
        _number_name(channel): channel.number,
        "publisher": publisher,
        "title": channel.title,
        "fields": channel.fields,
        "open": channel.open,
        "published": count,
    }


def _number_name(channel: Channel) -> str:
    return "resource_id" if channel.kind == "resource" else "algorithm_id"
