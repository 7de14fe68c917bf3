"""The library's published examples, unchanged: the same figures here as by the library alone.

They are what ``blankly init`` writes and what the library's pages in the registry show. Those of
its repository too: PROGRAMS=examples pytest tests/peers/test_blankly_examples.py
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import uv

import deploy_magics
from deploy_magics.executor.environment import Environment, ensure_environment
from deploy_magics.model import BLANKLY

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "peers"
EXCHANGES = ("alpaca", "binance", "coinbase_pro", "ftx", "oanda", "kucoin")
PAGES = ["1.18.25b0", "1.15.5b0"]
FILES = sorted(Path(os.environ["PROGRAMS"]).glob("*.py")) if "PROGRAMS" in os.environ else []
# they trade live only, ask the network for a file, or import what is not there
NOT_ON_GIVEN_PRICES = {"multicore_bot", "keyless_backtest", "custom_model", "mlp_model"}
DAY = 86400
START = 11_574 * DAY
ENGINES = ("fast", "plain")
SECONDS = {"1d": DAY, "1h": 3600, "30m": 1800, "15m": 900, "5m": 300}
TWEETS = {"twitter": {"time": [1_648_000_000, 1_649_000_000], "data": ["Buy TSLA", "sell"]}}


def bars(step: int, first: int = START, days: int = 600, skip: int = 0) -> pd.DataFrame:
    """Real prices under other times, so that every example has them at its own pace."""
    name = "AAPL_1d" if step == DAY else "ETH-BTC_5m"
    table = pd.read_csv(HERE.parent / "data" / f"{name}.csv")
    table = table[skip : skip + days * DAY // step].reset_index(drop=True)
    table["time"] = first + step * table.index
    return table


def daily(table: pd.DataFrame) -> pd.DataFrame:
    days = table.groupby(table["time"] // DAY * DAY)
    kept = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return days.agg(kept).reset_index()


def blocks(version: str) -> list[str]:
    """The programs on the page of a version; fetched once."""
    folder = CACHE / f"blankly-{version}"
    if not list(folder.glob("*.dist-info/METADATA")):
        command = [uv.find_uv_bin(), "pip", "install", "-q", "--no-deps", "--python"]
        command += [sys.executable, "--target", str(folder), f"blankly=={version}"]
        subprocess.run(command, check=True)
    (metadata,) = folder.glob("*.dist-info/METADATA")
    page = message_from_string(metadata.read_text("utf-8")).get_payload()
    return re.findall(r"```python\n(.*?)```", str(page), re.DOTALL)


@pytest.fixture(scope="module")
def library() -> Environment:
    return ensure_environment("3.11", BLANKLY)


@pytest.fixture(scope="module")
def starters(library: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("starters")
    script = str(HERE / "blankly_starters.py")
    subprocess.run([str(library.python), script, str(folder)], check=True)
    return folder


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path_factory.mktemp("home")))
        yield


class Example:
    """A folder with bot.py, and prices for all that it asks for."""

    def __init__(
        self, folder: Path, prices: dict[str, pd.DataFrame], **keywords: dict[str, Any]
    ) -> None:
        self.folder = folder
        self.prices = prices
        self.keywords = keywords

    def here(self, engine: str) -> Any:
        return deploy_magics.backtest(
            str(self.folder), data=self.prices, engine=engine, fresh=True, **self.keywords
        )

    def alone(self, library: Environment, scratch: Path) -> Any:
        """By ``python bot.py`` in a copy of the folder."""
        shutil.copytree(self.folder, scratch)
        files: dict[str, list[str]] = {}
        for symbol, table in self.prices.items():
            files[symbol] = [f"{symbol}.csv"]
            table.to_csv(scratch / files[symbol][0], index=False)
            if table["time"].diff().iloc[1] < DAY:
                files[symbol].append(f"{symbol}_daily.csv")
                daily(table).to_csv(scratch / files[symbol][1], index=False)
        now = max(
            int(2 * t.iloc[-1] - t.iloc[-2]) for t in (p["time"] for p in self.prices.values())
        )
        spec = {"prices": files, "now": now, "keywords": self.keywords}
        (scratch / "spec.json").write_text(json.dumps(spec))
        command = [str(library.python), str(HERE / "blankly_bare.py"), "spec.json"]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads((scratch / "bare.json").read_text())


def span(start: int, days: int) -> dict[str, Any]:
    return {"start_date": start, "end_date": start + days * DAY}


def number(value: Any) -> Any:
    """A metric that has no value is one thing to JSON and another to the library."""
    return None if isinstance(value, float) and math.isnan(value) else value


def assert_the_same(result: Any, alone: Any) -> None:
    assert len(alone["strategies"]) == len([result, *result.further])
    for ours, theirs in zip([result, *result.further], alone["strategies"], strict=True):
        orders = [
            [order["symbol"], order["side"], order["size"], order["created_at"]]
            for order in ours.order_list
            if not order["canceled_at"]
        ]
        assert orders == theirs["orders"]
        metrics = {name: number(value) for name, value in theirs["metrics"].items()}
        assert {name: number(ours.metrics[name]) for name in metrics} == metrics
        history = ours.history.rename(columns={"value": f"Account Value ({ours.quote_asset})"})
        account = dict(theirs["account"])
        assert (history.index.astype("int64") // 10**9).to_list() == [
            int(time) for time in account.pop("time")
        ]
        assert {name: history[name].to_list() for name in history} == account


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_starter_strategies(
    starters: Path, library: Environment, exchange: str, tmp_path: Path
) -> None:
    folder = starters / f"{exchange} strategy"
    (symbol,) = re.findall(r"symbol='([^']+)'", (folder / "bot.py").read_text())
    example = Example(folder, {symbol: bars(DAY)}, **span(START + 200 * DAY, 400))
    alone = example.alone(library, tmp_path / "alone")
    for engine in ENGINES:
        result = example.here(engine)
        assert len(result.order_list) > 1
        assert result.callback_errors == []
        assert_the_same(result, alone)


@pytest.mark.parametrize("exchange", ["alpaca", "binance"])
def test_starter_screeners(
    starters: Path, library: Environment, exchange: str, tmp_path: Path
) -> None:
    folder = starters / f"{exchange} screener"
    (listed,) = re.findall(r"tickers = \[(.*?)\]", (folder / "bot.py").read_text())
    symbols = re.findall(r"'([^']+)'", listed)
    prices = {symbol: bars(DAY, skip=100 * at) for at, symbol in enumerate(symbols)}
    example = Example(folder, prices)
    result = example.here("fast")
    assert "currently oversold" in result.screeners[0]
    assert result.screeners == example.alone(library, tmp_path / "alone")["screeners"]


def example_of(folder: Path, source: str, starters: Path) -> Example:
    """A program in a starter's place, with prices at the paces that it names."""
    starter = "binance" if "USDT" in source else "alpaca"
    shutil.copytree(starters / f"{starter} strategy", folder)
    (folder / "bot.py").write_text(source)
    if "tweets.json" in source:
        (folder / "tweets.json").write_text(json.dumps(TWEETS))
        first = int(pd.Timestamp("2022-03-15").timestamp())
        return Example(folder, {"TSLA": bars(3600, first, days=40)})
    asked = {}
    for call in re.findall(r"_event\((.*?)\)", source, re.DOTALL):
        for symbol in re.findall(r"'([A-Z][A-Z-]*)'", call):
            asked[symbol] = SECONDS[re.findall(r"'(\d+[a-z])'", call)[0]]
    slow = min(asked.values()) == DAY
    days = 600 if slow else 15 * min(asked.values()) // 900
    prices = {
        symbol: bars(step, days=days, skip=50 * at)
        for at, (symbol, step) in enumerate(asked.items())
    }
    values = {} if "initial_values" in source else {"initial_values": {"USD": 1000}}
    return Example(folder, prices, **span(START + days // 3 * DAY, days - days // 3), **values)


@pytest.mark.parametrize("origin", [*PAGES, *FILES], ids=str)
def test_programs(starters: Path, library: Environment, origin: str | Path, tmp_path: Path) -> None:
    if isinstance(origin, Path):
        programs = [] if origin.stem in NOT_ON_GIVEN_PRICES else [origin.read_text()]
    else:
        programs = [text for text in blocks(origin) if "backtest(" in text and "import" in text]
        assert programs
    for number, program in enumerate(programs):
        example = example_of(tmp_path / f"{number}", program, starters)
        if "utures" in program:  # the library alone has no futures on given prices
            fast, plain = (example.here(engine) for engine in ENGINES)
            columns = ["symbol", "side", "size", "price", "time", "status"]
            assert fast.orders[columns].equals(plain.orders[columns])
            assert fast.equity.equals(plain.equity)
            assert str(dict(fast.metrics)) == str(dict(plain.metrics))
            continue
        alone = example.alone(library, tmp_path / f"{number} alone")
        for engine in ENGINES:
            assert_the_same(example.here(engine), alone)
