"""The metrics, orders and equity of ``python bot.py`` with the library alone, on real prices.

On whole files, which takes minutes: PRICES=folder pytest tests/executor/test_local_plain.py
"""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import plain_strategies as strategies
import pytest

from deploy_magics.executor.data import load_prices
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import run_backtest
from deploy_magics.model.model import Model

HERE = Path(__file__).parent
FOLDERS = [HERE.parent / "data", HERE.parent.parent / "notebooks" / "data"]
if "PRICES" in os.environ:
    FOLDERS = [Path(os.environ["PRICES"])]
BARS = 1500 if "PRICES" not in os.environ else None
FILES = sorted(file for folder in FOLDERS for file in folder.glob("*_*.csv"))
SECONDS = {"1d": 86400, "1h": 3600, "5m": 300, "1m": 60}


class Case:
    """A file of prices, and what the library alone makes of it with every strategy."""

    def __init__(self, file: Path, folder: Path, python: Path) -> None:
        pair, _, step = file.stem.partition("_")
        self.symbol = pair if "-" in pair else f"{pair}-USD"
        self.quote = self.symbol.split("-")[1]
        self.resolution = SECONDS[step]
        self.csv = folder / "prices.csv"
        prices = pd.read_csv(file, nrows=BARS, dtype=str)
        prices.to_csv(self.csv, index=False)
        times = prices["time"].astype(int)
        self.span = int(times.iloc[0]), int(times.iloc[-1]) + self.resolution
        self.models = {name: self.model(name, folder / name) for name in strategies.ALL}
        subprocess.run(
            [str(python), "-c", strategies.EACH_IN_A_PROCESS, *self.models],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.plain = {
            name: json.loads((folder / name / "plain.json").read_text()) for name in self.models
        }

    def model(self, name: str, folder: Path) -> Model:
        source = strategies.model_source(name, self.symbol, self.resolution)
        model = Model.build(name, source, requirements=["blankly"])
        model.to_folder(folder)
        (folder / "bot.py").write_text(
            strategies.plain_source(name, self.symbol, self.resolution, str(self.csv), self.span)
        )
        return model


@pytest.fixture(scope="module", params=FILES, ids=lambda file: file.stem)
def case(
    request: Any, blankly_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    return Case(request.param, tmp_path_factory.mktemp("plain"), blankly_environment.python)


def number(value: Any) -> Any:
    """A metric that has no value is one thing to JSON and another to the library."""
    return None if isinstance(value, float) and math.isnan(value) else value


@pytest.mark.parametrize("name", strategies.ALL)
def test_a_backtest_is_what_the_plain_library_gives(
    blankly_environment: Environment, case: Case, name: str
) -> None:
    args = {
        "start_date": case.span[0],
        "end_date": case.span[1],
        "initial_values": {case.quote: 1000},
    }
    result = run_backtest(
        case.models[name],
        prices=load_prices({case.symbol: case.csv}),
        args=args,
        environment=blankly_environment,
    )
    plain = case.plain[name]
    # the library forgets the orders that were cancelled
    kept = [
        [order["side"], order["size"], order["price"], order["created_at"]]
        for order in result.order_list
        if not order["canceled_at"]
    ]
    assert kept == plain["orders"]
    assert len(result.order_list) > 1
    assert result.equity.to_list() == plain["equity"]
    metrics = {name: number(value) for name, value in plain["metrics"].items()}
    assert {name: number(result.metrics[name]) for name in metrics} == metrics


def test_every_resolution_has_its_file() -> None:
    assert {file.stem.partition("_")[2] for file in FILES} == set(SECONDS)
