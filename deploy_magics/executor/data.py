"""Prices for a run: from whatever the user has to checked columns, kept once for each content."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

import numpy as np
import pandas as pd

from deploy_magics.errors import DataError
from deploy_magics.executor.files import cache_dir, write_atomically
from deploy_magics.executor.price_checks import check, resolution_of
from deploy_magics.executor.price_tables import FIELDS, read_file, read_table

Source = Union[str, "os.PathLike[str]", pd.DataFrame, pd.Series]
COLUMNS = ("time", *FIELDS)
FORMAT = 1  # of what is kept; a new one leaves the old alone


@dataclass(frozen=True)
class Bars:
    """The bars of one symbol.

    Attributes:
        columns: 'time' (int64, epoch seconds UTC, rising) and five float64 columns.
        digest: SHA-256 of the columns, the same wherever they came from.
        resolution: seconds between bars, the most frequent distance.
        notes: what was repaired, or is worth knowing.
    """

    symbol: str
    columns: Mapping[str, np.ndarray] = field(repr=False)
    digest: str
    resolution: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns["time"])

    @property
    def frame(self) -> pd.DataFrame:
        """The columns by time (UTC)."""
        index = pd.to_datetime(self.columns["time"], unit="s", utc=True).rename("time")
        return pd.DataFrame({name: self.columns[name] for name in FIELDS}, index=index)


class PriceSet:
    """The prices of a run, by symbol."""

    def __init__(self, bars: Mapping[str, Bars]) -> None:
        self.bars = dict(bars)

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.bars)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired, each with its symbol."""
        return tuple(f"{bars.symbol}: {note}" for bars in self.bars.values() for note in bars.notes)

    @property
    def digests(self) -> dict[str, str]:
        return {symbol: bars.digest for symbol, bars in self.bars.items()}

    @property
    def digest(self) -> str:
        """One for all symbols, whatever their order."""
        return hashlib.sha256(json.dumps(sorted(self.digests.items())).encode()).hexdigest()

    @property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """A frame by time (UTC) for each symbol."""
        return _Frames(self.bars)

    def write(self, folder: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
        """The entries of ``job["prices"]``, with files named by content.

        Without a folder the paths are those of the cache, which all runs may read.
        """
        entries = []
        for bars in self.bars.values():
            path = _keep(bars)
            if folder is not None:
                place = Path(folder)
                place.mkdir(parents=True, exist_ok=True)
                if not (place / path.name).exists():
                    shutil.copyfile(path, place / f".{path.name}.{os.getpid()}")
                    (place / f".{path.name}.{os.getpid()}").replace(place / path.name)
                path = place / path.name
            entry = {"symbol": bars.symbol, "path": str(path), "resolution": bars.resolution}
            entries.append(entry)
        return entries

    def to_upload(self) -> dict[str, bytes]:
        """Canonical CSV for each symbol: reading it gives the same digest."""
        return {symbol: to_csv(bars) for symbol, bars in self.bars.items()}

    @classmethod
    def from_files(cls, files: Mapping[str, str | os.PathLike[str] | bytes]) -> PriceSet:
        """The canonical CSV of each symbol, as a path or as bytes; DataError when it is not."""
        return cls({symbol: _from_csv(symbol, source) for symbol, source in files.items()})

    def __repr__(self) -> str:
        parts = [f"{bars.symbol}: {_describe(bars)}" for bars in self.bars.values()]
        return f"PriceSet({'; '.join(parts)})"


class _Frames(Mapping[str, pd.DataFrame]):
    """Frames made when they are asked for."""

    def __init__(self, bars: Mapping[str, Bars]) -> None:
        self._bars = bars

    def __getitem__(self, symbol: str) -> pd.DataFrame:
        return self._bars[symbol].frame

    def __iter__(self) -> Iterator[str]:
        return iter(self._bars)

    def __len__(self) -> int:
        return len(self._bars)


def load_prices(sources: Mapping[str, Source]) -> PriceSet:
    """Checked prices of each symbol, from a file (CSV, Parquet, JSON), a DataFrame or a Series.

    Raises DataError, which names the symbol, what is wrong, and where.
    """
    if not sources:
        raise DataError("No prices were given.", "Give them as SYMBOL=source.")
    return PriceSet({symbol: _load(symbol, source) for symbol, source in sources.items()})


def cached_bars(symbol: str, digest: str) -> Bars | None:
    """The bars of that content, if this machine still has them."""
    path = _kept(digest)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            columns = {name: arrays[name] for name in COLUMNS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return Bars(symbol, columns, digest, resolution_of(columns["time"]))


def to_csv(bars: Bars) -> bytes:
    """Floats in their shortest exact form."""
    frame = pd.DataFrame(dict(bars.columns), columns=list(COLUMNS))
    return frame.to_csv(index=False, lineterminator="\n").encode("ascii")


def _load(symbol: str, source: Source) -> Bars:
    if not symbol or not re.fullmatch(r"[\w.:/\-^=]{1,64}", symbol):
        raise DataError(f"'{symbol}' is not a symbol.", "Give one such as BTC-USD.")
    if isinstance(source, (pd.DataFrame, pd.Series)):
        return _checked(symbol, source)
    path = Path(source).expanduser()
    try:
        content = path.read_bytes()
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise DataError(f"{symbol}: {path} cannot be read ({reason}).") from problem
    name = hashlib.sha256(f"{FORMAT}|{symbol}|{path.suffix}|".encode() + content).hexdigest()
    known = cache_dir("prices", "sources") / f"{name}.json"
    bars = _known(symbol, known)
    if bars is None:
        bars = _checked(symbol, read_file(path, content, symbol))
        _keep(bars)
        record = {"digest": bars.digest, "notes": bars.notes}
        write_atomically(known, json.dumps(record).encode())
    return bars


def _known(symbol: str, path: Path) -> Bars | None:
    """What an earlier reading of the same bytes gave."""
    try:
        record = json.loads(path.read_text("utf-8"))
        bars = cached_bars(symbol, record["digest"])
    except (OSError, ValueError, KeyError):
        return None
    if bars is None:
        return None
    return Bars(symbol, bars.columns, bars.digest, bars.resolution, tuple(record["notes"]))


def _checked(symbol: str, frame: pd.DataFrame | pd.Series) -> Bars:
    if len(frame) == 0:
        raise DataError(f"{symbol}: there are no rows.")
    time, columns, notes = check(read_table(frame, symbol), symbol)
    return _bars(symbol, {"time": time, **columns}, tuple(notes))


def _bars(symbol: str, columns: Mapping[str, np.ndarray], notes: tuple[str, ...] = ()) -> Bars:
    plain = {"time": np.ascontiguousarray(columns["time"], dtype="<i8")}
    plain |= {name: np.ascontiguousarray(columns[name], dtype="<f8") for name in FIELDS}
    content = hashlib.sha256()
    for name in COLUMNS:
        content.update(plain[name].tobytes())
    return Bars(symbol, plain, content.hexdigest(), resolution_of(plain["time"]), notes)


def _from_csv(symbol: str, source: str | os.PathLike[str] | bytes) -> Bars:
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        header, _, rows = content.partition(b"\n")
        if header.strip() != ",".join(COLUMNS).encode():
            raise ValueError("another header")
        values = np.loadtxt(io.BytesIO(rows), delimiter=",", ndmin=2)  # exact for every float
        frame = pd.DataFrame(values, columns=list(COLUMNS))
    except (OSError, ValueError) as problem:
        raise DataError(
            f"{symbol}: these prices cannot be read.", f"Give the columns {', '.join(COLUMNS)}."
        ) from problem
    return _checked(symbol, frame)


def _kept(digest: str) -> Path:
    return cache_dir("prices") / f"{digest}.npz"


def _keep(bars: Bars) -> Path:
    """The cache's file of these bars, written when it is not there."""
    path = _kept(bars.digest)
    if not path.exists():
        buffer = io.BytesIO()
        np.savez(buffer, **bars.columns)  # type: ignore[arg-type]
        write_atomically(path, buffer.getvalue())
    return path


def _describe(bars: Bars) -> str:
    first, last = (pd.Timestamp(int(bars.columns["time"][at]), unit="s") for at in (0, -1))
    return f"{len(bars)} bars of {bars.resolution} s, {first:%Y-%m-%d} to {last:%Y-%m-%d}"
