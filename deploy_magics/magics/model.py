"""%model."""

from .command import Command

COMMANDS = [Command("model", "deploy_magics.actions.package:model", "line_cell")]
