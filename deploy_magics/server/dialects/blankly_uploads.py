"""The uploads: deploy, backtest, and a backtest of what was uploaded before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Security
from starlette.concurrency import run_in_threadpool

from deploy_magics.errors import DeployMagicsError, RejectedError
from deploy_magics.model.manifest import Manifest
from deploy_magics.server.dialects import blankly_shapes as shapes
from deploy_magics.server.dialects.blankly_call import Call, calling, takes
from deploy_magics.server.forms import Form, receive_form
from deploy_magics.server.identity import id_token_header, identify
from deploy_magics.server.services import Services
from deploy_magics.server.services.answers import request_digest
from deploy_magics.server.services.orders import Order, Outcome
from deploy_magics.server.services.principal import Principal

_DRAINED = 32 << 20
_FIELDS = {
    "model": "@the zip, with one folder model/",
    "projectId": "the project; your user_id is your own",
    "modelId": "the model that gets the version",
    "createNew": "true: make a new model of this name",
    "name": "the model's name",
    "type": "strategy or screener",
    "plan": "size of the machine",
    "pythonVersion": "such as 3.11",
    "generalDescription": "what the model does",
    "sha256": "of a zip that you sent before, in place of the file",
    "prices": "@<SYMBOL>.csv: time, open, high, low, close, volume",
}
_DEPLOY = {
    "versionDescription": "what is new",
    "schedule": "a screener's five cron fields, UTC",
    "feed": "JSON: where paper prices come from",
    "live": "true: orders go to the exchange",
}
_BACKTEST = {"backtestArgs": "JSON: arguments of .backtest()", "backtestDescription": "what for"}
_MULTIPART = "multipart/form-data"
Work = Callable[[Principal, Order, Manifest], Outcome]


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["uploads"])
    writes = calling(services)
    turns = asyncio.Semaphore(services.settings.max_parallel_uploads)

    @made.post("/model/deploy", openapi_extra=takes(_MULTIPART, **_FIELDS, **_DEPLOY))
    async def deploy(request: Request, _: str | None = Security(id_token_header)) -> dict[str, Any]:
        return await upload(request, services.deployments.deploy, _deploy_order)

    @made.post("/model/backtest", openapi_extra=takes(_MULTIPART, **_FIELDS, **_BACKTEST))
    async def backtest(
        request: Request, _: str | None = Security(id_token_header)
    ) -> dict[str, Any]:
        return await upload(request, services.deployments.backtest, _backtest_order)

    @made.post(
        "/model/backtestUploadedModel",
        openapi_extra=takes("application/json", modelId="", versionId="the version!", **_BACKTEST),
    )
    def again(call: Call = writes) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            fields = call.fields
            version_id, model_id = fields.text("versionId"), fields.maybe("modelId")
            version = services.versions.get(call.who, version_id, model_id=model_id)
            found = services.deployments.backtest_again(
                call.who,
                version.id,
                fields.json("backtestArgs") or {},
                fields.maybe("backtestDescription") or "",
            )
            return _answer(found)

        return call.once(work)

    async def upload(
        request: Request, work: Work, read: Callable[[Form, str], Order]
    ) -> dict[str, Any]:
        try:
            who = await run_in_threadpool(identify, services, request)
            who.require("deploy")
        except DeployMagicsError:
            await _drain(request)
            raise
        async with (
            turns,
            receive_form(request, services.blobs, limit=services.settings.max_upload) as form,
        ):
            order = read(form, who.account_id)
            return await run_in_threadpool(_take, services, request, who, form, order, work)

    return made


def _take(
    services: Services, request: Request, who: Principal, form: Form, order: Order, work: Work
) -> dict[str, Any]:
    key = request.headers.get("idempotency-key")
    asked = request_digest(
        request.url.path,
        {**form.fields.values, "files": [(f.name, f.filename, f.stage.sha256) for f in form.files]},
    )
    known = services.answers.find(who, key, asked)
    if known is not None:
        return known
    manifest = services.deployments.inspect(who, order)
    try:
        return services.answers.once(who, key, asked, lambda: _answer(work(who, order, manifest)))
    except BaseException:
        services.deployments.clean(order)
        raise


def _answer(found: Outcome) -> dict[str, Any]:
    backtest = found.run is not None and found.run.kind == "backtest"
    return shapes.outcome(found, **({"backtestId": found.run.id} if backtest and found.run else {}))


def _order(form: Form, account_id: str) -> Order:
    fields = form.fields
    package = form.file("model")
    sha256 = fields.maybe("sha256")
    if package is not None and sha256 and package.stage.sha256 != sha256.lower():
        raise RejectedError("The zip does not have the SHA-256 that was declared.", status=422)
    return Order(
        project_id=fields.maybe("projectId") or account_id,
        model_id=fields.maybe("modelId"),
        name=fields.maybe("name"),
        create_new=fields.flag("createNew"),
        kind=fields.maybe("type"),
        description=fields.maybe("generalDescription"),
        plan=fields.maybe("plan"),
        python=python_of(fields.maybe("pythonVersion")),
        package=package.stage if package else None,
        sha256=None if package else sha256,
        prices={
            part.filename.rsplit(".", 1)[0]: part.stage
            for part in form.files
            if part.name == "prices"
        },
    )


def _deploy_order(form: Form, account_id: str) -> Order:
    order = _order(form, account_id)
    order.message = form.fields.maybe("versionDescription") or ""
    order.schedule = form.fields.maybe("schedule")
    order.feed = form.fields.json("feed")
    order.live = form.fields.flag("live")
    order.args = form.fields.json("args")
    return order


def _backtest_order(form: Form, account_id: str) -> Order:
    order = _order(form, account_id)
    order.message = form.fields.maybe("backtestDescription") or ""
    order.args = form.fields.json("backtestArgs")
    return order


def python_of(text: str | None) -> str | None:
    """The library's client sends the version as a number, and 3.10 as 3.1."""
    return "3.10" if text == "3.1" else text


async def _drain(request: Request) -> None:
    """Read a refused upload to its end, so that the client hears why and not a broken pipe."""
    read = 0
    async for chunk in request.stream():
        read += len(chunk)
        if read > _DRAINED:
            return
