"""Rows as UbiOps shows them.

Every answer holds the fields of all releases of its client at once: each reads what it knows and
ignores the rest. What a client refuses to read back (a description of more than 400 characters,
an empty name) never goes out.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from deploy_magics.server.services import ubiops_rules as rules
from deploy_magics.server.store.tables import (
    AuditEvent,
    Model,
    Project,
    Revision,
    Variable,
    Version,
)

Json = dict[str, Any]
_BUILDS = uuid.UUID("a3b7b1a5-0b0e-4d60-9c5b-6b6f0b0a3c55")
_PENDING = ("queued", "building", "validating")


def date(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def project(row: Project, organization: str) -> Json:
    return {
        "id": row.id,
        "name": row.name,
        "creation_date": date(row.created_at),
        "organization_id": row.account_id,
        "organization_name": organization,
        "credits": None,
        "suspended": False,
        "suspended_reason": None,
    }


def created_deployment(row: Model, project_name: str) -> Json:
    """The answer to a creation, which says nothing of a default version."""
    return {
        "id": row.id,
        "name": row.name[: rules.NAME_LENGTH],
        "project": project_name,
        "description": row.description[: rules.DESCRIPTION_LENGTH],
        "input_type": row.input_type,
        "output_type": row.output_type,
        "input_fields": [_field(each) for each in row.input_fields],
        "output_fields": [_field(each) for each in row.output_fields],
        "labels": row.labels,
        "supports_request_format": True,
        "creation_date": date(row.created_at),
        "last_updated": date(row.updated_at),
    }


def deployment(row: Model, project_name: str, default_version: str | None) -> Json:
    return {**created_deployment(row, project_name), "default_version": default_version}


def listed_deployment(row: Model, project_name: str) -> Json:
    """As in a list: fields without their widgets."""
    shown = created_deployment(row, project_name)
    for side in ("input_fields", "output_fields"):
        shown[side] = [
            {"name": each["name"], "data_type": each["data_type"]} for each in shown[side]
        ]
    return shown


def _field(field: Mapping[str, Any]) -> Json:
    return {
        "name": field["name"],
        "data_type": field["data_type"],
        "widget": field.get("widget") or {},
    }


def status(active: Revision | None, latest: Revision | None) -> str:
    """A version is what its active revision makes it: a newer one that is being built, or that
    failed, changes nothing."""
    if active is not None and active.status == "success":
        return "available"
    return "building" if latest is not None and latest.status in _PENDING else "unavailable"


def settings_of(row: Version) -> Json:
    """Its settings; of a version that came over another API, what can be said of it."""
    settings = {**rules.VERSION_DEFAULTS, **row.settings}
    if "environment" not in row.settings and row.python_version:
        settings["environment"] = f"python{row.python_version.replace('.', '-')}"
    return {key: settings[key] for key in rules.VERSION_DEFAULTS}


def version(row: Version, model: Model, active: Revision | None, latest: Revision | None) -> Json:
    settings = settings_of(row)
    environment = settings.pop("environment")
    shown = rules.ENVIRONMENTS.get(environment, (environment, ""))[0]
    return {
        "id": row.id,
        "deployment": model.name[: rules.NAME_LENGTH],
        "version": row.name,
        "default": model.default_version_id == row.id,
        "description": row.description[: rules.DESCRIPTION_LENGTH],
        "environment": environment,
        "environment_display_name": shown,
        "environment_name": environment,
        "environment_tag": "latest",
        "language": environment,
        "status": status(active, latest),
        "active_revision": active.id if active else None,
        "latest_revision": latest.id if latest else None,
        "active_build": build_id(active.id) if active else None,
        "latest_build": build_id(latest.id) if latest else None,
        "labels": row.labels,
        "creation_date": date(row.created_at),
        "last_updated": date(row.updated_at),
        "last_file_upload": date(latest.created_at) if latest else None,
        "last_file_uploaded": date(latest.created_at) if latest else None,
        "has_request_method": latest.has_request if latest else None,
        "has_requests_method": latest.has_requests if latest else None,
        **settings,
    }


def revision(row: Revision, version_name: str, creator: str) -> Json:
    """``validating`` is a state of builds; a revision is still ``building`` then."""
    return {
        "id": row.id,
        "version": version_name,
        "creation_date": date(row.created_at),
        "created_by": creator,
        "status": "building" if row.status == "validating" else row.status,
        "error_message": row.error_message[: rules.ERROR_LENGTH],
        "has_request_method": row.has_request,
        "has_requests_method": row.has_requests,
        "empty": row.sha256 is None,
    }


def build_id(revision_id: str) -> str:
    """A revision has one build, whose id follows from its own."""
    return str(uuid.uuid5(_BUILDS, revision_id))


def build(row: Revision) -> Json:
    return {
        "id": build_id(row.id),
        "revision": row.id,
        "creation_date": date(row.created_at),
        "status": row.status,
        "error_message": row.error_message[: rules.ERROR_LENGTH],
        "trigger": row.trigger,
        "has_request_method": row.has_request,
        "has_requests_method": row.has_requests,
    }


def variable(row: Variable) -> Json:
    """The value of a secret never goes out."""
    return {
        "id": row.id,
        "name": row.name,
        "value": None if row.secret else row.value,
        "secret": row.secret,
    }


def inherited_variable(row: Variable, kind: str | None, parent: str | None) -> Json:
    return {**variable(row), "inheritance_type": kind, "inheritance_name": parent}


_MODEL = re.compile(r"(?<=^Created |^Changed |^Deleted )model\b|(?<= of the )model$")
_OBJECTS = {"model": "deployment", "version": "deployment_version"}


def audit(row: AuditEvent, existing: Iterable[str]) -> Json:
    """``existing``: ids of what is still there; of the others the name is no longer shown."""
    subject = {"model": row.model_id, "version": row.version_id}.get(row.object_type)
    gone = subject is not None and subject not in set(existing)
    return {
        "id": row.id,
        "date": date(row.at),
        "action": row.action,
        "user": row.actor,
        "event": _MODEL.sub("deployment", row.event),
        "object_type": _OBJECTS.get(row.object_type, row.object_type),
        "object_name": "" if gone else row.object_name,
    }


def environment(name: str) -> Json:
    shown, python = rules.ENVIRONMENTS[name]
    return {
        "id": str(uuid.uuid5(_BUILDS, name)),
        "name": name,
        "display_name": shown,
        "base_environment": None,
        "description": f"Python {python}",
        "labels": {},
        "creation_date": date(0.0),
        "last_updated": date(0.0),
        "gpu_required": False,
        "status": "available",
        "active_revision": None,
        "latest_revision": None,
        "implicit": False,
        "deprecated": False,
        "system": True,
        "hidden": False,
    }


def environment_tag(name: str, tag: str = "latest") -> Json:
    return {
        "id": str(uuid.uuid5(_BUILDS, f"{name}:{tag}")),
        "environment": name,
        "tag": tag,
        "name": tag,
        "status": "available",
        "creation_date": date(0.0),
        "last_updated": date(0.0),
    }
