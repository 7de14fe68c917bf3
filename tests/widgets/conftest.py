"""A platform without a server, and a result without a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest

from deploy_magics.errors import ConflictError
from deploy_magics.executor.result import BacktestResult
from deploy_magics.platforms.blankly_types import LogPart, ModelInfo, Project, Run, Version


@dataclass
class Platform:
    """Answers like a BlanklyClient; ``calls`` has what was done."""

    runs: dict[str, Run] = field(default_factory=dict)
    log: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)

    def projects(self) -> list[Project]:
        return [Project("p1", "RSI Models"), Project("p2", "Empty")]

    def models(self, project: str) -> list[ModelInfo]:
        return [ModelInfo("m1", "RSI Model")] if project == "p1" else []

    def versions(self, model: str) -> list[Version]:
        made = datetime(2024, 1, 1, tzinfo=timezone.utc)
        first = Version("v1", 1, model, "First <b>", made, state="cancelled", run_id="r1")
        return [first, replace(first, id="v2", number=2, state="running", run_id="r2")]

    def run(self, run: str) -> Run:
        return self.runs[run]

    def logs(self, run: str, offset: int = 0, wait: float = 0) -> LogPart:
        return LogPart(self.log[offset:], len(self.log), self.runs[run].state)

    def run_version(self, version: str) -> None:
        self.calls.append(("run", version))

    def rollback(self, version: str) -> None:
        self.calls.append(("rollback", version))

    def stop(self, run: str) -> None:
        self.calls.append(("stop", run))
        if run not in self.runs:
            raise ConflictError("It has ended already.")
        self.runs[run] = replace(self.runs[run], state="cancelled")

    def start(self, run: str) -> None:
        self.calls.append(("start", run))


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def result() -> BacktestResult:
    """2000 hours that gain, fall and gain, with two orders and a row of NaN."""
    times = pd.date_range("2024-01-01", periods=2000, freq="h", tz="UTC", name="time")
    value = 100 + np.sin(np.arange(2000) / 200) * 10
    value[7] = np.nan
    order = {"symbol": "EUR-USD", "size": 2.0, "price": 1.1, "status": "done"}
    return BacktestResult(
        id="run-1",
        model="RSI <b>Model</b>",
        model_digest="0" * 64,
        metrics={"return_pct": 1.5, "sharpe": float("nan")},
        history=pd.DataFrame({"USD": value, "value": value}, index=times),
        order_list=[
            {**order, "side": "sell", "time": times[90].timestamp()},
            {**order, "side": "buy", "time": times[9].timestamp()},
            {**order, "side": "buy", "time": times[9].timestamp(), "status": "canceled"},
        ],
        symbols=("EUR-USD",),
        quote_asset="USD",
        args_used={"initial_values": {"USD": 100}},
    )
