"""Where things are shown, and the one channel to the JupyterLab panel."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Literal

Mode = Literal["widget", "text", "silent"]
MODES: tuple[Mode, ...] = ("widget", "text", "silent")
CHANNEL = "deploy_magics"


def shell() -> Any:
    """The IPython shell that we run in, None in a plain program; imports nothing."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def mode() -> Mode:
    """``widget`` in a notebook, ``text`` elsewhere; ``$DEPLOY_MAGICS_DISPLAY`` says otherwise."""
    said = os.environ.get("DEPLOY_MAGICS_DISPLAY", "")
    for known in MODES:
        if said == known:
            return known
    return "widget" if hasattr(shell(), "kernel") else "text"


def show(thing: Any) -> None:
    """Show something now, beside what the cell returns."""
    how = mode()
    if how == "silent":
        return
    if how == "text":
        print(thing if isinstance(thing, str) else repr(thing))
        return
    from IPython.display import display

    display(thing)


def announce(kind: str, payload: Mapping[str, Any]) -> None:
    """Tell the JupyterLab panel something; shown to nobody and stored nowhere.

    It travels as an update of a display that does not exist, which front ends without the panel
    ignore. Kinds: ``progress {id, label, done, total, state}``, ``marks {cells}``, ``changed {}``.
    """
    running = shell()
    if not hasattr(running, "kernel"):
        return
    running.display_pub.publish(
        {},
        {},
        transient={"display_id": CHANNEL, CHANNEL: {"kind": kind, **payload}},
        update=True,
    )
