"""The versions of a model: listed, and gone back to."""

from __future__ import annotations

from dataclasses import dataclass

from ..display import Table, announce
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import ModelInfo, Run, Version
from . import names
from .deployment import STATE_MARKS, Deployment
from .find import all_models, find_model, find_version
from .kinds import ModelName, ProjectName, VersionNumber
from .rollout import wait_until_running
from .session import client


@dataclass(repr=False)
class Versions(Table):
    """A model's versions, the newest first; also a sequence of ``Version``."""

    versions: tuple[Version, ...] = ()

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self.versions)

    def __len__(self) -> int:
        return len(self.versions)

    def __getitem__(self, place: int) -> Version:
        return self.versions[place]


def versions(name: ModelName = None, *, project: ProjectName = None, all: bool = False) -> Versions:
    """List the versions of a model, with the state of each.

    Args:
        name: the model; left out, the one deployed last.
        project: the project it is in.
        all: the newest version of every model.
    """
    here = client()
    if all:
        return _newest(here, all_models(here, project))
    model = find_model(here, name, project)
    found = tuple(sorted(here.versions(model.id), key=lambda each: each.number or 0, reverse=True))
    headings = ["version", "state", "message", "plan", "Python", "created", "package"]
    rows = [
        [
            f"v{each.number}",
            state_text(each.state),
            each.description,
            each.plan,
            each.python_version,
            each.created_at,
            each.sha256[:12],
        ]
        for each in found
    ]
    return Versions(headings, rows, title=model.name, empty="No version yet.", versions=found)


def rollback(
    name: ModelName = None,
    *,
    to: VersionNumber = None,
    message: str = "",
    project: ProjectName = None,
    wait: bool = True,
) -> Deployment:
    """Go back to an earlier version, as a new version that equals it.

    Args:
        name: the model; left out, the one deployed last.
        to: the version to go back to; left out, the one before the newest.
        message: why.
        project: the project it is in.
        wait: return when it runs; --no-wait returns when it is accepted.
    """
    here = client()
    model = find_model(here, name, project)
    chosen = find_version(here, model, to) if to else _before_newest(here, model)
    accepted = here.rollback(chosen.id, message)
    names.forget()
    announce("changed", {})
    run = here.run(accepted.run_id) if accepted.run_id else Run("")
    if wait and run.id:
        run = wait_until_running(here, model.name, run)
    return Deployment(
        name=model.name,
        version=accepted.version,
        project="",
        server=here.base_url,
        run=run,
        model_id=model.id,
        version_id=accepted.version_id,
        note=f"It equals v{chosen.number}.",
    )


def state_text(state: str) -> str:
    return f"{STATE_MARKS.get(state, '')} {state}".strip()


def _before_newest(here: BlanklyClient, model: ModelInfo) -> Version:
    from ..errors import NotFoundError

    found = sorted(here.versions(model.id), key=lambda each: each.number or 0)
    if len(found) < 2:
        raise NotFoundError(
            f"{model.name} has no earlier version.", "%deploy_versions lists what there is."
        )
    return found[-2]


def _newest(here: BlanklyClient, models: list[ModelInfo]) -> Versions:
    rows, found = [], []
    for model in models:
        for each in sorted(here.versions(model.id), key=lambda one: -(one.number or 0))[:1]:
            found.append(each)
            rows.append(
                [
                    model.name,
                    f"v{each.number}",
                    state_text(each.state),
                    each.description,
                    each.created_at,
                ]
            )
    headings = ["model", "version", "state", "message", "created"]
    return Versions(headings, rows, empty="Nothing is deployed yet.", versions=tuple(found))
