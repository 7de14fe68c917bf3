"""The metrics, orders and equity of ``python bot.py`` with the library alone, on real prices."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from deploy_magics.executor.data import load_prices
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import run_backtest
from deploy_magics.model.model import Model

HERE = Path(__file__).parent
PRICES = HERE.parent.parent / "notebooks" / "data" / "EUR-USD_1h.csv"
SYMBOL, RESOLUTION = "EUR-USD", 3600
BARS = 2000


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


strategies = load("plain_strategies")


@pytest.mark.parametrize("name", strategies.ALL)
def test_a_backtest_is_what_the_plain_library_gives(
    blankly_environment: Environment, tmp_path: Path, name: str
) -> None:
    csv = tmp_path / "prices.csv"
    csv.write_text("".join(PRICES.read_text().splitlines(keepends=True)[: BARS + 1]))
    time = pd.read_csv(csv)["time"]
    span = int(time.iloc[0]), int(time.iloc[-1]) + RESOLUTION
    model = Model.build(
        name, strategies.model_source(name, SYMBOL, RESOLUTION), requirements=["blankly"]
    )
    model.to_folder(tmp_path)
    (tmp_path / "bot.py").write_text(
        strategies.plain_source(name, SYMBOL, RESOLUTION, str(csv), span)
    )
    subprocess.run(
        [str(blankly_environment.python), "bot.py"], cwd=tmp_path, check=True, capture_output=True
    )
    plain = json.loads((tmp_path / "plain.json").read_text())
    args = {
        "start_date": span[0],
        "end_date": span[1],
        "initial_values": {"USD": 1000},
    }
    result = run_backtest(
        model, prices=load_prices({SYMBOL: csv}), args=args, environment=blankly_environment
    )
    orders = [[o["side"], o["size"], o["price"], o["created_at"]] for o in result.order_list]
    # the library forgets the orders that were cancelled
    kept = [
        o for o, given in zip(orders, result.order_list, strict=True) if not given["canceled_at"]
    ]
    assert kept == plain["orders"]
    assert len(orders) > 5
    assert result.equity.to_list() == plain["equity"]
    assert {metric: result.metrics[metric] for metric in plain["metrics"]} == plain["metrics"]
