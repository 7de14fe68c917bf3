"""Reads a table of prices, whatever its shape, into times and the five usual columns."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deploy_magics.errors import DataError

FIELDS = ("open", "high", "low", "close", "volume")
# names in use for each column, compared in lower case without spaces and signs
TIME_NAMES = (
    "time", "timestamp", "datetime", "date", "opentime", "gmttime", "localtime", "unix",
    "unixtimestamp", "epoch", "ts", "t", "datetimeutc", "dateutc", "timeutc", "timestampms",
)  # fmt: skip
NAMES: dict[str, tuple[str, ...]] = {
    "open": ("open", "o", "openprice", "priceopen", "first"),
    "high": ("high", "h", "highprice", "pricehigh", "max"),
    "low": ("low", "l", "lowprice", "pricelow", "min"),
    "close": ("close", "c", "closeprice", "priceclose", "closelast", "last", "price", "rate",
              "adjclose", "adjustedclose", "value", "mid", "bid"),
    "volume": ("volume", "v", "vol", "tickvol", "tickvolume", "volumebase", "amount", "qty",
               "quantity", "basevolume"),
}  # fmt: skip
SYMBOL_NAMES = ("symbol", "ticker", "pair", "instrument", "asset")
WAYS_OUT = "Give a table with a time and open, high, low, close, volume (or close alone)."


@dataclass
class Table:
    """What was read: times in epoch nanoseconds (NaT as the smallest int64), floats by name.

    ``ticks`` says that there was one price and no bar.
    """

    time: np.ndarray
    columns: dict[str, np.ndarray]
    ticks: bool
    notes: list[str]


def read_file(path: Path, content: bytes, symbol: str) -> pd.DataFrame:
    """A frame as the file has it, its columns named when the file does not name them."""
    kind = path.suffix.lower()
    try:
        if kind in (".parquet", ".pq"):
            return pd.read_parquet(io.BytesIO(content))
        if kind == ".json":
            return _from_json(content)
        return _from_csv(_decompressed(path, content))
    except ImportError as problem:
        raise DataError(
            f"{symbol}: reading Parquet needs pyarrow.",
            "Install it with: pip install 'deploy_magics[parquet]'",
        ) from problem
    except DataError:
        raise
    except Exception as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise DataError(f"{symbol}: {path.name} cannot be read ({reason}).", WAYS_OUT) from problem


def read_table(frame: pd.DataFrame | pd.Series, symbol: str) -> Table:
    """Times and columns out of a frame; DataError where it does not say which is which."""
    table = frame.rename("close").to_frame() if isinstance(frame, pd.Series) else frame
    notes: list[str] = []
    frame = _one_symbol(_flat(table, symbol), symbol)
    by_name = {_plain(column): column for column in reversed(list(frame.columns))}
    raw_time = _time_column(frame, by_name, symbol)
    time = _nanoseconds(raw_time, symbol)
    columns = {
        field: _numbers(frame[column], field, symbol)
        for field, column in _price_columns(by_name).items()
    }
    if "close" not in columns:
        found = ", ".join(map(str, list(frame.columns)[:8]))
        raise DataError(f"{symbol}: no column of closing prices among: {found}.", WAYS_OUT)
    ticks = not {"open", "high", "low"} <= columns.keys()
    if ticks and {"open", "high", "low"} & columns.keys():
        missing = ", ".join(sorted({"open", "high", "low"} - columns.keys()))
        notes.append(f"no column {missing}: the close is taken for it")
    for field in ("open", "high", "low"):
        columns.setdefault(field, columns["close"])
    if "volume" not in columns:
        columns["volume"] = np.zeros(len(time))
        notes.append("no volume: taken as 0")
    return Table(time, columns, ticks, notes)


def _plain(name: Any) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _flat(frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """Columns of two levels (field, symbol), as data vendors' clients return, to one."""
    if not isinstance(frame.columns, pd.MultiIndex):
        return frame
    for level in range(frame.columns.nlevels):
        values = {str(value) for value in frame.columns.get_level_values(level)}
        if symbol in values and len(values) > 1:
            return pd.DataFrame(frame.xs(symbol, axis=1, level=level))
        if len(values) == 1 and frame.columns.nlevels == 2:
            return frame.droplevel(level, axis=1)
    raise DataError(f"{symbol}: the table has several symbols and none of that name.", WAYS_OUT)


