"""%deploy, %%deploy, and what is deployed."""

from .command import Command

COMMANDS = [
    Command("deploy", "deploy_magics.actions.deploy:deploy", "line_cell"),
    Command("deploy_versions", "deploy_magics.actions.versions:versions"),
    Command("deploy_rollback", "deploy_magics.actions.versions:rollback"),
    Command("deploy_status", "deploy_magics.actions.status:status"),
    Command("deploy_stop", "deploy_magics.actions.status:stop"),
    Command("deploy_start", "deploy_magics.actions.status:start"),
    Command("deploy_logs", "deploy_magics.actions.logs:logs"),
]
