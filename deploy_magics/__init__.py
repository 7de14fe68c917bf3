"""From a notebook cell to a backtest, a running deployment, its orders and its profit.

``%load_ext deploy_magics`` brings the magics; each is also a function here, with the same options:
``deploy_magics.backtest("model.zip", data={"EUR-USD": "prices.csv"}, to="1y")``.
Importing this package imports nothing else: everything is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# what each name stands for; a magic's own name is the function's name too
_PUBLIC = {
    "deploy_login": "actions.login:login",
    "deploy_logout": "actions.login:logout",
    "deploy_projects": "actions.projects:projects",
    "deploy": "actions.deploy:deploy",
    "deploy_versions": "actions.versions:versions",
    "deploy_rollback": "actions.versions:rollback",
    "deploy_status": "actions.status:status",
    "deploy_stop": "actions.status:stop",
    "deploy_start": "actions.status:start",
    "deploy_logs": "actions.logs:logs",
    "backtest": "actions.backtest:backtest",
    "backtests": "actions.backtests:backtests",
    "deploy_audit": "actions.ubiops_revisions:audit",
    "deploy_request": "actions.ubiops_requests:request",
    "show_model": "actions.package:model",
    "BacktestResult": "executor.result:BacktestResult",
    "Model": "model:Model",
    "FreqtradeClient": "platforms.freqtrade:FreqtradeClient",
    "JustForFundClient": "platforms.justforfund:JustForFundClient",
}
# magics of several actions: ``%bot status`` is ``deploy_magics.bot.status()``
_GROUPS = ("bot", "signal", "resource", "deploy_env", "deploy_revisions", "deploy_templates")
__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension", *_PUBLIC, *_GROUPS]


def __getattr__(name: str) -> Any:
    if name in _GROUPS:
        return import_module(".magics.register", __name__).functions_of(name)
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(import_module(f".{module}", __name__), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext deploy_magics``: the magics, and a log of what the kernel executes."""
    from .actions import workspace
    from .magics.register import register

    workspace.attach(shell)
    register(shell)
    if hasattr(shell, "kernel"):
        from . import widgets
        from .magics.frontend import listen

        listen(shell)
        widgets.register()


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext deploy_magics``: takes the magics back; runs in the background end."""
    from .actions import workspace
    from .magics.register import unregister

    unregister(shell)
    workspace.detach()
