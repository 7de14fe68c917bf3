"""Requests to deployments: each is a run in the queue; a direct one is waited for."""

from __future__ import annotations

import json
import time
from typing import Any

from deploy_magics.errors import ConflictError, NotFoundError, RejectedError
from deploy_magics.server.dialects import ubiops_shapes as shapes
from deploy_magics.server.dialects.ubiops_call import Call
from deploy_magics.server.dialects.ubiops_shapes import Json
from deploy_magics.server.services.ubiops_revisions import Place
from deploy_magics.server.store.tables import Run

WAIT = 300
LONGEST_WAIT = 3600
INPUT = "request"
_STATUS = {
    "queued": "pending",
    "building": "pending",
    "running": "processing",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


def requests_create(call: Call) -> Json:
    """Puts the request in the queue; the caller of this waits until ``ended``."""
    return request_shown(call, _queued(call, _place(call), call.body))


def requests_batch(call: Call) -> list[Json]:
    """One request for each item; answers at once with their ids."""
    if not isinstance(call.body, list) or not call.body:
        raise RejectedError("A batch request must be a list", status=400)
    place = _place(call)
    rows = [_queued(call, place, each) for each in call.body]
    return [
        {
            "id": row.id,
            "deployment": place.model.name,
            "version": place.version.name,
            "status": "pending",
            "time_created": shapes.date(row.created_at),
        }
        for row in rows
    ]


def requests_get(call: Call) -> Json:
    place = _place(call)
    row = call.services.runs.get(call.who, call.path["request_id"])
    if row.kind != "request" or row.model_id != place.model.id:
        raise NotFoundError("Request was not found", status=404)
    return request_shown(call, row, place)


def ended(answer: Json) -> bool:
    return answer["status"] in ("completed", "failed", "cancelled")


def again(call: Call, answer: Json) -> Json:
    """The same request, as it is now."""
    return request_shown(call, call.services.runs.get(call.who, answer["id"]))


def deadline(call: Call) -> float:
    return time.monotonic() + call.number("timeout", WAIT, least=1, most=LONGEST_WAIT)


def _place(call: Call) -> Place:
    """The version that the address names, else the default one."""
    if "version" in call.path:
        return call.place()
    model = call.deployment()
    if model.default_version_id is None:
        raise ConflictError("The deployment has no default version", status=409)
    return Place(model, call.services.versions.get(call.who, model.default_version_id))


def _queued(call: Call, place: Place, data: Any) -> Run:
    model, version = place.model, place.version
    revision = call.services.versions.active_revision(version)
    if revision is None or revision.sha256 is None:
        raise ConflictError("The deployment version is not available", status=409)
    if revision.has_request is None and revision.has_requests is None:
        raise ConflictError("This version was not deployed as a UbiOps package", status=409)
    if model.input_type == "structured":
        for each in data if isinstance(data, list) else [data]:
            _fits(each, {field["name"] for field in model.input_fields})
    blob = call.services.blobs.put(json.dumps(data).encode())
    return call.services.runs.create(call.who, "request", version, prices={INPUT: blob})


def _fits(data: Any, fields: set[str]) -> None:
    if not isinstance(data, dict):
        raise RejectedError("The request data must be a dictionary", status=400)
    if missing := fields - set(data):
        raise RejectedError(f"Missing input fields: {', '.join(sorted(missing))}", status=400)


def request_shown(call: Call, row: Run, place: Place | None = None) -> Json:
    place = place or _place(call)
    status, result, error = _STATUS[row.state], None, row.error
    if status == "completed":
        result, error = _result(call, row)
        status = "completed" if error is None else "failed"
    return {
        "id": row.id,
        "deployment": place.model.name,
        "version": place.version.name,
        "status": status,
        "success": {"completed": True, "failed": False}.get(status),
        "result": result,
        "error_message": error,
        "time_created": shapes.date(row.created_at),
        "time_started": shapes.date(row.started_at),
        "time_completed": shapes.date(row.ended_at),
        "timeout": WAIT,
    }


def _result(call: Call, row: Run) -> tuple[Any, str | None]:
    try:
        path = call.services.settings.run_folder(row.id) / "result.json"
        return json.loads(path.read_text("utf-8"))["output"], None
    except (OSError, ValueError, KeyError):
        return None, "The result of this request is not kept any more"
