"""The face in ipywidgets: projects and versions, a run, a backtest's result, a comparison, a login.

What a widget shows stands beside it as text and HTML with a picture, so a saved notebook, or a
front end without widgets, shows that.
"""

from __future__ import annotations

from typing import Any

# what is shown by which widget: "module:Class" on both sides, imported when it is needed; and what
# is shown at once, where the widget's picture takes its time
SHOWN = {
    "deploy_magics.executor.result:BacktestResult": ("result:result_widget", "result:at_once"),
    "deploy_magics.executor.compare:Comparison": ("result:result_widget", "result:at_once"),
    "deploy_magics.actions.deployment:Deployment": ("run:deployment_widget", None),
    "deploy_magics.actions.projects:Projects": ("projects:ProjectsWidget", None),
}


def register() -> None:
    """Show the actions' results by their widgets in notebooks."""
    from ..display import use_widget

    for kind, (widget, at_once) in SHOWN.items():
        use_widget(kind, _later(widget), _later(at_once) if at_once else None)


def _later(place: str) -> Any:
    module, _, name = place.partition(":")

    def make(thing: Any) -> Any:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{module}"), name)(thing)

    return make
