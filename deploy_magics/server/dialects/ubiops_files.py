"""Revisions: uploads, builds, downloads."""

from __future__ import annotations

import re

from starlette.datastructures import UploadFile
from starlette.responses import FileResponse, Response

from deploy_magics.errors import NotFoundError, RejectedError
from deploy_magics.server.dialects import ubiops_shapes as shapes
from deploy_magics.server.dialects.ubiops_call import Call, named
from deploy_magics.server.dialects.ubiops_shapes import Json
from deploy_magics.server.services.ubiops_revisions import Place
from deploy_magics.server.store.tables import Revision

SERVICE = "UbiOps"
CHUNK = 1 << 20


def revisions_list(call: Call) -> list[Json]:
    place = call.place()
    rows = call.services.versions.revisions(call.who, place.version.id)
    return [_shown(call, place, row) for row in rows]


def revisions_get(call: Call) -> Json:
    place = call.place()
    return _shown(call, place, _revision(call, place))


def revisions_upload(call: Call) -> Json:
    """A file, a source, a template or (as its CLI does) nothing at all: an empty revision."""
    place, form = call.place(), call.form
    file = form.get("file") if form is not None else None
    text = {
        key: value
        for key in ("source_deployment", "source_version", "template_deployment_id")
        if isinstance(value := form.get(key) if form is not None else None, str)
        and value not in ("", "None")
    }
    if file is not None and not isinstance(file, UploadFile):
        raise RejectedError("file must be a file", status=400)
    if (file is not None) + bool(text) > 1 or ("template_deployment_id" in text and len(text) > 1):
        raise RejectedError("Give either a file, a source version or a template", status=400)
    ubiops = call.services.ubiops
    if isinstance(file, UploadFile):
        row = _received(call, place, file)
    elif "template_deployment_id" in text:
        row = ubiops.from_template(call.who, place, text["template_deployment_id"])
    elif len(text) == 1:
        raise RejectedError("Give source_deployment and source_version together", status=400)
    elif text:
        source = call.place(text["source_deployment"], text["source_version"])
        row = ubiops.copy(call.who, place, source)
    else:
        row = ubiops.empty(call.who, place)
    return {"success": True, "revision": row.id, "build": shapes.build_id(row.id)}


def _received(call: Call, place: Place, file: UploadFile) -> Revision:
    limit = call.services.settings.max_upload
    with call.services.blobs.stage(limit=limit) as stage:
        while block := file.file.read(CHUNK):
            stage.write(block)
        name = file.filename or "deployment.zip"
        row: Revision = call.services.ubiops.upload(call.who, place, stage, name)
    return row


def revisions_rebuild(call: Call) -> Json:
    place = call.place()
    with named("Revision"):
        row = call.services.ubiops.rebuild(call.who, place, call.path["revision_id"])
    return _shown(call, place, row)


def revisions_download(call: Call) -> Response:
    """The very bytes that were uploaded, under a name without spaces."""
    place = call.place()
    revision = _revision(call, place)
    blob = call.services.ubiops.file_of(revision)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{place.model.name}-{place.version.name}").strip("-.")
    name = f"{stem or 'deployment'}-{revision.id[:8]}.zip"
    return FileResponse(
        call.services.blobs.path(blob.sha256),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def builds_get(call: Call) -> Json:
    """By the id of the build, or of the revision that it belongs to."""
    place, wanted = call.place(), call.path["build_id"]
    for row in call.services.versions.revisions(call.who, place.version.id):
        if wanted in (row.id, shapes.build_id(row.id)):
            return shapes.build(row)
    raise NotFoundError("Build was not found", status=404)


def _revision(call: Call, place: Place) -> Revision:
    with named("Revision"):
        row: Revision = call.services.versions.revision(
            call.who, place.version.id, call.path["revision_id"]
        )
    return row


def _shown(call: Call, place: Place, row: Revision) -> Json:
    mine = row.created_by == call.who.account_id
    creator = (call.who.email or call.who.name) if mine else SERVICE
    return shapes.revision(row, place.version.name, creator)
