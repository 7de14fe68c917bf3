"""Reads the result that a run left in its folder (``result.json``, ``result.npz``)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deploy_magics.errors import RunError
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.metrics import NAMES, figures_of
from deploy_magics.executor.result import BacktestResult, account_frame, nanoseconds
from deploy_magics.executor.trades import paired

PROTOCOL = 1
SECOND = 10**9
MAX_LOG = 1_000_000  # characters of the log that a result carries, the last ones
MAX_JSON = 1 << 28
MAX_CODE = 200_000
CODE = frozenset({".py", ".json", ".txt", ".toml", ".yaml", ".yml", ".cfg", ".ini", ".md"})


def read_result(
    folder: Path,
    *,
    model: Any,
    prices: PriceSet | None,
    args: dict[str, Any],
    environment: Any,
    key: str,
    notes: tuple[str, ...],
    run_id: str | None,
) -> BacktestResult:
    """See ``BacktestResult.from_run_folder``."""
    record = _read_json(folder / "result.json")
    arrays = _read_arrays(folder / "result.npz")
    shared: dict[str, Any] = {
        "model": getattr(model, "name", "") or "",
        "model_digest": getattr(model, "digest", "") or "",
        "args": args,
        "environment": _environment(environment),
        "data_digests": dict(prices.digests) if prices else {},
        "engine": str(record.get("engine", "fast")),
        "versions": dict(record.get("versions") or {}),
        "timings": dict(record.get("timings") or {}),
        "imports": tuple(record.get("imports") or ()),
        "notes": (*(prices.notes if prices else ()), *(record.get("notes") or ()), *notes),
        "logs": _tail(folder / "output.log"),
        "code": _code(model),
        "key": key,
        "price_set": prices,
    }
    run = run_id or folder.name
    try:
        result = _one(run, record, arrays, "", shared)
        result.further = [
            _one(f"{run}.{number}", more, arrays, f"{number}/", shared)
            for number, more in enumerate(record.get("strategies") or (), start=1)
        ]
        result.screeners = list(record.get("screeners") or ())
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise RunError(f"The run left a result that is not whole ({problem}).") from problem
    return result


def read_metrics(folder: Path, prices: PriceSet | None) -> tuple[dict[str, Any], int]:
    """The metrics of a run and how many errors of callbacks it survived, and nothing else of it."""
    record = _read_json(folder / "result.json")
    arrays = _read_arrays(folder / "result.npz")
    try:
        orders = record.get("orders") or ()
        columns = _columns(arrays, "")
        metrics = _metrics(record, columns, paired(orders), prices)
        raised = sum(int(error.get("count", 1)) for error in record.get("callback_errors") or ())
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise RunError(f"The run left a result that is not whole ({problem}).") from problem
    return metrics, raised


def _one(
    run: str,
    record: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    prefix: str,
    shared: dict[str, Any],
) -> BacktestResult:
    columns = _columns(arrays, prefix)
    orders = [dict(order) for order in record.get("orders") or ()]
    return BacktestResult(
        id=run,
        metrics=_metrics(record, columns, paired(orders), shared["price_set"]),
        metric_names={**NAMES, **(record.get("metric_names") or {})},
        history=_history(columns),
        order_list=orders,
        args_used=dict(record.get("args_used") or {}),
        symbols=tuple(record.get("symbols") or ()),
        quote_asset=record.get("quote_asset"),
        exchange=record.get("exchange"),
        callback_errors=list(record.get("callback_errors") or ()),
        **shared,
    )


def _metrics(
    record: Mapping[str, Any],
    columns: Mapping[str, np.ndarray],
    trades: Mapping[str, np.ndarray],
    prices: PriceSet | None,
) -> dict[str, Any]:
    """The library's, then those that it does not give."""
    metrics = {key: _or_nan(value) for key, value in record["metrics"].items()}
    if not len(columns["time"]):  # a screener has no account
        return metrics
    times = nanoseconds(columns["time"])
    quote = columns.get(record.get("quote_asset") or "")
    held = _held(prices, times[0], times[-1]) if prices else None
    further = figures_of(times, columns["value"], quote, trades, held)
    return metrics | {name: value for name, value in further.items() if name not in metrics}


def _held(prices: PriceSet, first: int, last: int) -> float | None:
    """What 1.0 put into all symbols alike at the first of these times was worth at the last."""
    shares = []
    for bars in prices.bars.values():
        time, close = bars.columns["time"], bars.columns["close"]
        low = time.searchsorted(-(-first // SECOND), "left")
        high = time.searchsorted(last // SECOND, "right")
        if low < high:
            shares.append(close[high - 1] / close[low])
    return float(np.mean(shares)) if shares else None


def _or_nan(value: Any) -> Any:
    """The runtime writes null for what is no number, such as a ratio without a loss."""
    return math.nan if value is None else value


def _columns(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The account; the columns of a further strategy stand below its number."""
    start = f"{prefix}history/"
    columns = {name[len(start) :]: arrays[name] for name in arrays if name.startswith(start)}
    if "time" not in columns:
        return {"time": np.array([]), "value": np.array([])}
    if any(len(values) != len(columns["time"]) for values in columns.values()):
        raise ValueError("its columns differ in length")
    columns["value"] = columns.pop("value")  # last, as the library has it
    return {name: values.astype(float, copy=False) for name, values in columns.items()}


def _history(columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    amounts = {name: values for name, values in columns.items() if name != "time"}
    return account_frame(columns["time"], amounts)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON:
            raise RunError("The run left a result that is too large to read.")
        record = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as problem:
        raise RunError("The run ended without a result.") from problem
    except (OSError, ValueError) as problem:
        raise RunError("The run left a result that cannot be read.") from problem
    if not isinstance(record, dict) or record.get("protocol") != PROTOCOL:
        raise RunError("The run left a result of another protocol.")
    return record


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, EOFError) as problem:
        raise RunError("The run left an account history that cannot be read.") from problem
    except Exception as problem:  # zipfile.BadZipFile, zlib.error: a cut file
        raise RunError("The run left an account history that is cut.") from problem


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MAX_LOG))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _environment(environment: Any) -> dict[str, Any]:
    if environment is None:
        return {}
    return {
        "key": environment.key,
        "version": environment.version,
        "requirements": list(environment.requirements),
        "packages": list(getattr(environment, "packages", ())),
    }


def _code(model: Any) -> dict[str, str]:
    """The text of the model's own files, as far as it is code or settings."""
    texts = {}
    for name, content in (getattr(model, "files", None) or {}).items():
        if Path(name).suffix.lower() not in CODE:
            continue
        try:
            data = content if isinstance(content, bytes) else Path(content).read_bytes()
            if len(data) <= MAX_CODE:
                texts[name] = data.decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
    return texts
