"""Environment variables on UbiOps: of a project, a deployment or a version."""

from __future__ import annotations

import os

from ..display import Table, secret
from ..errors import UsageError
from ..platforms.ubiops import UbiopsClient
from ..platforms.ubiops_types import Variable
from .kinds import ProjectName
from .ubiops_session import client, deployment_of, project_of

HIDDEN = "•••••"
Level = tuple[str, str | None, str | None]


def env_list(
    *,
    deployment: str | None = None,
    version: str | None = None,
    whole_project: bool = False,
    project: ProjectName = None,
    server: str | None = None,
) -> Table:
    """The environment variables in force, and where each comes from.

    Args:
        deployment: its name; left out, the one deployed last.
        version: of this version of it.
        whole_project: of the project itself.
        project: the project's name.
        server: the service's address.
    """
    here, level = _level(server, project, deployment, version, whole_project)
    return _table(here.variables(*level), level)


def env_set(
    name: str,
    value: str | None = None,
    *,
    deployment: str | None = None,
    version: str | None = None,
    whole_project: bool = False,
    secret: bool = False,
    value_env: str | None = None,
    project: ProjectName = None,
    server: str | None = None,
) -> Table:
    """Set an environment variable; a secret's value is asked for and not shown.

    Args:
        name: letters, digits and underscores.
        value: its value; left out, it is asked for and not shown.
        deployment: its name; left out, the one deployed last.
        version: for this version of it alone.
        whole_project: for all deployments of the project.
        secret: it is never shown again; it cannot be made readable later.
        value_env: take the value from this environment variable of the kernel.
        project: the project's name.
        server: the service's address.
    """
    if secret and value is not None:
        raise UsageError(
            "A secret's value typed in a cell stays in the notebook and its history.",
            "Leave it out and it is asked for, or name a variable with --value-env.",
        )
    here, level = _level(server, project, deployment, version, whole_project)
    chosen = value if value is not None else _value(name, value_env)
    # without --secret a variable that is secret already stays so
    here.set_variable(*level, name, chosen, secret=True if secret else None)
    return _table(here.variables(*level), level)


def env_unset(
    name: str,
    *,
    deployment: str | None = None,
    version: str | None = None,
    whole_project: bool = False,
    project: ProjectName = None,
    server: str | None = None,
) -> Table:
    """Remove an environment variable; one that is inherited stays.

    Args:
        name: of the variable.
        deployment: its name; left out, the one deployed last.
        version: of this version of it.
        whole_project: of the project itself.
        project: the project's name.
        server: the service's address.
    """
    here, level = _level(server, project, deployment, version, whole_project)
    found = next((each for each in here.variables(*level) if each.name == name), None)
    if found is None:
        raise UsageError(f"There is no variable {name} there.", "See %deploy_env list.")
    if found.inheritance_type is not None:
        raise UsageError(
            f"{name} comes from the {found.inheritance_type} {found.inheritance_name}.",
            "Remove it there.",
        )
    here.delete_variable(*level, found.id)
    return _table(here.variables(*level), level)


def env_copy(
    source: str,
    *,
    from_version: str | None = None,
    deployment: str | None = None,
    version: str | None = None,
    project: ProjectName = None,
    server: str | None = None,
) -> Table:
    """Copy the environment variables of another deployment; secrets stay secret.

    Args:
        source: the deployment to copy from.
        from_version: this version of it.
        deployment: the deployment to copy to; left out, the one deployed last.
        version: to this version of it.
        project: the project's name.
        server: the service's address.
    """
    here, (place, name, _) = _level(server, project, deployment, version, False)
    assert name is not None
    copied = here.copy_variables(
        place, name, version, source_deployment=source, source_version=from_version
    )
    return _table(copied, (place, name, version), title="Copied to")


def _level(
    server: str | None,
    project: str | None,
    deployment: str | None,
    version: str | None,
    whole_project: bool,
) -> tuple[UbiopsClient, Level]:
    if whole_project and (deployment or version):
        raise UsageError("--whole-project is for all deployments.", "Leave the others out.")
    here = client(server)
    place = project_of(here, project)
    if whole_project:
        return here, (place, None, None)
    return here, (place, deployment_of(here, place, deployment).name, version)


def _value(name: str, variable: str | None) -> str:
    if variable is None:
        return secret(f"Value of {name}", "Give it after the name, or name it with --value-env.")
    if variable not in os.environ:
        raise UsageError(f"The environment variable {variable} is not set in the kernel.")
    return os.environ[variable]


def _table(found: list[Variable], level: Level, title: str = "Variables of") -> Table:
    project, deployment, version = level
    place = " ".join(each for each in (deployment, version) if each) or f"project {project}"
    rows = [
        [
            each.name,
            HIDDEN if each.secret else each.value,
            "secret" if each.secret else "",
            f"{each.inheritance_type} {each.inheritance_name}" if each.inheritance_type else "",
        ]
        for each in found
    ]
    return Table(["name", "value", "", "inherited from"], rows, title=f"{title} {place}")
