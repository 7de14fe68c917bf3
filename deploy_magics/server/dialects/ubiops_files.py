"""Revisions: uploads, builds, downloads."""

from __future__ import annotations

import re

from starlette.responses import FileResponse, Response

from deploy_magics.errors import NotFoundError, RejectedError
from deploy_magics.server.dialects import ubiops_shapes as shapes
from deploy_magics.server.dialects.ubiops_call import Call, named
from deploy_magics.server.dialects.ubiops_shapes import Json
from deploy_magics.server.forms import Form
from deploy_magics.server.services.ubiops_revisions import Place
from deploy_magics.server.store.tables import Revision

SERVICE = "UbiOps"


def revisions_list(call: Call) -> list[Json]:
    place = call.place()
    rows = call.services.versions.revisions(call.who, place.version.id)
    return [_shown(call, place, row) for row in rows]


def revisions_get(call: Call) -> Json:
    place = call.place()
    return _shown(call, place, _revision(call, place))


def revisions_upload(call: Call) -> Json:
    """A file, a source, a template or (as its CLI does) nothing at all: an empty revision."""
    place, form = call.place(), call.form or Form()
    part, ubiops = form.file("file"), call.ubiops
    deployment, version, template = (
        form.fields.maybe(name)
        for name in ("source_deployment", "source_version", "template_deployment_id")
    )
    if sum(bool(each) for each in (part, deployment or version, template)) > 1:
        raise RejectedError("Give either a file, a source version or a template", status=400)
    if bool(deployment) != bool(version):
        raise RejectedError("Give source_deployment and source_version together", status=400)
    if part is not None:
        row = ubiops.upload(call.who, place, part.stage, part.filename or "deployment.zip")
    elif template:
        row = ubiops.from_template(call.who, place, template)
    elif deployment:
        row = ubiops.copy(call.who, place, call.place(deployment, version))
    else:
        row = ubiops.empty(call.who, place)
    return {"success": True, "revision": row.id, "build": shapes.build_id(row.id)}


def revisions_rebuild(call: Call) -> Json:
    place = call.place()
    with named("Revision"):
        row = call.ubiops.rebuild(call.who, place, call.path["revision_id"])
    return _shown(call, place, row)


def revisions_download(call: Call) -> Response:
    """The very bytes that were uploaded, under a name without spaces."""
    place = call.place()
    revision = _revision(call, place)
    blob = call.ubiops.file_of(revision)
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
        return call.services.versions.revision(call.who, place.version.id, call.path["revision_id"])


def _shown(call: Call, place: Place, row: Revision) -> Json:
    mine = row.created_by == call.who.account_id
    creator = (call.who.email or call.who.name) if mine else SERVICE
    return shapes.revision(row, place.version.name, creator)
