"""One run of a sweep, what came of it, and where that is kept to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy_magics.errors import DeployMagicsError
from deploy_magics.executor import exact_json
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.endings import check_end
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.files import write_atomically
from deploy_magics.executor.history import default_folder
from deploy_magics.executor.process import Limits
from deploy_magics.executor.result import BacktestResult
from deploy_magics.executor.run_folder import read_metrics
from deploy_magics.executor.sweep_folds import Fold
from deploy_magics.model import Model

FORMAT = 1


@dataclass(frozen=True)
class Point:
    """A combination of values, on one stretch of time where there are folds.

    ``model`` has the values of ``constants`` in it already. ``part`` is "chosen on" or "tried on"
    with folds, and empty without. ``key`` is the same for what can only give the same.
    """

    number: int
    parameters: dict[str, Any]
    model: Model = field(repr=False)
    args: dict[str, Any] = field(repr=False)
    key: str
    fold: Fold | None = None
    part: str = ""
    constants: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass
class Outcome:
    """The metrics of a run, or the error that it ended with; ``callback_errors`` counts what the
    model's callbacks raised and the library swallowed."""

    metrics: dict[str, Any] | None = None
    error: str = ""
    seconds: float = 0.0
    callback_errors: int = 0
    from_store: bool = False
    problem: Exception | None = field(default=None, repr=False)


def outcome_of(result: BacktestResult, seconds: float) -> Outcome:
    raised = sum(int(error.get("count", 1)) for error in result.callback_errors)
    return Outcome(result.metrics, seconds=seconds, callback_errors=raised)


def outcome_in(
    folder: Path, exit: Mapping[str, Any], prices: PriceSet | None, limits: Limits
) -> Outcome:
    """Of a run that is over, by what it left in its folder."""
    try:
        check_end(folder, exit, limits)
        metrics, raised = read_metrics(folder, prices)
    except DeployMagicsError as problem:
        return Outcome(error=str(problem), problem=problem)
    return Outcome(metrics, seconds=float(exit.get("seconds", 0.0)), callback_errors=raised)


class PointStore:
    """Outcomes by key, one small file each; failures are not kept."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder else default_folder() / "points"

    def find(self, key: str) -> Outcome | None:
        try:
            record = exact_json.loads(self._path(key).read_bytes())
            return Outcome(
                dict(record["metrics"]),
                seconds=float(record["seconds"]),
                callback_errors=int(record["callback_errors"]),
                from_store=True,
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def add(self, key: str, outcome: Outcome) -> None:
        """A full disk costs the next sweep this outcome, and this one nothing."""
        if outcome.metrics is None:
            return
        record = {
            "metrics": outcome.metrics,
            "seconds": outcome.seconds,
            "callback_errors": outcome.callback_errors,
        }
        try:
            write_atomically(self._path(key), exact_json.dumps(record).encode())
        except OSError:
            return

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def point_key(
    model_digest: str,
    constants: Mapping[str, Any],
    args: Mapping[str, Any],
    prices: PriceSet | None,
    environment: Environment | None,
    engine: str,
) -> str:
    """Of the sweep's own model and what is changed in it: the changed one is never packed."""
    content = {
        "format": FORMAT,
        "model": model_digest,
        "constants": {name: repr(value) for name, value in constants.items()},
        "args": {name: value for name, value in args.items() if value is not None},
        "prices": prices.digests if prices else {},
        "environment": environment.key if environment else "",
        "engine": engine,
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
