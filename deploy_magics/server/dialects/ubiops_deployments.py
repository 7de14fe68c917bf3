"""Deployments and their versions: models and versions, in UbiOps' words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from deploy_magics.errors import ConflictError, RejectedError
from deploy_magics.server.dialects import ubiops_shapes as shapes
from deploy_magics.server.dialects.ubiops_call import Call
from deploy_magics.server.dialects.ubiops_shapes import Json
from deploy_magics.server.services import ubiops_rules as rules
from deploy_magics.server.services.ubiops_revisions import Place
from deploy_magics.server.store.tables import Model, Revision, Version


def deployments_list(call: Call) -> list[Json]:
    project, wanted = call.project(), rules.label_filter(call.query.get("labels"))
    rows = call.services.models.list(call.who, project.id)
    return [
        shapes.listed_deployment(row, project.name) for row in rows if _labelled(row.labels, wanted)
    ]


def deployments_create(call: Call) -> Json:
    project, body = call.project(), call.given()
    name = rules.name(body.get("name"), "The name of the deployment")
    inputs = rules.direction(body.get("input_type", "structured"), "input")
    outputs = rules.direction(body.get("output_type", "structured"), "output")
    values: Json = {
        "description": rules.description(body.get("description")),
        "labels": rules.labels(body.get("labels")),
        "input_type": inputs,
        "output_type": outputs,
        "input_fields": rules.fields(inputs, body.get("input_fields"), "input"),
        "output_fields": rules.fields(outputs, body.get("output_fields"), "output"),
    }
    _free(call.services.models.find(call.who, project.id, name), f"Deployment {name}")
    row = call.services.models.create(call.who, project.id, name, kind="deployment", **values)
    return shapes.created_deployment(row, project.name)


def deployments_get(call: Call) -> Json:
    return _deployment(call, call.deployment())


def deployments_update(call: Call) -> Json:
    model, body = call.deployment(), call.given()
    changes: Json = {}
    if body.get("name") not in (None, model.name):
        changes["name"] = rules.name(body["name"], "The name of the deployment")
        taken = call.services.models.find(call.who, model.project_id, changes["name"])
        _free(taken, f"Deployment {changes['name']}")
    if "description" in body:
        changes["description"] = rules.description(body["description"])
    if "labels" in body:
        changes["labels"] = rules.labels(body["labels"])
    for side, kind, old in (
        ("input", model.input_type, model.input_fields),
        ("output", model.output_type, model.output_fields),
    ):
        if f"{side}_fields" in body:
            new = rules.fields(kind, body[f"{side}_fields"], side)
            rules.changed_one_at_a_time(old, new, side)
            changes[f"{side}_fields"] = new
    if body.get("default_version") is not None:
        changes["default_version_id"] = _available(call, str(body["default_version"])).id
    if changes:
        model = call.services.models.update(call.who, model.id, **changes)
    return _deployment(call, model)


def deployments_delete(call: Call) -> None:
    call.services.models.delete(call.who, call.deployment().id)


def versions_list(call: Call) -> list[Json]:
    model, wanted = call.deployment(), rules.label_filter(call.query.get("labels"))
    rows = [
        row
        for row in call.services.versions.list(call.who, model.id)
        if _labelled(row.labels, wanted)
    ]
    revisions = _revisions(call, rows)
    return [
        shapes.version(
            row, model, revisions.get(row.active_revision_id), revisions.get(row.latest_revision_id)
        )
        for row in reversed(rows)
    ]


def versions_create(call: Call) -> Json:
    model, body = call.deployment(), call.given()
    name = rules.name(body.get("version"), "The name of the version")
    _free(call.services.versions.find(model.id, name), f"Version {name}")
    settings = rules.version_settings(body, {})
    row = call.services.versions.create(
        call.who,
        model.id,
        name=name,
        description=rules.description(body.get("description")),
        labels=rules.labels(body.get("labels")),
        settings=settings,
        python_version=rules.ENVIRONMENTS[settings["environment"]][1],
    )
    model = call.services.models.get(call.who, model.id)
    return version_shown(call, Place(model, row))


def versions_get(call: Call) -> Json:
    return version_shown(call, call.place())


def versions_update(call: Call) -> Json:
    place, body = call.place(), call.given()
    version = place.version
    changes: Json = {}
    if body.get("version") not in (None, version.name):
        changes["name"] = rules.name(body["version"], "The name of the version")
        taken = call.services.versions.find(place.model.id, changes["name"])
        _free(taken, f"Version {changes['name']}")
    if "description" in body:
        changes["description"] = rules.description(body["description"])
    if "labels" in body:
        changes["labels"] = rules.labels(body["labels"])
    settings = rules.version_settings(body, shapes.settings_of(version))
    if settings != version.settings:
        changes["settings"] = settings
        changes["python_version"] = rules.ENVIRONMENTS[settings["environment"]][1]
    if changes:
        version = call.services.versions.update(call.who, version.id, **changes)
    return version_shown(call, Place(place.model, version))


def versions_delete(call: Call) -> None:
    call.services.versions.delete(call.who, call.place().version.id)


def version_shown(call: Call, place: Place) -> Json:
    version = place.version
    found = _revisions(call, [version])
    active = found.get(version.active_revision_id)
    return shapes.version(version, place.model, active, found.get(version.latest_revision_id))


def _deployment(call: Call, model: Model) -> Json:
    project = call.project()
    default = None
    if model.default_version_id is not None:
        default = call.services.versions.get(call.who, model.default_version_id).name
    return shapes.deployment(model, project.name, default)


def _available(call: Call, name: str) -> Version:
    """The version of that name, which must be one that serves."""
    model = call.deployment()
    place = call.place(model.name, name)
    if version_shown(call, place)["status"] != "available":
        raise RejectedError("Default cannot be set to an unavailable version", status=400)
    return place.version


def _revisions(call: Call, versions: Iterable[Version]) -> dict[str | None, Revision]:
    wanted = {v.active_revision_id for v in versions} | {v.latest_revision_id for v in versions}
    found = call.ubiops.revisions([each for each in wanted if each])
    return {row.id: row for row in found}


def _labelled(labels: Mapping[str, Any], wanted: Set[tuple[str, str]]) -> bool:
    """One label of the filter is enough; an empty filter takes everything."""
    return not wanted or any(labels.get(key) == value for key, value in wanted)


def _free(taken: object, what: str) -> None:
    if taken is not None:
        raise ConflictError(f"{what} already exists", status=409)
