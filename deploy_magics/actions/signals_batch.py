"""Many signals from a table, each sent at most once, going on where it was broken off.

A journal holds a line before each signal goes out and a line when the answer is in, both on the
disk before the next step. A signal whose first line stands alone was broken off in the middle:
on a server of ours it is sent again with its key, which publishes it once; elsewhere nobody can
tell whether it arrived, so it is left and reported as ``unknown``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd

from ..credentials import home
from ..display import progress
from ..errors import (
    NotSignedInError,
    PlatformError,
    RejectedError,
    UnreachableError,
    UsageError,
)
from ..executor.files import locked
from ..platforms.justforfund import FIELDS, PROSE_NAMES, JustForFundClient, Signal
from ..platforms.reach import never_sent
from .kinds import Completes, Reads
from .signals import client, confirm_publishing

OPEN_ENDS = ("waiting", "sending")


class Journal:
    """What became of each signal of one batch, on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states: dict[int, dict[str, Any]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
                self.states[int(entry["row"])] = entry
            except (ValueError, KeyError):
                continue  # the last line was being written when the machine stopped

    def note(self, row: int, state: str, **more: Any) -> None:
        """Keep it, on the disk, before anything else is done."""
        entry = {"row": row, "state": state, **more}
        with self.path.open("a", encoding="utf-8") as file:
            # a broken last line must not take this one with it
            file.write(("\n" if file.tell() else "") + json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.states[row] = entry

    def state(self, row: int) -> str:
        return str(self.states.get(row, {}).get("state", "waiting"))


def batch(
    table: Annotated[Any, Reads("source"), Completes("frame")],
    *,
    algorithm: int | None = None,
    ratio: float | None = None,
    name: str = "",
    whole_shares: bool = False,
    yes: bool = False,
) -> pd.DataFrame:
    """Publish every signal of a table; say it again to go on after a break.

    All rows are checked before the first is sent. The same table is the same batch: what was
    sent is not sent again, unless --name gives it another name.

    Args:
        table: a DataFrame of the kernel or a CSV file; symbol, side, and the fields of a signal.
        algorithm: for rows that name none.
        ratio: for rows that name none.
        name: tells this batch from an equal one.
        whole_shares: gtc is allowed.
        yes: do not ask.
    """
    signals = checked(_frame(table), algorithm, ratio, whole_shares)
    where = client()
    folder = home() / "signals"
    folder.mkdir(mode=0o700, exist_ok=True)
    digest = _digest(where, signals, name)
    with locked(folder / f"{digest}.lock"):
        journal = Journal(folder / f"{digest}.jsonl")
        left = [row for row in range(len(signals)) if journal.state(row) in OPEN_ENDS]
        if left:
            confirm_publishing(where, f"Publish {len(left)} signals", yes)
            with progress(len(signals), f"Publishing {len(signals)} signals") as line:
                _send_all(where, signals, journal, digest, line)
    return _report(signals, journal)


def checked(
    frame: pd.DataFrame, algorithm: int | None, ratio: float | None, whole_shares: bool
) -> list[Signal]:
    """The signals of a table; UsageError names the first row that makes no sense."""
    if frame.empty:
        raise UsageError("The table has no rows.")
    usual = {"algorithm_id": algorithm, "portfolio_ratio_investment": ratio}
    signals = []
    for number, row in enumerate(frame.to_dict("records")):
        given = {PROSE_NAMES.get(str(key), str(key)): value for key, value in row.items()}
        given = {key: value for key, value in given.items() if not _missing(value)}
        for key, value in usual.items():
            if value is not None:
                given.setdefault(key, value)
        try:
            signals.append(Signal.of(given, whole_shares=whole_shares))
        except UsageError as error:
            raise UsageError(f"Row {number}: {error.message}", error.hint) from None
    return signals


def _send_all(
    where: JustForFundClient, signals: Sequence[Signal], journal: Journal, digest: str, line: Any
) -> None:
    ours = "justfor.fund" not in where.server
    for row, signal in enumerate(signals):
        state = journal.state(row)
        if state == "sending" and not ours:
            journal.note(row, "unknown", note="broken off while it was sent")
        elif state in OPEN_ENDS:
            _send_one(where, signal, row, journal, f"{digest[:32]}-{row}")
        line.update(row + 1, note=f"{signal.side} {signal.ticker_symbol}")


def _send_one(
    where: JustForFundClient, signal: Signal, row: int, journal: Journal, key: str
) -> None:
    journal.note(row, "sending")
    try:
        answer = where.create_trading_signal(signal, key=key)
    except RejectedError as error:
        journal.note(row, "refused", note=error.message)
    except NotSignedInError:
        journal.note(row, "waiting")  # refused at the door: it was not taken
        raise
    except UnreachableError as error:
        if never_sent(error):
            journal.note(row, "waiting")
        raise
    except PlatformError as error:
        if error.status is not None and error.status < 500:
            journal.note(row, "waiting")
        raise
    else:
        journal.note(row, "sent", id=answer.get("id"), note=str(answer.get("remark") or ""))


def _report(signals: Sequence[Signal], journal: Journal) -> pd.DataFrame:
    rows = []
    for row, signal in enumerate(signals):
        known: Mapping[str, Any] = journal.states.get(row, {})
        state = journal.state(row)
        rows.append({**signal.wire(), "state": state, "note": known.get("note", "")})
    frame = pd.DataFrame(rows, columns=[*FIELDS, "state", "note"])
    frame.attrs["counts"] = frame["state"].value_counts().to_dict()
    return frame


def _digest(where: JustForFundClient, signals: Sequence[Signal], name: str) -> str:
    text = json.dumps([where.server, where.app, name, [signal.wire() for signal in signals]])
    return hashlib.sha256(text.encode()).hexdigest()


def _frame(table: Any) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    path = Path(str(table)).expanduser()
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)
