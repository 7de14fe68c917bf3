"""From the names that people give to the things on the platform."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ..errors import NotFoundError, UsageError
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import ModelInfo, Project, Run, Version
from .workspace import current

Thing = TypeVar("Thing", Project, ModelInfo)


def find_project(client: BlanklyClient, named: str | None) -> Project:
    """A project by name or id; left out, the one used last, else the first (the personal one)."""
    projects = client.projects()
    workspace = current()
    if named is None:
        for project in projects:
            if project.id == workspace.project_id:
                return project
        if not projects:
            raise NotFoundError(
                "There is no project yet.", 'Say %deploy_projects --create "My models".'
            )
        return projects[0]
    found = _one(projects, named, "project", "%deploy_projects lists them.")
    workspace.project_id = found.id
    return found


def find_model(client: BlanklyClient, named: str | None, project: str | None = None) -> ModelInfo:
    """A model by name or id, in whatever project; left out, the one used last, or the only one.

    Raises:
        NotFoundError: there is none; the hint has the nearest name.
        UsageError: the name stands for several.
    """
    workspace = current()
    models = all_models(client, project)
    if named is None:
        named = workspace.model_name or (models[0].name if len(models) == 1 else None)
    if named is None:
        if not models:
            raise NotFoundError("Nothing is deployed yet.", "%%deploy deploys a cell.")
        raise UsageError("Which model?", f"There are {_few(model.name for model in models)}.")
    found = _one(models, named, "model", "%deploy_versions lists them.")
    workspace.model_name = found.name
    return found


def known_model(client: BlanklyClient, name: str, project: str | None) -> ModelInfo | None:
    """The model that a deployment under this name is a new version of, None for a new one.

    A server that lists no models (one of Blankly's six documented calls alone) has those that
    were made from here.
    """
    places = [find_project(client, project)] if project else client.projects()
    try:
        models = [model for place in places for model in client.models(place.id)]
    except NotFoundError:
        models = [made for (server, _), made in current().made.items() if server == client.base_url]
    named = [model for model in models if model.name == name]
    if len(named) > 1:
        raise UsageError(
            f"Several projects have a model {name!r}.", "Say which with --project NAME."
        )
    return named[0] if named else None


def all_models(client: BlanklyClient, project: str | None = None) -> list[ModelInfo]:
    """Every model of the account, or of one project."""
    if project is not None:
        return client.models(find_project(client, project).id)
    return [model for each in client.projects() for model in client.models(each.id)]


def find_version(client: BlanklyClient, model: ModelInfo, named: str | None) -> Version:
    """A version by number (``3`` or ``v3``) or id; left out, the newest."""
    versions = client.versions(model.id)
    if not versions:
        raise NotFoundError(f"{model.name} has no version yet.", "%%deploy makes one.")
    if named is None:
        return max(versions, key=lambda version: version.number or 0)
    for version in versions:
        if named == version.id or named.lower().removeprefix("v") == str(version.number):
            return version
    numbers = sorted(version.number or 0 for version in versions)
    raise NotFoundError(
        f"{model.name} has no version {named}.", f"There are {numbers[0]} to {numbers[-1]}."
    )


def find_run(
    client: BlanklyClient, named: str | None, version: str | None = None, run: str | None = None
) -> Run:
    """The run that is meant: by id, else the newest live one of the model (and version)."""
    if run is not None:
        return client.run(run)
    model = find_model(client, named)
    if version is not None:
        chosen = find_version(client, model, version)
        runs = client.runs(version_id=chosen.id, kind="live", limit=20)
    else:
        runs = client.runs(model_id=model.id, kind="live", limit=20)
    if not runs:
        raise NotFoundError(f"{model.name} has no live run.", "%deploy runs it.")
    return next((each for each in runs if not each.ended), runs[0])


def _one(things: Sequence[Thing], named: str, what: str, hint: str) -> Thing:
    for match in (
        [thing for thing in things if thing.id == named],
        [thing for thing in things if thing.name == named],
        [thing for thing in things if thing.name.lower() == named.lower()],
    ):
        if len(match) == 1:
            return match[0]
        if match:
            raise UsageError(f"Several are called {named!r}.", "Give its id, or --project NAME.")
    close = difflib.get_close_matches(named, [thing.name for thing in things], n=1, cutoff=0.5)
    raise NotFoundError(
        f"There is no {what} {named!r}.", f"Did you mean {close[0]!r}?" if close else hint
    )


def _few(names: Iterable[str]) -> str:
    listed = sorted(set(names))
    more = f" and {len(listed) - 6} more" if len(listed) > 6 else ""
    return ", ".join(listed[:6]) + more
