"""Prices of the benchmarks: a year of a random walk, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

SYMBOL = "BTC-USD"
START = 1_672_531_200  # 2023-01-01
WARM_UP = 200  # bars that every program sees before it may trade
YEARS = {"1h": (3600, 8760), "1m": (60, 525_600)}


def write_bars(folder: Path, resolution: str) -> Path:
    """A CSV of a year of bars (time, open, high, low, close, volume); made once."""
    path = folder / f"{resolution}.csv"
    if not path.exists():
        step, count = YEARS[resolution]
        chance = np.random.default_rng(7)
        scale = 0.5 * np.sqrt(step / 31_536_000)  # half of its price in a year
        close = 100 * np.exp(np.cumsum(chance.normal(0, scale, count)))
        opened = np.concatenate([[100.0], close[:-1]])
        spread = 1 + np.abs(chance.normal(0, scale / 2, count))
        table = pd.DataFrame(
            {
                "time": START + step * np.arange(count),
                "open": opened.round(4),
                "high": (np.maximum(opened, close) * spread).round(4),
                "low": (np.minimum(opened, close) / spread).round(4),
                "close": close.round(4),
                "volume": chance.uniform(1, 100, count).round(3),
            }
        )
        folder.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)
    return path


def first_traded(resolution: str) -> int:
    """Epoch seconds of the first bar that may be traded."""
    return START + WARM_UP * YEARS[resolution][0]


def after_last(resolution: str) -> int:
    """Epoch seconds at which the last bar is complete."""
    step, count = YEARS[resolution]
    return START + step * count
