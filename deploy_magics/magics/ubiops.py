"""``%deploy_env``, ``%deploy_revisions`` and the like: UbiOps from a cell."""

from __future__ import annotations

from .command import Command, Group

_ENV = "deploy_magics.actions.ubiops_env"
_REVISIONS = "deploy_magics.actions.ubiops_revisions"

COMMANDS = [
    Group(
        "deploy_env",
        {word: f"{_ENV}:env_{word}" for word in ("list", "set", "unset", "copy")},
        default="list",
    ),
    Group(
        "deploy_revisions",
        {
            "list": f"{_REVISIONS}:revisions",
            "download": f"{_REVISIONS}:revision_download",
            "rebuild": f"{_REVISIONS}:revision_activate",
            "activate": f"{_REVISIONS}:revision_activate",
        },
        default="list",
    ),
    Group(
        "deploy_templates",
        {"list": f"{_REVISIONS}:templates", "use": f"{_REVISIONS}:template_use"},
        default="list",
    ),
    Command("deploy_audit", f"{_REVISIONS}:audit"),
    Command("deploy_request", "deploy_magics.actions.ubiops_requests:request"),
]
