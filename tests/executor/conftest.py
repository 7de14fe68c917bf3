"""What the executor's tests share: one environment with the real library, real prices, a model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deploy_magics.executor import warm
from deploy_magics.executor.data import PriceSet, load_prices
from deploy_magics.executor.environment import Environment, ensure_environment
from deploy_magics.executor.result import BacktestResult
from deploy_magics.model import Model

# beside the tests lie modules that they share: local_models, waiting and others
sys.path.insert(0, str(Path(__file__).parent))

import local_models

LIBRARY = ("blankly==1.18.25b0", "numpy<2")


@pytest.fixture(scope="session")
def blankly_environment() -> Environment:
    """The real library; built once for all tests, and cached by content for the next time."""
    return ensure_environment(None, LIBRARY)


@pytest.fixture(scope="session")
def models() -> ModuleType:
    """The models and prices that the tests of local and live runs share."""
    return local_models


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of this test alone."""
    monkeypatch.setenv("DEPLOY_MAGICS_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"


START = 1_493_596_800


@dataclass
class FakeModel:
    """As much of a model as a result asks for."""

    name: str = "RSI"
    digest: str = "d" * 64
    files: dict[str, bytes] = field(default_factory=lambda: {"bot.py": b"LOW = 30\nHIGH = 70\n"})


def order(side: str, size: float, price: float, hour: float, **more: Any) -> dict[str, Any]:
    made = {
        "id": f"{side}-{hour}",
        "symbol": "EUR-USD",
        "side": side,
        "type": "market",
        "size": size,
        "price": price,
        "status": "done",
        "time": START + 3600 * hour,
        "fee": 0.0,
    }
    return {**made, **more}


def account(rows: int = 100, seed: int = 1) -> dict[str, np.ndarray]:
    steps = np.random.default_rng(seed).normal(0.0002, 0.004, rows)
    value = 10_000 * np.cumprod(1 + steps)
    value[0] = 10_000
    held = np.where(np.arange(rows) % 40 < 20, 0.0, 100.0)
    return {
        "time": START + 3600.0 * np.arange(rows),
        "EUR": held,
        "USD": value - held,
        "value": value,
    }


@pytest.fixture
def make_order() -> Callable[..., dict[str, Any]]:
    return order


@pytest.fixture
def fake_model() -> type[FakeModel]:
    return FakeModel


@pytest.fixture
def prices_frame() -> pd.DataFrame:
    """Hourly prices that begin a day before the account does."""
    time = START + 3600 * np.arange(-24, 200)
    close = 1.1 + 0.01 * np.sin(np.arange(len(time)) / 9)
    columns = {"time": time, "open": close, "high": close, "low": close, "close": close}
    return pd.DataFrame({**columns, "volume": 1.0})


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """A run's folder as the runtime leaves it; keywords replace parts of its result."""

    def make(name: str = "run", seed: int = 1, rows: int = 100, **parts: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        columns = account(rows, seed)
        np.savez(folder / "result.npz", **{f"history/{key}": columns[key] for key in columns})
        record = {
            "protocol": 1,
            "metrics": {
                "cagr": 7.0,
                "sharpe": 1.5 + seed,
                "sortino": None,
                "resampled_time": 86400.0,
            },
            "metric_names": {"cagr": "Compound Annual Growth Rate (%)", "sharpe": "Sharpe Ratio"},
            "orders": [order("buy", 100, 1.10, 20), order("sell", 100, 1.11, 40)],
            "args_used": {"to": "1y"},
            "symbols": ["EUR-USD"],
            "quote_asset": "USD",
            "exchange": "keyless",
            "imports": ["blankly"],
            "callback_errors": [],
            "engine": "fast",
            "versions": {"python": "3.11.7", "blankly": "1.18.25b0"},
            "timings": {"run": 0.1},
            "strategies": [],
        }
        (folder / "result.json").write_text(json.dumps({**record, **parts}))
        (folder / "output.log").write_text("hello\n")
        return folder

    return make


@pytest.fixture
def make_result(make_folder: Callable[..., Path]) -> Callable[..., BacktestResult]:
    def make(
        name: str = "run", *, model: Any = None, prices: Any = None, args: Any = None, **parts: Any
    ) -> BacktestResult:
        folder = make_folder(name, **parts)
        return BacktestResult.from_run_folder(
            folder, model=model or FakeModel(), prices=prices, args=args or {"to": "1y"}
        )

    return make


RSI = """\
import blankly
from blankly import KeylessExchange, Strategy
from blankly.data.data_reader import PriceReader

LOW, HIGH = 35, 65
SIZE = 100.0
if SIZE < 0:
    raise ValueError("a size below zero")


def init(symbol, state):
    history = state.interface.history(symbol, to=50, return_as="deque", resolution=state.resolution)
    state.variables.closes = history["close"]
    state.variables.held = False


def price_event(price, symbol, state):
    if SIZE == 0:
        raise ZeroDivisionError("a size of zero")
    state.variables.closes.append(price)
    if len(state.variables.closes) < 20:
        return
    rsi = blankly.indicators.rsi(state.variables.closes)[-1]
    if rsi < LOW and not state.variables.held:
        state.interface.market_order(symbol, side="buy", size=SIZE)
        state.variables.held = True
    elif rsi > HIGH and state.variables.held:
        state.interface.market_order(symbol, side="sell", size=SIZE)
        state.variables.held = False


strategy = Strategy(KeylessExchange(price_reader=PriceReader("EUR-USD_1h.csv", "EUR-USD")))
strategy.add_price_event(price_event, symbol="EUR-USD", resolution="1h", init=init)
strategy.start()
"""
ARGS = {"initial_values": {"USD": 10_000}}


@pytest.fixture(scope="session")
def rsi_model() -> Model:
    return Model.build("RSI", RSI, requirements=LIBRARY)


@pytest.fixture(scope="session")
def rsi_args() -> dict[str, Any]:
    return dict(ARGS)


@pytest.fixture(scope="session")
def rsi_prices() -> PriceSet:
    """Two months of hours that go up and down."""
    steps = np.arange(1500)
    close = 1.1 + 0.02 * np.sin(steps / 15) + 0.005 * np.sin(steps / 4)
    columns = {"time": START + 3600 * steps, "open": close, "high": close, "low": close}
    return load_prices({"EUR-USD": pd.DataFrame({**columns, "close": close, "volume": 1.0})})


@pytest.fixture(scope="session", autouse=True)
def no_warm_process_stays() -> Iterator[None]:
    yield
    warm.close_all()
