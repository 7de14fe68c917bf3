"""Starter models: each a main script beside this file, and the prices on which it runs at once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

from deploy_magics.model import BLANKLY, Model

FOLDER = Path(__file__).parent
PRICES = "EUR-USD_1h.csv"


class Starter(NamedTuple):
    name: str
    description: str
    exchange: str
    kind: str
    schedule: str | None = None


STARTERS = (
    Starter("rsi", "Buys when the RSI is below 30 and sells above 70", "keyless", "strategy"),
    Starter("crossover", "Follows a fast average over a slow one", "keyless", "strategy"),
    Starter("movers", "Screens for what moved most", "keyless", "screener", "30 14 * * 1-5"),
)


@functools.cache
def starter_zip(name: str) -> bytes:
    """The zip of a starter. Raises KeyError for a name that is not one."""
    starter = {each.name: each for each in STARTERS}[name]
    model = Model.build(
        name,
        (FOLDER / f"{name}.py").read_text(),
        requirements=list(BLANKLY),
        include=[PRICES],
        folder=FOLDER,
        python_version="3.11",
        type=starter.kind,
        schedule=starter.schedule,
        backtest_args={"start_date": "2017-04-20", "end_date": "2017-06-01"},
    )
    return model.zip_bytes()
