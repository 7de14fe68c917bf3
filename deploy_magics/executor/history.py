"""The runs of this machine: kept, listed, and found again when the same one is asked for.

Each run is two files in one folder, a small summary and the whole result (compressed behind the
user's back); a file named by the run's key points to the last run of exactly that content.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import threading
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import platformdirs

from deploy_magics.display import Table, when
from deploy_magics.errors import NotFoundError, RunError
from deploy_magics.executor import exact_json
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.files import write_atomically
from deploy_magics.executor.metrics import KEY_METRICS, format_metric, metric_name
from deploy_magics.executor.result import BacktestResult

FORMAT = 1
HOME_VARIABLE = "DEPLOY_MAGICS_HOME"
KEPT = 500  # results; the oldest go first
MAX_RESULT = 1 << 31  # bytes of one result unpacked

SHORT = {"cagr": "CAGR (%)", "sharpe": "Sharpe"}
HOW = "%backtests 1 2 compares two of them, %backtests 1 shows one again."

_writer: ThreadPoolExecutor | None = None
_writer_lock = threading.Lock()
# results that are on their way to the disk, for whoever asks before they are there
_pending: dict[tuple[Path, str], BacktestResult] = {}


@dataclass(frozen=True)
class RunSummary:
    """What a list of runs shows; ``RunStore.get(id)`` has the rest.

    ``number`` is its place among all runs, the newest being 1, as long as no other is added.
    """

    id: str
    key: str
    model: str
    model_digest: str
    created_at: float
    notebook: str
    where: str
    engine: str
    args: dict[str, Any]
    symbols: tuple[str, ...]
    metrics: dict[str, Any]
    initial_value: float
    final_value: float
    data_digests: dict[str, str] = field(default_factory=dict)
    number: int = 0


def run_key(
    model: Any,
    args: Mapping[str, Any],
    prices: PriceSet | None,
    environment: Environment | None,
    engine: str = "fast",
) -> str:
    """The same for two runs that can only give the same result, if the model is deterministic."""
    content = {
        "format": FORMAT,
        "model": model.digest,
        "args": {name: value for name, value in args.items() if value is not None},
        "prices": prices.digests if prices else {},
        "environment": environment.key if environment else "",
        "engine": engine,
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class RunList(list[RunSummary]):
    """Runs, the newest first; shows itself as a table with the numbers that ``get`` takes."""

    def _table(self) -> Table:
        places = any(run.where != "local" for run in self)
        headings = ["#", "Model", "When", *(["Where"] if places else []), "Arguments"]
        first = len(headings)
        headings += [SHORT.get(key) or metric_name(key) for key in KEY_METRICS]
        rows = [
            [
                run.number,
                run.model,
                when(datetime.fromtimestamp(run.created_at, timezone.utc)),
                *([run.where] if places else []),
                _said(run.args),
                *(format_metric(key, run.metrics.get(key, math.nan)) for key in KEY_METRICS),
            ]
            for run in self
        ]
        return Table(
            headings,
            rows,
            note=HOW if rows else "",
            empty="No backtest has been run yet.",
            right=[0, *range(first, len(headings))],
        )

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


class RunStore:
    """The kept runs; as many processes as like may use one folder at once.

    ``problem`` says why the last result could not be kept, and is empty when all is well.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder).absolute() if folder else default_folder()
        self.problem = ""

    def add(self, result: BacktestResult, *, notebook: str = "") -> Future[None]:
        """Keep a result; it can be found at once, and is written and compressed meanwhile."""
        place = (self.folder, result.id)
        _pending[place] = result
        return _writing().submit(self._write, result, notebook)

    def find(self, key: str) -> BacktestResult | None:
        """The last result of that key, marked as one from the store; None when there is none."""
        if not re.fullmatch(r"[0-9a-f]{64}", key):
            return None
        for (folder, _), result in reversed(list(_pending.items())):
            if folder == self.folder and result.key == key:
                return result.cached()
        try:
            return self.get((self.folder / "keys" / key).read_text("utf-8").strip()).cached()
        except (OSError, RunError, NotFoundError):
            return None

    def get(self, run: str) -> BacktestResult:
        """The result of that run, by its id, the beginning of it, or its number in ``list()``.

        Raises NotFoundError for an id that is not here or fits several, RunError for a damaged one.
        """
        run = self._whole_id(run)
        waiting = _pending.get((self.folder, run))
        if waiting is not None:
            return waiting
        try:
            packed = (self.folder / f"{run}.result").read_bytes()
            unpacker = zlib.decompressobj()
            text = unpacker.decompress(packed, MAX_RESULT)
            if unpacker.unconsumed_tail or not unpacker.eof:
                raise RunError(f"The kept result of the run {run} is cut or too large.")
        except FileNotFoundError as problem:
            raise NotFoundError(f"The run {run} has no kept result.") from problem
        except (OSError, zlib.error) as problem:
            raise RunError(f"The kept result of the run {run} cannot be read.") from problem
        return BacktestResult.from_json(text)

    def list(
        self, *, notebook: str | None = None, model: str | None = None, limit: int | None = None
    ) -> RunList:
        """The runs, the newest first, of one notebook or model where one is named."""
        self._settle()
        found = []
        with contextlib.suppress(OSError):
            read = (_read_summary(path) for path in self.folder.glob("*.json"))
            found = [summary for summary in read if summary is not None]
        found.sort(key=lambda summary: summary.created_at, reverse=True)
        numbered = (replace(each, number=place) for place, each in enumerate(found, start=1))
        chosen = [
            each
            for each in numbered
            if notebook in (None, each.notebook) and model in (None, each.model)
        ]
        return RunList(chosen[:limit])

    def remove(self, run: str) -> None:
        run = self._whole_id(run)
        self._settle()
        for name in (f"{run}.json", f"{run}.result"):
            (self.folder / name).unlink(missing_ok=True)

    def flush(self) -> None:
        """Wait until what was added is on the disk."""
        self._settle()

    def _whole_id(self, run: str) -> str:
        if not re.fullmatch(r"[\w.\-]{1,128}", run) or run.startswith("."):
            raise NotFoundError(f"'{run}' is not the id of a run.", "See %backtests for the ids.")
        here = {name for folder, name in _pending if folder == self.folder}
        if run in here or (self.folder / f"{run}.json").exists():
            return run
        if run.isdecimal() and len(run) < 5:
            runs = self.list()
            if 1 <= int(run) <= len(runs):
                return runs[int(run) - 1].id
        fitting = {name for name in here if name.startswith(run)}
        fitting |= {path.stem for path in self.folder.glob(f"{run}*.json")}
        if len(fitting) != 1:
            what = "fits several runs" if fitting else "is not a run of this machine"
            raise NotFoundError(f"'{run}' {what}.", "See %backtests for the ids.")
        return fitting.pop()

    def _write(self, result: BacktestResult, notebook: str) -> None:
        try:
            packed = zlib.compress(result.to_json().encode(), 1)
            write_atomically(self.folder / f"{result.id}.result", packed)
            summary = exact_json.dumps(asdict(_summary(result, notebook)))
            write_atomically(self.folder / f"{result.id}.json", summary.encode())
            if result.key:
                write_atomically(self.folder / "keys" / result.key, result.id.encode())
            self._drop_oldest()
            self.problem = ""
        except OSError as problem:  # a full disk must not fail the run
            self.problem = f"the result was not kept: {problem.strerror or problem}"
        finally:
            _pending.pop((self.folder, result.id), None)

    def _drop_oldest(self) -> None:
        summaries = list(self.folder.glob("*.json"))
        if len(summaries) <= KEPT:
            return
        ages = {}
        for path in summaries:
            with contextlib.suppress(OSError):
                ages[path] = path.stat().st_mtime
        for path in sorted(ages, key=lambda path: ages[path])[: len(summaries) - KEPT]:
            path.with_suffix(".result").unlink(missing_ok=True)
            path.unlink(missing_ok=True)

    def _settle(self) -> None:
        if any(folder == self.folder for folder, _ in list(_pending)):
            _writing().submit(lambda: None).result()


