"""``%signal`` and ``%resource``: publishing to JustForFund, or to a server of ours."""

from __future__ import annotations

from .command import Group

_ACTIONS = "deploy_magics.actions.signals"
COMMANDS = [
    Group(
        "signal",
        {
            "connect": f"{_ACTIONS}:connect",
            "buy": f"{_ACTIONS}:buy",
            "sell": f"{_ACTIONS}:sell",
            "batch": f"{_ACTIONS}_batch:batch",
            "list": f"{_ACTIONS}:signals",
        },
    ),
    Group(
        "resource",
        {
            "connect": f"{_ACTIONS}:connect",
            "publish": f"{_ACTIONS}:publish",
            "list": f"{_ACTIONS}:resources",
        },
    ),
]
