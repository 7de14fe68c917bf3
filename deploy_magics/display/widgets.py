"""Things as widgets: what a front end is sent of them, and when."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from . import surface

Bundle = Mapping[str, Any]
_waiting: list[Callable[[], None]] = []


def use_widget(
    kind: str,
    factory: Callable[[Any], Any],
    at_once: Callable[[Any], Bundle] | None = None,
) -> None:
    """Show every object of a type by the widget that ``factory`` makes of it, in notebooks.

    Args:
        kind: ``module:Class`` of what is shown; imported by nobody for this.
        factory: makes the widget; what the object says of itself as text and HTML stays beside
            it, for saved notebooks and for front ends without widgets.
        at_once: what is shown before the widget and that HTML are made, which is then done at the
            end of the cell and takes its place.
    """
    running = surface.shell()
    if running is None:
        return
    module, _, name = kind.partition(":")
    formatters = running.display_formatter
    if at_once is not None and hasattr(running, "kernel"):
        presented = _in_two_steps(factory, at_once)
        formatters.ipython_display_formatter.for_type_by_name(module, name, presented)
        return

    def bundle(thing: Any, **_: Any) -> Any:
        return _bundle(thing, factory) if surface.mode() == "widget" else None

    formatters.mimebundle_formatter.for_type_by_name(module, name, bundle)


def _bundle(thing: Any, factory: Callable[[Any], Any]) -> tuple[Bundle, Bundle] | None:
    try:
        made = factory(thing)._repr_mimebundle_()
    except Exception as error:  # the result is there; only its widget is not
        warnings.warn(f"{type(thing).__name__} has no widget: {error!r}", stacklevel=2)
        return None
    data, metadata = made if isinstance(made, tuple) else (made, {})
    return {**_static(thing), **dict(data or {}), "text/plain": repr(thing)}, metadata


def _static(thing: Any) -> dict[str, Any]:
    """What a thing says of itself."""
    as_html = getattr(thing, "_repr_html_", None)
    said = {"text/plain": repr(thing)}
    return {**said, "text/html": as_html()} if as_html is not None else said


def _in_two_steps(
    factory: Callable[[Any], Any], at_once: Callable[[Any], Bundle]
) -> Callable[[Any], None]:
    def present(thing: Any) -> None:
        from IPython.display import display

        if surface.mode() != "widget":
            display(_static(thing), raw=True)
            return
        first = {"text/plain": repr(thing), **at_once(thing)}
        handle = display(first, raw=True, display_id=True)

        def complete() -> None:
            data, metadata = _bundle(thing, factory) or (_static(thing), {})
            handle.update({**first, **data}, metadata=metadata, raw=True)

        _at_end_of_cell(complete)

    return present


def _at_end_of_cell(step: Callable[[], None]) -> None:
    """The cell counts as running till then, so whoever saves the notebook after it has it all."""
    if not _waiting:
        surface.shell().events.register("post_run_cell", _take_steps)
    _waiting.append(step)


def _take_steps(*_: Any) -> None:
    surface.shell().events.unregister("post_run_cell", _take_steps)
    steps, _waiting[:] = list(_waiting), []
    for step in steps:
        try:
            step()
        except KeyboardInterrupt:  # what was asked for is shown
            return