def default_folder() -> Path:
    home = os.environ.get(HOME_VARIABLE) or platformdirs.user_data_dir("deploy_magics")
    return Path(home, "results").absolute()


def _writing() -> ThreadPoolExecutor:
    """One thread: results reach the disk in the order in which they were added, all of them
    before the interpreter ends."""
    global _writer
    with _writer_lock:
        if _writer is None:
            _writer = ThreadPoolExecutor(1, thread_name_prefix="deploy_magics-results")
        return _writer


def _said(args: Mapping[str, Any]) -> str:
    """Arguments on one line, as a user would write them."""
    parts = []
    for name, value in args.items():
        if isinstance(value, dict):
            parts += [f"{key}={_short(item)}" for key, item in value.items()]
        elif value not in (None, "", [], ()):
            parts.append(f"{name}={_short(value)}")
    return " ".join(parts)


def _short(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _summary(result: BacktestResult, notebook: str) -> RunSummary:
    return RunSummary(
        id=result.id,
        key=result.key,
        model=result.model,
        model_digest=result.model_digest,
        created_at=result.created_at or time.time(),
        notebook=notebook,
        where=result.where,
        engine=result.engine,
        args=result.args,
        symbols=result.symbols,
        metrics=result.metrics,
        initial_value=result.initial_value,
        final_value=result.final_value,
        data_digests=result.data_digests,
    )


def _read_summary(path: Path) -> RunSummary | None:
    try:
        record = exact_json.loads(path.read_bytes())
        return RunSummary(**{**record, "symbols": tuple(record["symbols"])})
    except (OSError, ValueError, TypeError, KeyError):  # removed meanwhile, or of another time
        return None
