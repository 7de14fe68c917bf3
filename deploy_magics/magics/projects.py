"""%deploy_login, %deploy_logout, %deploy_projects."""

from .command import Command

COMMANDS = [
    Command("deploy_login", "deploy_magics.actions.login:login"),
    Command("deploy_logout", "deploy_magics.actions.login:logout"),
    Command("deploy_projects", "deploy_magics.actions.projects:projects"),
]
