"""Bots as text: what a terminal shows, and what a saved notebook keeps."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..actions.bot_feed import Snapshot

_BARS = "▁▂▃▄▅▆▇█"


def page(snapshots: Sequence[Snapshot], *, ended: bool = False) -> str:
    """All bots, one below the other."""
    return "\n\n".join(one_bot(snapshot, ended=ended) for snapshot in snapshots)


def one_bot(snapshot: Snapshot, *, ended: bool = False) -> str:
    """One bot: a headline, its money, open and closed trades, the end of its log."""
    stake = snapshot.stake
    current, most = snapshot.slots
    headline = [f"{snapshot.name}: {snapshot.state}"]
    if snapshot.version:
        headline += [snapshot.strategy, snapshot.version]
        headline += ["dry run" if snapshot.dry_run else "REAL MONEY", snapshot.via]
    if ended:
        headline.append("no longer read")
    lines = [" · ".join(headline)]
    if snapshot.problem:
        lines.append(f"  ! {snapshot.problem}")
    if snapshot.at:
        bound = "" if most < 1 else f" of {most}"
        lines.append(
            f"  profit {snapshot.profit:+.2f} {stake} (closed {snapshot.profit_closed:+.2f})"
            f"   balance {snapshot.balance:.2f} {stake}   open {current}{bound}"
        )
    if len(snapshot.curve) > 1:
        lines.append(f"  {sparkline([value for _, value in snapshot.curve])}")
    for row in snapshot.trades:
        pending = "  order open" if row["pending"] else ""
        lines.append(
            f"  #{row['id']:<4} {row['pair']:<12} {row['side']:<5} {row['amount']:<12.6g}"
            f" {_signed(row['profit'])} {stake} ({_signed(row['percent'])} %){pending}"
        )
    if snapshot.closed:
        lines.append("  closed:")
    for row in snapshot.closed[:5]:
        ended_at = time.strftime("%m-%d %H:%M", time.gmtime(row["closed"]))
        lines.append(
            f"  #{row['id']:<4} {row['pair']:<12} {ended_at}"
            f" {_signed(row['profit'])} {stake} ({_signed(row['percent'])} %) {row['reason']}"
        )
    lines += [f"  | {text[:110]}" for text in snapshot.logs[-3:]]
    return "\n".join(lines)


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """A line of bars, low to high."""
    step = max(1, -(-len(values) // width))
    shown = list(values)[::step]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_BARS[int((value - low) / span * (len(_BARS) - 1))] for value in shown)


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{value:+.2f}"
