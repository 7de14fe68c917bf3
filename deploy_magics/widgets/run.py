"""A run on a platform: its state, progress and log as they change, with stop and start."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..actions.deployment import (
    STATE_MARKS,
    Deployment,
    holding_lines,
    next_try_text,
    progress_lines,
)
from ..actions.session import client
from ..display import escape
from ..errors import DeployMagicsError

WAIT = 5.0  # seconds that one question about the log stays open
PAUSE = 2.0  # seconds until a server that did not answer is asked again
KEPT = 200_000  # characters of the log


class RunWidget(widgets.VBox):
    """One run, followed from a thread until it ends, the widget is closed or the kernel ends.

    Args:
        title: the model and its version.
        run_id: the run.
        platform: makes the client to ask; left out, where the user is signed in.
    """

    def __init__(self, title: str, run_id: str, platform: Callable[[], Any] = client) -> None:
        self.run_id = run_id
        self._platform = platform
        self._closed = threading.Event()
        self._text = ""
        self._offset = 0
        self.state = widgets.HTML()
        self.progress = widgets.FloatProgress(max=1.0, layout={"width": "16em"})
        self.stop_button = widgets.Button(description="Stop", icon="stop", button_style="danger")
        self.start_button = widgets.Button(description="Start", icon="play")
        self.problem = widgets.HTML()
        self.printed = widgets.HTML()
        self.stop_button.on_click(lambda _: self._do(lambda: platform().stop(run_id)))
        self.start_button.on_click(lambda _: self._do(lambda: platform().start(run_id)))
        name = widgets.HTML(
            f"<b style='white-space:nowrap'>{escape(title)}</b>", layout={"flex": "0 0 auto"}
        )
        head = widgets.HBox([name, self.progress])
        self.buttons = widgets.HBox([self.stop_button])
        super().__init__([head, self.state, self.buttons, self.problem, self.printed])
        self._thread: threading.Thread | None = None
        self.follow()

    def follow(self) -> None:
        """Follow the run from now on, if that is not being done already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._follow, name="run-widget", daemon=True)
            self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the run has ended and all of it is shown."""
        if self._thread is not None:
            self._thread.join(timeout)

    def close(self) -> None:
        self._closed.set()
        super().close()

    def _follow(self) -> None:
        while not self._closed.is_set():
            try:
                if self._step():
                    return
            except DeployMagicsError as error:
                self.problem.value = escape(str(error))
                self._closed.wait(PAUSE)

    def _step(self) -> bool:
        """Show what is new; True when there is no more to come."""
        platform = self._platform()
        run = platform.run(self.run_id)
        self._show(run)
        part = platform.logs(self.run_id, self._offset, 0 if run.ended else WAIT)
        self._offset = part.offset
        if part.text:
            self._text = (self._text + part.text)[-KEPT:]
            self.printed.value = (
                f"<pre style='max-height:20em;overflow:auto;margin:0'>{escape(self._text)}</pre>"
            )
        self.problem.value = ""
        return bool(run.ended and not part.text)

    def _show(self, run: Any) -> None:
        facts = [f"{STATE_MARKS.get(run.state, '')} {run.state}".strip()]
        told = progress_lines(run.progress) + holding_lines(run.progress)
        facts += [f"{name} {text}" for name, text in told]
        if run.restarts and not run.ended:
            facts.append(f"restarts {run.restarts}")
        if run.error:
            facts.append(run.error if run.ended else f"last error {run.error}")
        if run.next_try:
            facts.append(f"next try {next_try_text(run.next_try)}")
        self.state.value = escape(" · ".join(facts))
        done, total = run.progress.get("done"), run.progress.get("total")
        self.progress.value = done / total if done is not None and total else 0.0
        self.progress.layout.visibility = "visible" if total and not run.ended else "hidden"
        self.buttons.children = [self.start_button if run.ended else self.stop_button]

    def _do(self, step: Callable[[], Any]) -> None:
        from ..display import announce

        try:
            step()
        except DeployMagicsError as error:
            self.problem.value = escape(str(error))
            return
        announce("changed", {})
        self.follow()


def deployment_widget(deployment: Deployment) -> Any:
    """The widget of a deployment; as it is, where there is no run to follow."""
    from .result import Static

    if not deployment.run_id:
        return Static(deployment)
    return RunWidget(deployment.title, deployment.run_id)
