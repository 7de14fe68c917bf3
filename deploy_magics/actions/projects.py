"""Projects: listed and created."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..display import Table, announce
from ..errors import UsageError
from ..platforms.blankly_types import Project
from . import names
from .session import client
from .workspace import current


@dataclass(repr=False)
class Projects(Table):
    """The account's projects; also a sequence of ``Project``.

    ``browse`` makes what the widget asks for their models and versions.
    """

    projects: tuple[Project, ...] = ()
    browse: Callable[[], Any] = client

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self.projects)

    def __len__(self) -> int:
        return len(self.projects)

    def __getitem__(self, key: int | str) -> Project:
        if isinstance(key, int):
            return self.projects[key]
        for project in self.projects:
            if project.name == key:
                return project
        raise KeyError(key)


def projects(
    *,
    create: str | None = None,
    description: str = "",
    platform: Literal["blankly", "ubiops"] = "blankly",
) -> Projects:
    """List the projects of your account, and create one.

    Args:
        create: name of a project to create, where there is none of that name yet; what you
            deploy goes there from now on.
        description: what the new project is about.
        platform: whose API is asked.
    """
    if platform == "ubiops":
        from . import ubiops_browse

        if create is not None:
            raise UsageError("UbiOps' API creates no projects.", "Its own web page does.")
        return ubiops_browse.projects()
    if description and create is None:
        raise UsageError("--description goes with --create NAME.")
    here = client()
    note = ""
    if create is not None:
        there = next((each for each in here.projects() if each.name == create.strip()), None)
        made = there or create_project(create, description)
        current().project_id = made.id
        did = "is there already" if there else "is created"
        note = f"{made.name} {did}; what you deploy goes there from now on."
    found = tuple(here.projects())
    rows = []
    for project in found:
        models = here.models(project.id)
        listed = ", ".join(model.name for model in models[:5]) + (" …" if len(models) > 5 else "")
        mark = "→" if project.id == current().project_id else ""
        rows.append([mark, project.name, project.description, listed, project.created_at])
    headings = ["", "project", "description", "models", "created"]
    return Projects(
        headings, rows, note=note, empty="No project yet: --create NAME.", projects=found
    )


def create_project(name: str, description: str = "") -> Project:
    """Create a project and use it from now on; ConflictError where the name is taken."""
    if not name.strip():
        raise UsageError("A project needs a name.")
    made = client().create_project(name.strip(), description)
    current().project_id = made.id
    names.forget()
    announce("changed", {})
    return made
