"""Where things are shown, and the one channel to the JupyterLab panel."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

Mode = Literal["widget", "text", "silent"]
MODES: tuple[Mode, ...] = ("widget", "text", "silent")
CHANNEL = "deploy_magics"
_factories: dict[str, Callable[[Any], Any]] = {}


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


def use_widget(kind: str, factory: Callable[[Any], Any]) -> None:
    """Show every object of a type by the widget that ``factory`` makes of it, in notebooks.

    Args:
        kind: ``module:Class`` of what is shown; imported by nobody for this.
        factory: makes the widget; what the object says of itself as text and HTML stays beside
            it, for saved notebooks and for front ends without widgets.
    """
    _factories[kind] = factory
    running = shell()
    if running is None:
        return
    module, _, name = kind.partition(":")
    formatter = running.display_formatter.mimebundle_formatter
    formatter.for_type_by_name(module, name, _bundle_by(factory))


def _bundle_by(factory: Callable[[Any], Any]) -> Callable[..., Any]:
    def bundle(thing: Any, **_: Any) -> Any:
        if mode() != "widget":
            return None
        try:
            made = factory(thing)._repr_mimebundle_()
        except Exception as error:  # the result is there; only its widget is not
            warnings.warn(f"{type(thing).__name__} has no widget: {error!r}", stacklevel=2)
            return None
        data, metadata = made if isinstance(made, tuple) else (made, {})
        data = dict(data or {})
        data["text/plain"] = repr(thing)
        as_html = getattr(thing, "_repr_html_", None)
        if as_html is not None:
            data.setdefault("text/html", as_html())
        return data, metadata

    return bundle


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
