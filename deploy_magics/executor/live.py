"""Live runs on this machine: they outlive the process that started them, and are found again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment, ensure_environment
from deploy_magics.executor.local import write_job
from deploy_magics.executor.process import Guarded, Limits, attach, start_guarded
from deploy_magics.executor.stream import EventReader, read_log
from deploy_magics.model.model import Model

STATES = {"ended": "succeeded", "cancelled": "cancelled"}
GRACE = 10.0
"""Seconds a model has to end itself once it is told to stop."""

MOST_ASSETS = 20
"""An account may hold more; so many are shown with the progress."""


class LiveRun:
    """A model that trades, in a folder of this machine.

    Attributes:
        folder: all that is known of the run is there.
    """

    def __init__(self, guarded: Guarded) -> None:
        self.folder = guarded.folder
        self._guarded = guarded
        self._reader = EventReader(self.folder)
        self._orders: dict[str, dict[str, Any]] = {}
        self._account: dict[str, Any] | None = None
        self._progress: dict[str, Any] | None = None
        self._error: dict[str, Any] | None = None
        self._problem: dict[str, Any] | None = None
        self._begun = False

    @classmethod
    def attach(cls, folder: str | os.PathLike[str]) -> LiveRun:
        """The run that is, or was, in this folder, whoever started it."""
        return cls(attach(folder))

    @property
    def state(self) -> str:
        """``running``, ``succeeded`` (its prices are at their end), ``failed`` or ``cancelled``."""
        exit = self.exit
        return "running" if exit is None else STATES.get(exit["reason"], "failed")

    @property
    def exit(self) -> dict[str, Any] | None:
        """``reason``, ``code``, ``signal`` and ``ended_at``; None while it runs."""
        return self._guarded.poll()

    @property
    def begun(self) -> bool:
        """Whether the model runs, or has run: its script is through and its strategies started."""
        self._read()
        return self._begun

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the run is over, after at most ``timeout`` seconds."""
        return self._guarded.wait(timeout) is not None

    def events(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The events from ``offset`` (bytes) on, and the next offset."""
        reader = EventReader(self.folder, offset)
        return list(reader.read()), reader.offset

    def logs(self, offset: int = 0) -> tuple[str, int]:
        """What the model printed from ``offset`` (bytes of all it printed) on, and the next."""
        return read_log(self.folder, offset)

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Each order as it stands, in the order in which they were made."""
        self._read()
        return list(self._orders.values())

    @property
    def account(self) -> dict[str, Any] | None:
        """``time``, ``value`` and ``values`` (amount by asset), the latest of them."""
        self._read()
        return self._account

    @property
    def progress(self) -> dict[str, Any] | None:
        """``done`` and ``total`` of a replay; of any run ``time``, ``equity``, ``values`` (what the
        account holds, by asset), how many ``orders`` there are, and the ``problem`` that its
        callbacks had last."""
        self._read()
        found = dict(self._progress or {})
        if self._account is not None:
            held = {name: amount for name, amount in self._account["values"].items() if amount}
            found |= {"time": self._account["time"], "equity": self._account["value"]}
            found["values"] = dict(list(held.items())[:MOST_ASSETS])
        if found:
            found["orders"] = len(self._orders)
        if self._problem is not None:
            found["problem"] = f"{self._problem['message']} ({self._problem['count']} times)"
        return found or None

    @property
    def error(self) -> dict[str, Any] | None:
        """What ended the model: ``message``, ``traceback``, ``cell``, ``line``."""
        self._read()
        return self._error

    def stop(self, timeout: float = GRACE + 10.0) -> None:
        """Lets the model end itself, then ends it; returns once nothing of it is left."""
        self._guarded.cancel()
        self._guarded.wait(timeout)

    def _read(self) -> None:
        for event in self._reader.read():
            name = event.pop("event")
            if name == "order":
                self._orders[str(event["id"])] = event
            elif name == "account":
                self._account = event
            elif name == "progress":
                self._progress = event
            elif name == "error":
                self._error = event
            elif name == "callback_error":
                self._problem = event
            elif name == "started":
                self._error = self._problem = None
                self._begun = False
            elif name == "phase":
                self._begun = self._begun or event.get("name") == "running"
            elif name == "resumed":
                self._orders.clear()  # they are told again

    def __repr__(self) -> str:
        return f"<live run in {self.folder}: {self.state}>"


def with_exchanges(environment: Environment) -> Environment:
    """That environment and ccxt, which fetches live prices in the model's process."""
    if any(line.lower().startswith("ccxt") for line in environment.requirements):
        return environment
    return ensure_environment(environment.version, (*environment.requirements, "ccxt"))


def start_live(
    model: Model,
    *,
    prices: PriceSet | None,
    feed: Mapping[str, Any],
    environment: Environment,
    limits: Limits | None = None,
    folder: str | os.PathLike[str],
    env: Mapping[str, str] | None = None,
    args: Mapping[str, Any] | None = None,
    engine: str = "fast",
) -> LiveRun:
    """Starts a model live; it goes on when this process ends.

    Started again in the same folder, a replay goes on where the earlier attempt was: the bars up
    to there pass in no time, so that the model, its account and its orders are what they were.

    Args:
        feed: ``{"kind": "replay", "pace": bars per second, "real" or 0}``,
            ``{"kind": "ccxt", "exchange": name, …}``, or ``{"kind": "exchange"}`` for real orders.
        args: ``initial_values`` of the paper account, ``start_date`` and ``end_date`` of a replay.
        env: variables for the model; they are not written to disk.
    """
    if feed.get("kind") == "ccxt":
        environment = with_exchanges(environment)
    place = Path(folder).absolute()
    place.mkdir(parents=True, exist_ok=True)
    write_job(place, model, kind="live", prices=prices, args=args or {}, engine=engine, feed=feed)
    return LiveRun(
        start_guarded(
            place,
            python=environment.python,
            kind="live",
            limits=limits,
            env=env,
            follow_parent=False,
            grace=GRACE,
        )
    )
