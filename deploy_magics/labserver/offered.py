"""The options of an action as the dialogs ask for them: the same that its magic takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..actions.options import Option, options_of
from ..errors import NotFoundError


def action_named(name: str) -> Callable[..., Any]:
    """The action behind a button."""
    if name == "backtest":
        from ..actions.backtest import backtest

        return backtest
    if name == "deploy":
        from ..actions.deploy import deploy

        return deploy
    raise NotFoundError(f"There is no action {name!r} in the panel.")


def offered(name: str) -> dict[str, Any]:
    """What ``labextension/src/types.ts`` calls IOptions."""
    found = options_of(action_named(name))
    return {
        "summary": found.summary,
        "options": [_shape(option) for option in found.options if not option.positional],
    }


def _shape(option: Option) -> dict[str, Any]:
    kinds = {int: "integer", float: "number"}
    return {
        "name": option.name,
        "flag": option.flag,
        "shape": option.shape,
        "kind": kinds.get(option.kind, "text"),
        "default": _typed(option.default),
        "choices": list(option.choices),
        "help": option.help,
        "required": option.required,
    }


def _typed(default: Any) -> str | None:
    """A default as it would be typed; None where nothing is typed for it."""
    if default is None or isinstance(default, bool) or default == "":
        return None
    return str(default) if isinstance(default, str | int | float) else None
