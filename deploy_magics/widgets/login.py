"""Signing in from a notebook, where a prompt would be in the way."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..actions.login import login
from ..display import announce, escape
from ..errors import DeployMagicsError


class LoginWidget(widgets.VBox):
    """An address, a hidden token and a button; without an address, the server on this machine.

    The token is checked before it is kept, and leaves the box at once.
    """

    def __init__(self, server: str = "") -> None:
        style = {"description_width": "5em"}
        self.server = widgets.Text(
            server, description="Server", placeholder="the one on this machine", style=style
        )
        self.token = widgets.Password(description="Token", style=style)
        self.button = widgets.Button(description="Sign in", button_style="primary")
        self.said = widgets.HTML()
        super().__init__([self.server, self.token, self.button, self.said])
        self.button.on_click(self._sign_in)

    def _sign_in(self, _: Any) -> None:
        server, token = self.server.value.strip(), self.token.value
        self.token.value = ""
        self.button.disabled = True
        self.said.value = "One moment …"
        try:
            done = login(server or None, token=token or None)
            self.said.value = done._repr_html_()
            announce("changed", {})
        except DeployMagicsError as error:
            self.said.value = escape(str(error))
        finally:
            self.button.disabled = False
