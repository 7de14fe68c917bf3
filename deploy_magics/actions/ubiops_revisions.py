"""Revisions, audit and templates on UbiOps."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

from ..display import Note, Table, when
from ..errors import NotFoundError, UsageError
from ..platforms.ubiops import UbiopsClient
from ..platforms.ubiops_types import Deployment, Revision, Template
from .kinds import Completes, FolderPath, ProjectName
from .ubiops import UbiopsDeployment, await_build, build_failed
from .ubiops_session import client, deployment_of, project_of, remember, version_of

SHORTEST = 4


def revisions(
    *,
    deployment: str | None = None,
    version: str | None = None,
    project: ProjectName = None,
    server: str | None = None,
) -> Table:
    """The revisions of a version, newest first; the active one is what serves.

    Args:
        deployment: its name; left out, the one deployed last.
        version: left out, the default one.
        project: the project's name.
        server: the service's address.
    """
    here = client(server)
    found = deployment_of(here, project_of(here, project), deployment)
    chosen = version_of(here, found, version)
    rows = [
        [
            each.id[:8],
            each.status,
            "active" if each.id == chosen.active_revision else "",
            moment(each.creation_date),
            each.created_by,
            each.error_message,
        ]
        for each in here.revisions(found.project, found.name, chosen.version)
    ]
    title = f"Revisions of {found.name} {chosen.version} ({chosen.status})"
    return Table(["revision", "build", "", "created", "by", "error"], rows, title=title)


def revision_download(
    revision: str | None = None,
    *,
    to: FolderPath = ".",
    deployment: str | None = None,
    version: str | None = None,
    project: ProjectName = None,
    server: str | None = None,
) -> Note:
    """Save the very zip of a revision.

    Args:
        revision: its id, or the beginning of it; left out, the active one.
        to: the folder; a file that is there already is not written over.
        deployment: its name; left out, the one deployed last.
        version: left out, the default one.
        project: the project's name.
        server: the service's address.
    """
    here = client(server)
    found, chosen, meant = _meant(here, project, deployment, version, revision)
    path = here.download(found.project, found.name, chosen, meant.id, Path(to or "."))
    return Note(f"Saved as {path}.")


def revision_activate(
    revision: str,
    *,
    deployment: str | None = None,
    version: str | None = None,
    project: ProjectName = None,
    server: str | None = None,
) -> UbiopsDeployment:
    """Make a former revision serve again: it is built anew, and active once that went well.

    Args:
        revision: its id, or the beginning of it.
        deployment: its name; left out, the one deployed last.
        version: left out, the default one.
        project: the project's name.
        server: the service's address.
    """
    here = client(server)
    found, chosen, meant = _meant(here, project, deployment, version, revision)
    again = here.rebuild(found.project, found.name, chosen, meant.id)
    built = await_build(here, found, chosen, again)
    row = here.version(found.project, found.name, chosen)
    shown = UbiopsDeployment(here.server, found.project, found.name, row, built)
    if built.status == "failed":
        raise build_failed(shown)
    return shown


def audit(
    *,
    deployment: str | None = None,
    whole_project: bool = False,
    action: Annotated[str | None, Completes("audit_action")] = None,
    limit: int = 20,
    project: ProjectName = None,
    server: str | None = None,
) -> Table:
    """Who changed what, newest first.

    Args:
        deployment: its name; left out, the one deployed last.
        whole_project: of all deployments of the project.
        action: only these: create, update, delete or info.
        limit: how many at most.
        project: the project's name.
        server: the service's address.
    """
    here = client(server)
    place = project_of(here, project)
    name = None if whole_project else deployment_of(here, place, deployment).name
    events = list(islice(here.audit(place, name, action=action), limit))
    rows = [[moment(each.date), each.user, each.action, each.event] for each in events]
    return Table(["when", "who", "action", "event"], rows, title=f"Audit of {name or place}")


def templates(*, server: str | None = None) -> Table:
    """The template deployments that the service offers.

    Args:
        server: the service's address.
    """
    rows = [
        [each.details.get("name"), each.details.get("description"), each.id]
        for each in client(server).templates()
    ]
    note = "%deploy_templates use NAME makes a deployment of one."
    return Table(["template", "what it does", "id"], rows, note=note)


def template_use(
    template: str,
    *,
    name: str | None = None,
    project: ProjectName = None,
    server: str | None = None,
) -> UbiopsDeployment:
    """Make a deployment of a template, with its version, and build it.

    Args:
        template: its name or id.
        name: of the deployment; left out, the template's.
        project: the project's name.
        server: the service's address.
    """
    here = client(server)
    chosen = _template(here, template)
    place = project_of(here, project)
    details = dict(chosen.details)
    version = dict(details.pop("version"))
    made = here.create_deployment(place, name or details["name"], **_without(details, "name"))
    label = version.pop("name")
    here.create_version(place, made.name, label, **version)
    sent = here.upload_copy(place, made.name, label, template=chosen.id)
    revision = here.revision(place, made.name, label, sent.revision)
    built = await_build(here, made, label, revision)
    remember(here, made.name)
    row = here.version(place, made.name, label)
    return UbiopsDeployment(here.server, place, made.name, row, built)


def moment(text: str | None) -> str:
    """A date of the API as people read it."""
    try:
        return when(datetime.fromisoformat((text or "").replace("Z", "+00:00")))
    except ValueError:
        return text or ""


def _meant(
    here: UbiopsClient,
    project: str | None,
    deployment: str | None,
    version: str | None,
    revision: str | None,
) -> tuple[Deployment, str, Revision]:
    """The deployment, the version and the one revision that an id, or its beginning, names."""
    found = deployment_of(here, project_of(here, project), deployment)
    chosen = version_of(here, found, version)
    wanted = revision or chosen.active_revision
    if wanted is None:
        raise UsageError(f"{found.name} {chosen.version} has no active revision.")
    if revision is not None and len(revision) < SHORTEST:
        raise UsageError(f"Give at least {SHORTEST} characters of the revision's id.")
    rows = here.revisions(found.project, found.name, chosen.version)
    fits = [each for each in rows if each.id.startswith(wanted)]
    if len(fits) != 1:
        raise NotFoundError(
            f"{len(fits) or 'No'} revisions begin with {wanted}.", "See %deploy_revisions list."
        )
    return found, chosen.version, fits[0]


def _template(here: UbiopsClient, wanted: str) -> Template:
    known = here.templates()
    for each in known:
        if wanted in (each.id, each.details.get("name")):
            return each
    names = ", ".join(str(each.details.get("name")) for each in known)
    raise UsageError(f"There is no template {wanted!r}.", f"Templates: {names}.")


def _without(fields: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in fields.items() if key != name}
