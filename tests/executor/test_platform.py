from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deploy_magics.errors import RunError
from deploy_magics.executor.data import load_prices
from deploy_magics.executor.platform import fetch_result
from deploy_magics.executor.result import BacktestResult

pytestmark = pytest.mark.usefixtures("cache")


@dataclass
class Part:
    text: str
    offset: int


class Client:
    """Answers as the platform's client does, out of a run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def result(self, run_id: str) -> Mapping[str, Any]:
        return dict(json.loads((self.folder / "result.json").read_text()))

    def arrays(self, run_id: str) -> bytes:
        path = self.folder / "result.npz"
        return path.read_bytes() if path.exists() else b""

    def logs(self, run_id: str, offset: int = 0, wait: float = 0) -> Part:
        text = "one\ntwo\n"[offset : offset + 5]
        return Part(text, offset + len(text))


def test_it_is_the_result_that_a_run_here_gives(
    make_folder: Callable[..., Path], prices_frame: pd.DataFrame, fake_model: Any
) -> None:
    folder = make_folder()
    prices, args = load_prices({"EUR-USD": prices_frame}), {"to": "1y"}
    there = fetch_result(Client(folder), "r7", model=fake_model(), prices=prices, args=args)
    here = BacktestResult.from_run_folder(folder, model=fake_model(), prices=prices, args=args)
    assert (there.id, there.where, there.logs) == ("r7", "platform", "one\ntwo\n")
    assert repr(there.metrics) == repr(here.metrics)
    pd.testing.assert_frame_equal(there.history, here.history, check_exact=True)
    again = BacktestResult.from_json(there.to_json())
    assert list(again.prices) == ["EUR-USD"]


def test_a_damaged_one(make_folder: Callable[..., Path]) -> None:
    folder = make_folder(protocol=2)
    with pytest.raises(RunError, match="another protocol"):
        fetch_result(Client(folder), "r")
