"""Runs: their state, log, orders, account and result; stopped and started."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import APIRouter, Query, Request, Security
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from deploy_magics.errors import NotFoundError
from deploy_magics.server.dialects import blankly_shapes as shapes
from deploy_magics.server.dialects.blankly_call import LARGEST_PAGE, OFFSET, Call, calling, reading
from deploy_magics.server.identity import id_token_header, identify
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.runfiles import read_bars
from deploy_magics.server.services.runs import ENDED
from deploy_magics.server.store.tables import Run

LONGEST_WAIT = 25.0
_LOOK_AT_FILE = 0.2
_LOOK_AT_STATE = 1.0


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["runs"])
    reader, writes = reading(services), calling(services)
    files = services.run_files

    @made.get("/runs")
    def list_runs(
        projectId: str | None = None,
        modelId: str | None = None,
        versionId: str | None = None,
        kind: str | None = None,
        state: str | None = None,
        limit: int = Query(100, ge=1, le=LARGEST_PAGE),
        offset: int = OFFSET,
        who: Principal = reader,
    ) -> list[dict[str, Any]]:
        rows = services.runs.list(
            who,
            project_id=projectId,
            model_id=modelId,
            version_id=versionId,
            kind=kind,
            state=state,
            limit=limit,
            offset=offset,
        )
        numbers = services.versions.numbers({row.version_id for row in rows if row.version_id})
        return [shapes.run(row, numbers.get(row.version_id or "")) for row in rows]

    @made.get("/run/{run_id}")
    def one(run_id: str, who: Principal = reader) -> dict[str, Any]:
        return shown(services.runs.get(who, run_id))

    @made.get("/run/{run_id}/logs")
    async def logs(
        request: Request,
        run_id: str,
        offset: int = Query(0, ge=0, lt=2**62),
        wait: float = Query(0.0, ge=0, allow_inf_nan=False),
        _: str | None = Security(id_token_header),
    ) -> dict[str, Any]:
        deadline = time.monotonic() + min(wait, LONGEST_WAIT)
        while True:
            # who may read is asked again and again: a revoked token ends a follower too
            run = await run_in_threadpool(look, request, run_id)
            ended = run.state in ENDED
            mark = files.log_mark(run_id)
            text, position = await run_in_threadpool(files.log, run_id, offset)
            if text or ended or time.monotonic() >= deadline or closing(request):
                return {"text": text, "offset": position, "state": run.state}
            until = min(deadline, time.monotonic() + _LOOK_AT_STATE)
            while time.monotonic() < until and files.log_mark(run_id) == mark:
                await asyncio.sleep(_LOOK_AT_FILE)
                if closing(request) or await request.is_disconnected():
                    break

    def look(request: Request, run_id: str) -> Run:
        who = identify(services, request)
        who.require("read")
        return services.runs.get(who, run_id)

    @made.get("/run/{run_id}/orders")
    def orders(run_id: str, offset: int = OFFSET, who: Principal = reader) -> list[dict[str, Any]]:
        services.runs.get(who, run_id)
        return files.orders(run_id)[offset:]

    @made.get("/run/{run_id}/account")
    def account(run_id: str, who: Principal = reader) -> dict[str, Any]:
        services.runs.get(who, run_id)
        return files.account(run_id)

    @made.get("/run/{run_id}/result")
    def result(run_id: str, who: Principal = reader) -> dict[str, Any]:
        services.runs.get(who, run_id)
        return files.result(run_id)

    @made.get("/run/{run_id}/arrays", response_class=FileResponse)
    def arrays(run_id: str, who: Principal = reader) -> FileResponse:
        services.runs.get(who, run_id)
        path = files.arrays(run_id)
        return FileResponse(path, media_type="application/octet-stream", filename="result.npz")

    @made.get("/run/{run_id}/prices")
    def prices(run_id: str, symbol: str = "", who: Principal = reader) -> dict[str, list[float]]:
        services.runs.get(who, run_id)
        for row in services.runs.inputs(run_id):
            if row.symbol == (symbol or row.symbol):
                path = services.blobs.path(row.sha256)
                with path.open(encoding="utf-8-sig", errors="replace") as file:
                    return read_bars(file)
        raise NotFoundError("This run was given no prices of that symbol.", status=404)

    @made.post("/run/{run_id}/stop")
    def stop(run_id: str, call: Call = writes) -> dict[str, Any]:
        return shown(services.runs.stop(call.who, run_id))

    @made.post("/run/{run_id}/start")
    def start(run_id: str, call: Call = writes) -> dict[str, Any]:
        return shown(services.runs.start(call.who, run_id))

    def shown(row: Run) -> dict[str, Any]:
        version_id = row.version_id or ""
        return shapes.run(row, services.versions.numbers({version_id}).get(version_id))

    return made


def closing(request: Request) -> bool:
    """The server is shutting down: nobody is kept waiting."""
    return bool(getattr(request.app.state, "closing", False))
