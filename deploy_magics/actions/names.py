"""Names that Tab offers: of projects, models, versions and runs. Quick, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..platforms.blankly import BlanklyClient

KEPT = 5.0  # seconds that an answer serves again
_answers: dict[str, tuple[float, list[str]]] = {}


def names_of(what: str) -> Sequence[str]:
    """The names of one kind; raises what the client raises where nobody is signed in."""
    if what.startswith("bot"):
        from .bot_names import names_of as names_of_bots

        return names_of_bots(what)
    now = time.monotonic()
    if what not in _answers or now - _answers[what][0] > KEPT:
        find = _FINDERS.get(what)
        _answers[what] = (now, find() if find else [])
    return _answers[what][1]


def forget() -> None:
    """Ask anew next time (something was created, or somebody signed in)."""
    _answers.clear()


def _client() -> BlanklyClient:
    """A client that neither waits nor starts a server: Tab is no reason to."""
    from .session import client

    return client(patience=1, start=False)


def _projects() -> list[str]:
    return [project.name for project in _client().projects()]


def _models() -> list[str]:
    found = _client()
    return [model.name for project in found.projects() for model in found.models(project.id)]


def _versions() -> list[str]:
    from .find import find_model

    found = _client()
    model = find_model(found, None)
    return [str(version.number) for version in found.versions(model.id) if version.number]


def _runs() -> list[str]:
    return [run.id for run in _client().runs(limit=50)]


def _plans() -> list[str]:
    return [plan.name for plan in _client().plans()]


def _backtests() -> list[str]:
    from ..executor.history import RunStore

    return [run.id for run in RunStore().list(limit=50)]


def _backtest_models() -> list[str]:
    from ..executor.history import RunStore

    return sorted({run.model for run in RunStore().list(limit=200)})


_FINDERS: dict[str, Callable[[], list[str]]] = {
    "place": lambda: ["local", "platform", "tcp://"],
    "project": _projects,
    "model": _models,
    "version": _versions,
    "run": _runs,
    "plan": _plans,
    "backtest": _backtests,
    "backtest-model": _backtest_models,
}
