"""What is deployed, as an object: shown, asked, stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..display import escape, when
from ..display.table import clean
from ..platforms.blankly_types import Run

STATE_MARKS = {
    "queued": "…",
    "building": "…",
    "running": "▶",
    "succeeded": "✓",
    "failed": "✗",
    "cancelled": "■",
}


@dataclass(repr=False)
class Deployment:
    """A version of a model on the platform, and its live run."""

    name: str
    version: int | None
    project: str
    server: str
    run: Run
    model_id: str = ""
    version_id: str = ""
    note: str = ""
    progress: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The state as of when this was asked for; ``refresh()`` asks again."""
        return self.run.state

    @property
    def run_id(self) -> str:
        return self.run.id

    def refresh(self) -> Deployment:
        """Ask the platform for the state of now."""
        from .session import client

        self.run = client().run(self.run.id)
        return self

    def logs(self) -> Any:
        from .logs import logs

        return logs(run=self.run.id)

    def stop(self) -> Deployment:
        from .status import stop

        return stop(run=self.run.id)

    def orders(self) -> Any:
        """The orders that the run has sent, as a DataFrame."""
        import pandas as pd

        from .session import client

        table = pd.DataFrame(client().orders(self.run.id))
        for column in ("time", "created_at"):
            if column in table:
                table[column] = pd.to_datetime(table[column], unit="s", utc=True)
        return table

    def _lines(self) -> list[tuple[str, str]]:
        run = self.run
        lines = [("state", f"{STATE_MARKS.get(run.state, '')} {run.state}".strip())]
        if run.feed:
            lines.append(("runs on", feed_text(run.feed)))
        lines += progress_lines(run.progress) + holding_lines(run.progress)
        if run.started_at:
            lines.append(("started", when(run.started_at)))
        if run.ended_at:
            lines.append(("ended", when(run.ended_at)))
        if run.attempts > 1:
            lines.append(("attempts", str(run.attempts)))
        if run.restarts and not run.ended:
            lines.append(("restarts", str(run.restarts)))
        if run.error:
            lines.append(("error" if run.ended else "last error", run.error))
        if run.next_try:
            lines.append(("next try", next_try_text(run.next_try)))
        lines += [("run", run.id), ("project", self.project), ("server", self.server)]
        return [(name, text) for name, text in lines if text]

    @property
    def title(self) -> str:
        number = f" v{self.version}" if self.version is not None else ""
        return f"{self.name}{number}"

    def __repr__(self) -> str:
        width = max((len(name) for name, _ in self._lines()), default=0)
        lines = [clean(self.title)]
        lines += [f"  {name:<{width}}  {clean(text)}" for name, text in self._lines()]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left;opacity:.75'>{escape(name)}</td>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in self._lines()
        )
        note = f"<div>{escape(self.note)}</div>" if self.note else ""
        return f"<div><b>{escape(self.title)}</b></div><table>{rows}</table>{note}"


def feed_text(feed: Mapping[str, Any]) -> str:
    """Where the prices and the fills of a live run come from, for people."""
    kind = feed.get("kind")
    if kind == "replay":
        pace = feed.get("pace")
        if pace == "real":
            speed = "in real time"
        elif not pace:
            speed = "as fast as it goes"
        else:
            speed = f"at {pace:g} bars a second" if isinstance(pace, (int, float)) else f"at {pace}"
        return f"paper, a replay of its data {speed}"
    if kind == "ccxt":
        return f"paper, live prices of {feed.get('exchange') or 'an exchange'}"
    return "the model's own exchange, with real orders" if kind == "exchange" else str(kind or "")


def next_try_text(moment: datetime) -> str:
    """A moment soon to come, to the second."""
    left = (moment - datetime.now(timezone.utc)).total_seconds()
    clock = moment.astimezone().strftime("%H:%M:%S")
    return f"{clock}, in {left:.0f} s" if left >= 1 else f"{clock}, now"


def holding_lines(progress: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a live run's account holds, how much it has traded, what its callbacks raised."""
    lines = []
    values = progress.get("values")
    if isinstance(values, Mapping) and values:
        held = (f"{_amount(amount)} {name}" for name, amount in values.items())
        lines.append(("holds", ", ".join(held)))
    if progress.get("orders"):
        lines.append(("orders", f"{progress['orders']:,}"))
    if progress.get("problem"):
        lines.append(("it raised", str(progress["problem"])))
    return lines


def _amount(amount: Any) -> str:
    return f"{amount:,.8g}" if isinstance(amount, (int, float)) else str(amount)


def progress_lines(progress: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run says of itself: bars done, simulated time, the account's value."""
    from ..platforms.blankly_types import moment

    lines = []
    done, total = progress.get("done"), progress.get("total")
    if done is not None:
        lines.append(("bars", f"{done:,}" + (f" of {total:,}" if total else "")))
    at = moment(progress.get("time"))
    if at is not None:
        lines.append(("at", at.strftime("%Y-%m-%d %H:%M UTC")))
    value = progress.get("equity", progress.get("value"))
    if isinstance(value, (int, float)):
        lines.append(("account", f"{value:,.2f}"))
    return lines