def _one_symbol(frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    for column in frame.columns:
        if _plain(column) in SYMBOL_NAMES and frame[column].nunique() > 1:
            wanted = _plain(symbol)
            rows = frame[frame[column].map(_plain) == wanted]
            if rows.empty:
                some = ", ".join(map(str, frame[column].unique()[:5]))
                raise DataError(
                    f"{symbol}: the table holds {some}, and not {symbol}.",
                    "Name the symbol as the table does.",
                )
            return rows
    return frame


def _price_columns(by_name: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for field, names in NAMES.items():
        name = next((name for name in names if name in by_name), None)
        if name is None and field == "volume":
            name = next((name for name in by_name if name.startswith("volume")), None)
        if name is not None:
            found[field] = by_name[name]
    return found


def _time_column(frame: pd.DataFrame, by_name: dict[str, Any], symbol: str) -> pd.Series:
    if isinstance(frame.index, pd.DatetimeIndex):
        return frame.index.to_series()
    if "date" in by_name and "time" in by_name:  # two columns: day and time of day
        clock = frame[by_name["time"]]
        if not pd.api.types.is_numeric_dtype(clock) and clock.astype(str).str.contains(":").all():
            return frame[by_name["date"]].astype(str) + " " + clock.astype(str)
    for name in TIME_NAMES:
        if name in by_name:
            return frame[by_name[name]]
    if _plain(frame.index.name) in TIME_NAMES or not isinstance(frame.index, pd.RangeIndex):
        return frame.index.to_series()
    first = frame.columns[0] if len(frame.columns) else None
    if first is not None and str(first).lower().startswith("unnamed"):
        return frame[first]  # an index that was saved without its name
    raise DataError(f"{symbol}: no column of times.", WAYS_OUT)


def _nanoseconds(raw: pd.Series, symbol: str) -> np.ndarray:
    """Epoch nanoseconds, UTC; what has no time zone is taken as UTC."""
    try:
        if pd.api.types.is_numeric_dtype(raw):
            return _from_epochs(raw.to_numpy(dtype=float))
        if not pd.api.types.is_datetime64_any_dtype(raw):
            numbers = pd.to_numeric(raw, errors="coerce")
            if numbers.notna().all():
                return _from_epochs(numbers.to_numpy(dtype=float))
        times = _parse_dates(raw)
    except (ValueError, TypeError, OverflowError) as problem:
        raise DataError(
            f"{symbol}: the times cannot be read, such as '{str(raw.iloc[0])[:40]}'.",
            "Give ISO dates, or epoch seconds or milliseconds.",
        ) from problem
    return times.astype("datetime64[ns, UTC]").to_numpy("datetime64[ns]").astype(np.int64)


def _parse_dates(raw: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(raw):
        return pd.to_datetime(raw, utc=True)
    text = (
        raw.astype(str)
        .str.strip()
        .str.replace(r"^(\d{4})\.(\d\d)\.(\d\d)", r"\1-\2-\3", regex=True)
    )
    text = text.str.replace(r"\s+(GMT|UTC)$", "", regex=True)
    try:
        return pd.to_datetime(text, utc=True, format="ISO8601")
    except ValueError:
        pass
    with warnings.catch_warnings():  # a format that pandas has to find out
        warnings.simplefilter("ignore", UserWarning)
        try:
            return pd.to_datetime(text, utc=True)
        except ValueError:
            return pd.to_datetime(text, utc=True, format="mixed")


def _from_epochs(values: np.ndarray) -> np.ndarray:
    """Seconds, milli-, micro- or nanoseconds by their size; 20170131 is a date."""
    known = values[np.isfinite(values)]
    size = float(np.median(np.abs(known))) if len(known) else 0.0
    if 19_000_101 <= size <= 21_001_231 and (known == np.floor(known)).all():
        days = pd.to_datetime(pd.Series(values.astype(np.int64).astype(str)), format="%Y%m%d")
        return days.to_numpy("datetime64[ns]").astype(np.int64)
    scale = 1e9 if size < 1e11 else 1e6 if size < 1e14 else 1e3 if size < 1e17 else 1.0
    missing = ~np.isfinite(values)
    whole = np.where(missing, 0.0, values)
    nanoseconds = np.round(whole).astype(np.int64) * int(scale)
    fraction = whole - np.round(whole)
    nanoseconds += np.round(fraction * scale).astype(np.int64)
    return np.where(missing, np.iinfo(np.int64).min, nanoseconds)


def _numbers(column: pd.Series, field: str, symbol: str) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column):
        text = column.astype(str).str.replace(r"[$€£,\s]", "", regex=True)
        text = text.replace({"": "nan", "-": "nan", "None": "nan", "null": "nan"})
        try:
            column = pd.to_numeric(text)
        except ValueError as problem:
            raise DataError(
                f"{symbol}: the column {field} is not numbers ({problem})."
            ) from problem
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _decompressed(path: Path, content: bytes) -> bytes:
    import bz2
    import gzip
    import lzma

    opener = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
    return opener.get(path.suffix.lower(), bytes)(content)


def _from_json(content: bytes) -> pd.DataFrame:
    """A list of records, or of [time, open, high, low, close, volume] rows."""
    rows = json.loads(content)
    if rows and isinstance(rows[0], list):
        return pd.DataFrame([row[:6] for row in rows], columns=["time", *FIELDS][: len(rows[0])])
    return pd.DataFrame(rows)


def _from_csv(content: bytes) -> pd.DataFrame:
    """Any separator, a line of something else above the header, or no header at all."""
    head = content[:4096].decode("utf-8-sig", "replace").splitlines()[:4]
    if not head:
        raise DataError("The file is empty.", WAYS_OUT)
    separator = next((mark for mark in ";\t|" if head[-1].count(mark) > 1), ",")
    skip = 1 if len(head) > 1 and head[0].count(separator) < head[1].count(separator) else 0
    decimal = "," if separator != "," and re.search(r"\d,\d", head[-1]) else "."
    first = next(csv.reader([head[skip]], delimiter=separator))
    options: dict[str, Any] = {"sep": separator, "skiprows": skip, "decimal": decimal}
    if any(_is_number(field.replace(decimal, ".")) for field in first[1:]):
        names = ["time", *FIELDS]
        if len(first) == 7:
            names.insert(0, "date")
        options |= {"header": None, "names": names[: len(first)], "usecols": range(len(first))}
    return pd.read_csv(io.BytesIO(content), **options)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
