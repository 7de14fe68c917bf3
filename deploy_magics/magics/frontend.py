"""What the front end tells the kernel: which cells carry which tags."""

from __future__ import annotations

from typing import Any

from ..actions.workspace import current

TARGET = "deploy_magics"


def listen(shell: Any) -> None:
    """Take the tags that the JupyterLab panel sends: ``{"tags": {cell id: [tag, …]}}``.

    Tags in the metadata of each execute request are read by the log itself.
    """
    manager = getattr(shell.kernel, "comm_manager", None)
    if manager is not None:
        manager.register_target(TARGET, _opened)


def _opened(comm: Any, message: Any) -> None:
    _take(message)
    comm.on_msg(_take)


def _take(message: Any) -> None:
    data = (message.get("content") or {}).get("data") or {}
    log, tags = current().log, data.get("tags")
    if log is None or not isinstance(tags, dict):
        return
    for cell_id, names in tags.items():
        if isinstance(names, list):
            log.tag(str(cell_id), [str(name) for name in names])
