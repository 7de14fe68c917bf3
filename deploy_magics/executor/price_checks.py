"""What is wrong with prices: repaired and noted where that is safe, refused where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from deploy_magics.errors import DataError
from deploy_magics.executor.price_tables import FIELDS, Table

MISSING_TIME = np.iinfo(np.int64).min
MAX_CONFLICTS = 0.01  # share of bars that say something else about a time already given


def check(table: Table, symbol: str) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
    """Whole epoch seconds in rising order, the columns in that order, and what was repaired.

    Raises DataError for prices that are not above zero or not finite, for bars that contradict
    each other, and for less than two of them.
    """
    notes = list(table.notes)
    nanoseconds, columns = _without_holes(table.time, table.columns, symbol, notes)
    if len(nanoseconds) < 2:
        raise DataError(f"{symbol}: {len(nanoseconds)} usable rows; a backtest needs two or more.")
    if (np.diff(nanoseconds) < 0).any():
        order = np.argsort(nanoseconds, kind="stable")
        nanoseconds = nanoseconds[order]
        columns = {name: values[order] for name, values in columns.items()}
        notes.append("rows were not in the order of time: sorted")
    time = nanoseconds // 1_000_000_000
    _refuse_bad_prices(time, columns, symbol)
    if table.ticks and (np.diff(time) == 0).any():
        time, columns = _into_seconds(time, columns, notes)
    time, columns = _without_duplicates(time, columns, symbol, notes)
    if len(time) < 2:
        raise DataError(f"{symbol}: all rows have the same time ({_date(time[0])}).")
    _widen_ranges(columns, notes)
    _note_gaps(time, notes)
    return time, columns, notes


def resolution_of(time: np.ndarray) -> int:
    """Seconds between bars: the most frequent distance, as the library guesses it."""
    distances, counts = np.unique(np.diff(time), return_counts=True)
    return int(distances[counts.argmax()])


def _without_holes(
    time: np.ndarray, columns: dict[str, np.ndarray], symbol: str, notes: list[str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    prices = np.column_stack([columns[name] for name in FIELDS[:4]])
    infinite = np.isinf(prices).any(axis=1)
    if infinite.any():
        raise DataError(f"{symbol}: {infinite.sum()} rows have an infinite price.")
    bad = np.isnan(prices).any(axis=1) | (time == MISSING_TIME)
    if bad.any():
        if bad.all():
            raise DataError(f"{symbol}: no row has both a time and prices.")
        first = time[bad & (time != MISSING_TIME)]
        where = f", the first at {_date(int(first[0]) // 10**9)}" if len(first) else ""
        notes.append(f"{_rows(bad.sum())} without a price or a time{where}: left out")
        time = time[~bad]
        columns = {name: values[~bad] for name, values in columns.items()}
    holes = ~np.isfinite(columns["volume"]) | (columns["volume"] < 0)
    if holes.any():
        columns = {**columns, "volume": np.where(holes, 0.0, columns["volume"])}
        notes.append(f"{_rows(holes.sum())} without a valid volume: taken as 0")
    return time, columns


def _refuse_bad_prices(time: np.ndarray, columns: dict[str, np.ndarray], symbol: str) -> None:
    low = np.minimum.reduce([columns[name] for name in FIELDS[:4]])
    bad = low <= 0
    if bad.any():
        at = int(bad.argmax())
        kind = "negative" if low[at] < 0 else "zero"
        raise DataError(
            f"{symbol}: {_rows(bad.sum())} with prices that are not above zero, "
            f"the first {kind} one at {_date(time[at])}.",
            "Leave these rows out or repair them first.",
        )


def _into_seconds(
    time: np.ndarray, columns: dict[str, np.ndarray], notes: list[str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Ticks of the same second become one bar."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(time) > 0]))
    ends = np.concatenate([starts[1:], [len(time)]]) - 1
    price = columns["close"]
    notes.append(f"{len(time)} ticks put into {len(starts)} bars of whole seconds")
    return time[starts], {
        "open": price[starts],
        "high": np.maximum.reduceat(price, starts),
        "low": np.minimum.reduceat(price, starts),
        "close": price[ends],
        "volume": np.add.reduceat(columns["volume"], starts),
    }


def _without_duplicates(
    time: np.ndarray, columns: dict[str, np.ndarray], symbol: str, notes: list[str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Of rows with one time the last is kept; many that differ mean that the table is not one."""
    again = np.concatenate([np.diff(time) == 0, [False]])
    if not again.any():
        return time, columns
    at = np.flatnonzero(again)
    differ = np.zeros(len(at), dtype=bool)
    for values in columns.values():
        differ |= values[at] != values[at + 1]
    conflicts = int(differ.sum())
    if conflicts > max(1, MAX_CONFLICTS * len(time)):
        raise DataError(
            f"{symbol}: {conflicts} times have several different bars, the first "
            f"{_date(time[at[differ][0]])}.",
            "Is there more than one symbol in it? Give one symbol's rows.",
        )
    same = len(at) - conflicts
    if same:
        notes.append(f"{_rows(same)} given twice: one kept")
    if conflicts:
        notes.append(
            f"{conflicts} {'time has' if conflicts == 1 else 'times have'} different bars, the "
            f"first {_date(time[at[differ][0]])}: the last one kept"
        )
    return time[~again], {name: values[~again] for name, values in columns.items()}


def _widen_ranges(columns: dict[str, np.ndarray], notes: list[str]) -> None:
    body = (columns["open"], columns["close"])
    high = np.maximum.reduce([columns["high"], columns["low"], *body])
    low = np.minimum.reduce([columns["high"], columns["low"], *body])
    wrong = (high != columns["high"]) | (low != columns["low"])
    if wrong.any():
        notes.append(f"{_rows(wrong.sum())} with a price outside low to high: range widened")
        columns["high"], columns["low"] = high, low


def _note_gaps(time: np.ndarray, notes: list[str]) -> None:
    distances = np.diff(time)
    step = resolution_of(time)
    gaps = distances > 1.5 * step
    if gaps.any():
        longest = int(distances.argmax())
        length = pd.Timedelta(seconds=int(distances[longest]))
        count = int(gaps.sum())
        notes.append(
            f"{count} {'gap' if count == 1 else 'gaps'} in the times, the longest of {length} "
            f"after {_date(time[longest])}: left as they are"
        )


def _rows(count: int) -> str:
    return f"{count} {'row' if count == 1 else 'rows'}"


def _date(seconds: int) -> str:
    return pd.Timestamp(int(seconds), unit="s").isoformat(sep=" ")
