"""The face for the JupyterLab panel: a Jupyter Server extension over the actions."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "deploy_magics.labserver"}]


def _load_jupyter_server_extension(server_app: Any) -> None:
    from .routes import install

    install(server_app.web_app)
    server_app.log.info("deploy_magics: the panel's routes are ready.")
