"""Projects, their models and versions, with what can be done about a version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from ..actions.overview_shape import version_steps
from ..actions.session import client
from ..actions.versions import state_text
from ..display import Table, announce, escape
from ..errors import DeployMagicsError


class ProjectsWidget(widgets.VBox):
    """Choose a project and a model; see its versions; deploy, stop or go back to one.

    Args:
        shown: the ``Projects`` that this stands for.
        platform: makes the client to ask; left out, the one that ``shown`` came from.
    """

    def __init__(self, shown: Any = None, platform: Callable[[], Any] | None = None) -> None:
        browse: Callable[[], Any] = client if shown is None else shown.browse
        self._platform = platform or browse
        self._choosing = False
        self._versions: dict[str, Any] = {}
        style = {"description_width": "5em"}
        self.project = widgets.Dropdown(description="Project", style=style)
        self.model = widgets.Dropdown(description="Model", style=style)
        self.version = widgets.Dropdown(description="Version", style=style)
        self.table = widgets.HTML()
        self.problem = widgets.HTML()
        self.refresh_button = widgets.Button(description="Refresh", icon="refresh")
        self.run_button = widgets.Button(description="Deploy", icon="play", button_style="primary")
        self.stop_button = widgets.Button(description="Stop", icon="stop")
        self.rollback_button = widgets.Button(description="Roll back to this", icon="undo")
        self.buttons = widgets.HBox()
        super().__init__(
            [
                widgets.HBox([self.project, self.model, self.refresh_button]),
                self.table,
                widgets.HBox([self.version, self.buttons]),
                self.problem,
            ]
        )
        self.project.observe(self._chosen(self._show_models), names="value")
        self.model.observe(self._chosen(self._show_versions), names="value")
        self.version.observe(self._chosen(self._show_buttons), names="value")
        self.refresh_button.on_click(lambda _: self._try(self._show_projects))
        self.run_button.on_click(self._step(lambda here, each: here.run_version(each.id)))
        self.stop_button.on_click(self._step(lambda here, each: here.stop(each.run_id)))
        self.rollback_button.on_click(self._step(lambda here, each: here.rollback(each.id)))
        self._try(self._show_projects)

    def _show_projects(self) -> None:
        found = self._platform().projects()
        self._choose(self.project, [(each.name, each.id) for each in found])
        self._show_models()

    def _show_models(self) -> None:
        found = self._platform().models(self.project.value) if self.project.value else []
        self._choose(self.model, [(each.name, each.id) for each in found])
        self._show_versions()

    def _show_versions(self) -> None:
        found = self._platform().versions(self.model.value) if self.model.value else []
        found = sorted(found, key=lambda each: each.number or 0, reverse=True)
        self._versions = {each.id: each for each in found}
        self._choose(self.version, [(each.name, each.id) for each in found])
        rows = [
            [each.name, state_text(each.state), each.description, each.created_at] for each in found
        ]
        headings = ["version", "state", "message", "created"]
        self.table.value = Table(headings, rows, empty="No model here yet: %%deploy.")._repr_html_()
        self._show_buttons()

    def _show_buttons(self) -> None:
        """The buttons that make sense for the version that is chosen, and no others."""
        version = self._versions.get(self.version.value)
        newest = next(iter(self._versions.values()), None)
        possible = _steps(version, version is newest) if version else ()
        known = {
            "run": self.run_button,
            "stop": self.stop_button,
            "rollback": self.rollback_button,
        }
        self.buttons.children = [button for step, button in known.items() if step in possible]

    def _choose(self, box: widgets.Dropdown, options: list[tuple[str, str]]) -> None:
        """New options for a box, without losing what was chosen."""
        if list(box.options) == options:
            return
        before = box.value
        self._choosing = True
        try:
            box.options = options
            values = [value for _, value in options]
            box.value = before if before in values else next(iter(values), None)
        finally:
            self._choosing = False

    def _chosen(self, work: Callable[[], None]) -> Callable[[Any], None]:
        """What follows when the user, and not the widget itself, has chosen something else."""
        return lambda _: None if self._choosing else self._try(work)

    def _step(self, step: Callable[[Any, Any], Any]) -> Callable[[Any], None]:
        def pressed(_: Any) -> None:
            def work() -> None:
                step(self._platform(), self._versions[self.version.value])
                announce("changed", {})
                self._show_versions()

            self._try(work)

        return pressed

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
            self.problem.value = ""
        except DeployMagicsError as error:
            self.problem.value = escape(str(error))


def _steps(version: Any, newest: bool) -> Sequence[str]:
    """What can be done about a version: what its platform says, or else its state."""
    said: Sequence[str] | None = getattr(version, "steps", None)
    return version_steps([version.state], newest) if said is None else said
