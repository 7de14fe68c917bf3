"""Backtests on this machine, by the real library in processes of their own."""

from __future__ import annotations

import _thread
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from waiting import LONG, processes_in, until

from deploy_magics.errors import LimitError, ModelFailedError, RunCancelledError, RunError
from deploy_magics.executor import warm
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import Limits, LocalRun, run_backtest, start_backtest
from deploy_magics.executor.result import BacktestResult

VALUES = {"initial_values": {"USD": 10_000}}


@pytest.fixture(scope="module", autouse=True)
def warm_processes() -> Iterator[None]:
    yield
    warm.close_all()


@pytest.fixture
def start(
    models: ModuleType, blankly_environment: Environment, tmp_path: Path
) -> Iterator[Callable[..., LocalRun]]:
    """Starts a run of a source; whatever is left of it is ended with the test."""
    runs: list[LocalRun] = []

    def begin(source: str, **options: Any) -> LocalRun:
        run = start_backtest(
            models.model(source, **options.pop("building", {})),
            prices=options.pop("prices", models.hourly()),
            args=options.pop("args", VALUES),
            environment=blankly_environment,
            folder=tmp_path / f"run{len(runs)}",
            **options,
        )
        runs.append(run)
        return run

    yield begin
    for run in runs:
        run.cancel()
        assert run.wait(LONG)


@pytest.mark.parametrize(
    "ending",
    ["", "strategy.start()", "strategy.backtest(to='1y', initial_values={'USD': 5})"],
    ids=["built", "started", "backtested"],
)
def test_a_script_runs_whatever_it_calls(
    start: Callable[..., LocalRun], models: ModuleType, ending: str
) -> None:
    result = start(models.RSI + ending).result(LONG)
    assert isinstance(result, BacktestResult)
    assert len(result.order_list) > 2
    assert result.initial_value == 10_000
    assert not result.callback_errors
    assert result.args_used["initial_values"] == {"USD": 10_000}


def test_cold_and_warm_plain_and_fast_agree(
    models: ModuleType, blankly_environment: Environment
) -> None:
    outcomes = []
    for engine, is_warm in [("fast", False), ("fast", True), ("plain", True)]:
        result = run_backtest(
            models.model(models.RSI),
            prices=models.hourly(),
            args=VALUES,
            environment=blankly_environment,
            engine=engine,
            warm=is_warm,
        )
        assert result.engine == engine
        orders = [{k: v for k, v in order.items() if k != "id"} for order in result.order_list]
        library = {name: result.metrics[name] for name in result.metric_names if name != "fees"}
        outcomes.append((orders, str(library), result.equity.to_list()))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_a_temporary_folder_goes_with_its_run(
    models: ModuleType, blankly_environment: Environment
) -> None:
    run = start_backtest(
        models.model(models.RSI),
        prices=models.hourly(),
        args=VALUES,
        environment=blankly_environment,
    )
    folder = run.folder
    assert len(run.result(LONG).order_list) > 2
    assert folder.is_dir()
    del run
    gc.collect()
    assert not folder.exists()


def test_what_the_user_says_wins(start: Callable[..., LocalRun], models: ModuleType) -> None:
    first = models.START + 100 * 3600
    args = {"start_date": first, "initial_values": {"USD": 77}, "settings": {"use_price": "open"}}
    script = models.RSI + "strategy.backtest(to='2d', initial_values={'USD': 5}, use_price='low')"
    result = start(script, args=args).result(LONG)
    assert result.initial_value == 77
    assert result.equity.index[0].timestamp() == first
    used = result.args_used
    assert (used["start_date"], used["settings"]["use_price"]) == (first, "open")


def test_to_counts_back_from_the_end_of_the_prices(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    result = start(models.RSI, args={"to": "2d", **VALUES}).result(LONG)
    span = result.equity.index[-1] - result.equity.index[0]
    assert 47 <= span.total_seconds() / 3600 <= 49


def test_the_currency_and_the_cash_are_chosen_and_said(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    source = models.every_hour("state.interface.market_order(symbol, 'buy', 0.01)")
    source = source.replace("EUR-USD", "ETH-BTC")
    result = start(source, args={}, prices=models.hourly("ETH-BTC")).result(LONG)
    assert result.quote_asset == "BTC"
    assert result.initial_value == 10_000


def test_several_strategies_in_one_script(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    second = (
        "\nother = blankly.Strategy(exchange)\n"
        "other.add_bar_event(lambda bar, symbol, state: None, 'EUR-USD', '1h')\n"
    )
    result = start(models.RSI + second).result(LONG)
    assert len(result.order_list) > 2
    assert len(result.further) == 1
    assert not result.further[0].order_list


def test_an_exchange_needs_no_keys(start: Callable[..., LocalRun], models: ModuleType) -> None:
    source = models.RSI.replace("KeylessExchange(price_reader=None)", "Alpaca()")
    source = source.replace("EUR-USD", "AAPL")
    result = start(source, prices=models.hourly("AAPL", level=90.0)).result(LONG)
    assert result.exchange == "alpaca"
    assert len(result.order_list) > 2


def test_pairs_on_an_exchange_of_stocks(start: Callable[..., LocalRun], models: ModuleType) -> None:
    wrapped = "PaperTrade(blankly.Alpaca())"
    source = models.RSI.replace("KeylessExchange(price_reader=None)", wrapped)
    plainly = start(source, engine="plain").result(LONG)
    result = start(source).result(LONG)
    assert len(result.order_list) > 2
    assert result.equity.to_list() == plainly.equity.to_list()
    assert result.equity.to_list() == start(models.RSI).result(LONG).equity.to_list()


def test_a_models_missing_price_file_is_stood_in_for(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    reader = "blankly.data.data_reader.PriceReader('nowhere.csv', 'EUR-USD')"
    source = models.RSI.replace("price_reader=None", f"price_reader={reader}")
    assert len(start(source).result(LONG).order_list) > 2


def test_futures_orders_tell_their_currency_and_fee(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    source = """
import blankly
from blankly import Side

def price_event(price, symbol, state):
    position = state.interface.get_position(symbol)
    state.variables.n += 1
    if state.variables.n % 20 == 1 and not position:
        size = round(state.interface.cash * 0.2 / price, 3)
        state.interface.market_order(symbol, Side.BUY, size)
    elif state.variables.n % 20 == 11 and position:
        state.interface.market_order(symbol, Side.SELL, position["size"], reduce_only=True)

def init(symbol, state):
    state.variables.n = 0

strategy = blankly.FuturesStrategy(blankly.BinanceFutures())
strategy.add_price_event(price_event, "BTC-USDT", "1h", init=init)
"""
    args = {"initial_values": {"USDT": 10_000}, "settings": {"taker_fee": 0.001}}
    result = start(source, args=args, prices=models.hourly("BTC-USDT")).result(LONG)
    assert {order["side"] for order in result.order_list} == {"buy", "sell"}
    for order in result.order_list:
        assert order["quote_asset"] == "USDT"
        assert order["status"] == "done"
        assert order["fee"] == pytest.approx(order["price"] * order["size"] * 0.001)


def test_a_screener_sees_the_end_of_the_prices(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    source = """
import blankly

def evaluator(symbol, state):
    history = state.interface.history(symbol, 40, resolution="1h")
    return {"close": float(history["close"].iloc[-1]), "bars": len(history)}

blankly.Screener(blankly.Alpaca(), evaluator, symbols=["EUR-USD"])
"""
    run = start(source, building={"type": "screener"})
    run.result(LONG)
    (shown,) = [event for event in run.events() if event["event"] == "screener"]
    last = models.frame()["close"].iloc[-1]
    assert shown["result"]["EUR-USD"]["close"] == pytest.approx(last)
    assert shown["result"]["EUR-USD"]["bars"] > 30


def test_a_model_of_its_own_gets_all_prices(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    source = """
import blankly

class Own(blankly.Model):
    def main(self, args):
        while self.has_data:
            if self.interface.get_account("EUR").available == 0:
                self.interface.market_order("EUR-USD", "buy", 10)
            self.backtester.value_account()
            self.sleep("1h")

Own(blankly.CoinbasePro())
"""
    result = start(source).result(LONG)
    assert len(result.order_list) == 1
    assert len(result.equity) >= 499


PEEKING = {
    "later dates": """
ahead = state.interface.history(symbol, start_date=0.0, end_date=state.time + 1e6, resolution='1h')
assert len(ahead) == 0 or ahead['time'].max() + 3600 <= state.time, 'seen'
""",
    "the library's prices": """
for table in state.interface.full_prices.values():
    for frame in table.values():
        assert len(frame) == 0 or frame['time'].max() + 3600 <= state.time, 'seen'
""",
    "the exchange's own": """
ahead = state.interface.calls.get_product_history(symbol, 0, state.time + 1e6, 3600)
assert len(ahead) == 0 or ahead['time'].max() + 3600 <= state.time, 'seen'
direct = state.interface.calls.calls.get_product_history(symbol, 0, 9e9, 3600)
assert len(direct) == 0 or direct['time'].max() + 3600 <= state.time, 'seen'
""",
    "the engine's prices": """
for records in state.strategy.model.backtester.prices.values():
    assert records['time'].max() <= state.time, 'seen'
""",
}


@pytest.mark.parametrize("way", PEEKING)
def test_no_model_sees_what_has_not_happened(
    start: Callable[..., LocalRun], models: ModuleType, way: str
) -> None:
    result = start(models.every_hour(PEEKING[way].strip())).result(LONG)
    assert result.callback_errors == []


def test_nothing_is_seen_before_the_run_begins(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    first = models.START + 100 * 3600
    look = """
seen = exchange.interface.history('EUR-USD', 5000, resolution='1h')
print('latest', seen['time'].max())
"""
    run = start(models.RSI + look, args={"start_date": first, **VALUES})
    run.result(LONG)
    assert f"latest {first - 3600}" in run.logs()


def test_a_failing_callback_is_told_once_and_counted(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    run = start(models.every_hour("if state.time > 0:\n    raise KeyError('gone')"))
    result = run.result(LONG)
    (error,) = result.callback_errors
    assert error["count"] > 400
    assert "KeyError: 'gone'" in error["message"]
    assert error["time"] == models.START
    assert run.logs().count("Traceback") == 1


def test_a_failure_names_the_cell_the_date_and_the_orders(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    source = """import blankly
class Own(blankly.Model):
    def main(self, args):
        self.interface.market_order("EUR-USD", "buy", 10)
        self.sleep("5h")
        self.surprise()
    def surprise(self):
        return 1 / 0
Own(blankly.KeylessExchange())
"""
    run = start(source, building={"cell_labels": {None: "cell 3"}})
    with pytest.raises(ModelFailedError) as caught:
        run.result(LONG)
    assert "ZeroDivisionError" in str(caught.value)
    assert "line 8" in str(caught.value)
    told = caught.value.traceback
    assert "in surprise" in told and "return 1 / 0" in told
    assert "At simulated 2017-07-14" in told
    assert "buy 10" in told
    assert "site-packages" not in told


def test_lines_are_those_of_the_notebook(
    blankly_environment: Environment, models: ModuleType, tmp_path: Path
) -> None:
    built = models.model("import blankly\n\n1 / 0\n")
    origins = [("cell 7", 1), None, ("cell 9", 4)]
    object.__setattr__(built, "origins", {"bot.py": origins})
    with pytest.raises(ModelFailedError) as caught:
        run_backtest(
            built, prices=None, args={}, environment=blankly_environment, folder=tmp_path / "run"
        )
    assert "(cell 9, line 4)" in str(caught.value)
    assert "cell 9, line 4, in <module>" in caught.value.traceback


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import blankly\ndef f(:\n", "SyntaxError"),
        ("x = 1\n", "builds nothing that can run"),
        ("import os\nos._exit(0)\n", "before it had a result"),
        ("import os\nos._exit(3)\n", "exit code 3"),
        ("import sys\nsys.exit('enough')\n", "enough"),
        ("import os\nos.kill(os.getpid(), 11)\n", "signal 11"),
        ("import nothing_of_that_name\n", "nothing_of_that_name"),
    ],
)
def test_ways_to_fail(start: Callable[..., LocalRun], source: str, words: str) -> None:
    run = start(source)
    with pytest.raises(ModelFailedError, match=words):
        run.result(LONG)
    assert run.state == "failed"


def test_prices_that_are_not_there_are_named(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    with pytest.raises(ModelFailedError, match="BTC-USD, but only EUR-USD was given"):
        start(models.RSI.replace("EUR-USD", "BTC-USD")).result(LONG)
    with pytest.raises(ModelFailedError, match=r"every 420 seconds.*every 3600"):
        start(models.RSI.replace('"1h"', '"7m"')).result(LONG)


def test_coarser_bars_are_made_of_finer_ones(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    source = """
import blankly

FIELDS = ["open", "high", "low", "close", "volume"]

def bar_event(bar, symbol, state):
    print("bar", int(bar["time"]), *(bar[name] for name in FIELDS))

strategy = blankly.Strategy(blankly.KeylessExchange())
strategy.add_bar_event(bar_event, "EUR-USD", "1d")
"""
    run = start(source)
    run.result(LONG)
    table = models.frame()
    days = table.groupby(table["time"] // 86400)
    shown = [line.split()[1:] for line in run.logs().splitlines() if line.startswith("bar ")]
    assert len(shown) > 15
    for row in shown:
        day = days.get_group(int(row[0]) // 86400)
        assert float(row[1]) == day["open"].iloc[0]
        assert float(row[2]) == day["high"].max()
        assert float(row[4]) == day["close"].iloc[-1]
        assert float(row[5]) == day["volume"].sum()


def test_prints_and_progress_come_while_it_runs(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    heard: list[dict[str, Any]] = []
    body = "print('at', state.time)\nimport time\ntime.sleep(0.02)"
    run = start(models.every_hour(body), on_event=heard.append)
    until(lambda: "at " in run.logs(), "a print")
    assert run.state == "running"
    told = until(lambda: [e for e in heard if e["event"] == "progress"], "progress")
    assert told[0]["total"] >= 499
    assert told[0]["equity"] == 10_000
    run.cancel()
    assert run.wait(LONG)
    assert run.state == "cancelled"
    names = [event["event"] for event in run.events()]
    assert names[:3] == ["started", "phase", "phase"]


def test_several_at_once(start: Callable[..., LocalRun], models: ModuleType) -> None:
    runs = [start(models.RSI) for _ in range(4)]
    outcomes = [run.result(LONG).metrics["cagr"] for run in runs]
    assert len(set(outcomes)) == 1


SPREADING = """
import os, subprocess, sys, time
for _ in range(2):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    os._exit(0)
print("spread", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
def test_a_cancelled_run_leaves_no_process(start: Callable[..., LocalRun], is_warm: bool) -> None:
    run = start(SPREADING, warm=is_warm)
    until(lambda: "spread" in run.logs(), "the spreading")
    until(lambda: len(processes_in(run.folder)) >= 4, "all processes")
    run.cancel()
    assert run.wait(LONG)
    assert processes_in(run.folder) == []
    with pytest.raises(RunCancelledError, match="stopped"):
        run.result()


def test_what_a_model_leaves_behind_ends_with_it(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    head = SPREADING.replace("time.sleep(600)\n", "pass\n", 0).rsplit("time.sleep(600)", 1)[0]
    run = start(head + models.RSI)
    run.result(LONG)
    assert processes_in(run.folder) == []


def test_an_interrupt_ends_the_run(
    models: ModuleType, blankly_environment: Environment, tmp_path: Path
) -> None:
    def interrupt() -> None:
        until(lambda: (tmp_path / "run" / "output.log").exists(), "the start")
        until(lambda: b"waits" in (tmp_path / "run" / "output.log").read_bytes(), "the model")
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(RunCancelledError):
        run_backtest(
            models.model("print('waits', flush=True)\nwhile True: pass\n"),
            prices=None,
            args={},
            environment=blankly_environment,
            folder=tmp_path / "run",
        )
    thread.join()
    assert processes_in(tmp_path / "run") == []


FOLLOWED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import local_models as models
from deploy_magics.executor.environment import ensure_environment
from deploy_magics.executor.local import start_backtest
run = start_backtest(
    models.model("import time\\nprint('waits', flush=True)\\ntime.sleep(600)\\n"),
    prices=None, args={{}}, environment=ensure_environment(None, ("blankly==1.18.25b0", "numpy<2")),
    folder={folder!r}, warm={warm},
)
run.wait()
"""


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
def test_a_run_ends_with_the_kernel(tmp_path: Path, is_warm: bool, request: Any) -> None:
    folder = tmp_path / "run"
    script = FOLLOWED.format(tests=str(Path(__file__).parent), folder=str(folder), warm=is_warm)
    kernel = subprocess.Popen([sys.executable, "-c", script])
    try:
        until(lambda: (folder / "output.log").exists(), "the start")
        until(lambda: b"waits" in (folder / "output.log").read_bytes(), "the model")
    finally:
        os.kill(kernel.pid, signal.SIGKILL)
        kernel.wait()
    until(lambda: (folder / "exit.json").exists(), "the end")
    until(lambda: not processes_in(folder), "the end of all processes")


@pytest.mark.parametrize(
    ("source", "limits", "words"),
    [
        ("while True: pass", Limits(seconds=1), "limit of 1 seconds"),
        ("while True: print('x' * 1000)", Limits(output=200_000), "200,000 bytes"),
        (
            "import os\nwhile True: os.write(1, bytes(range(256)) * 4096)",
            Limits(output=200_000),
            "200,000 bytes",
        ),
        (
            "kept = []\nwhile True: kept.append(bytearray(10_000_000))",
            Limits(memory=400_000_000),
            "400 MB",
        ),
        (
            "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(600)",
            Limits(processes=30),
            "30 processes",
        ),
    ],
    ids=["time", "output", "binary output without a line", "memory", "processes"],
)
def test_limits(start: Callable[..., LocalRun], source: str, limits: Limits, words: str) -> None:
    run = start(source, limits=limits)
    with pytest.raises(LimitError, match=words):
        run.result(LONG)
    assert run.state == "failed"
    assert processes_in(run.folder) == []
    assert (run.folder / "output.log").stat().st_size < 300_000


def test_a_time_limit_says_how_far_it_came(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    slow = models.every_hour("import time\ntime.sleep(0.05)")
    run = start(slow, limits=Limits(seconds=8))
    with pytest.raises(LimitError, match="at simulated 2017-07"):
        run.result(LONG)


def test_the_model_inherits_no_secrets(
    start: Callable[..., LocalRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "canary-1")
    source = "import os\nprint(sorted(os.environ), os.environ.get('GIVEN'))\n"
    for is_warm in (False, True):
        run = start(source, env={"GIVEN": "canary-2"}, warm=is_warm)
        assert run.wait(LONG)
        assert "SOME_TOKEN" not in run.logs()
        assert "canary-2" in run.logs()
        written = b"".join(path.read_bytes() for path in run.folder.rglob("*.json"))
        assert b"canary" not in written


def test_the_backtest_is_marked_for_the_library(start: Callable[..., LocalRun]) -> None:
    run = start("import os, blankly\nprint(os.environ['BACKTESTING'], blankly._backtesting)\n")
    run.wait(LONG)
    assert "1 True" in run.logs()


def test_the_account_history_is_the_librarys(
    start: Callable[..., LocalRun], models: ModuleType
) -> None:
    result = start(models.RSI).result(LONG)
    positions = result.positions
    prices = models.frame().set_index("time")["close"]
    for moment, row in positions.iloc[1:-1:50].iterrows():
        price = prices[int(moment.timestamp())]
        value = result.equity.loc[moment]
        assert np.isclose(row["EUR"] * price + row["USD"], np.ravel(value)[-1])


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
def test_a_killed_guard_leaves_no_process(start: Callable[..., LocalRun], is_warm: bool) -> None:
    run = start(SPREADING, warm=is_warm)
    until(lambda: "spread" in run.logs(), "the spreading")
    until(lambda: len(processes_in(run.folder)) >= 4, "all processes")
    os.kill(json.loads((run.folder / "guard.pid").read_text())["pid"], signal.SIGKILL)
    with pytest.raises(RunError, match="killed from outside"):
        run.result(LONG)
    assert run.state == "failed"
    assert processes_in(run.folder) == []


def test_a_killed_model_is_said_to_be(start: Callable[..., LocalRun]) -> None:
    run = start(SPREADING)
    until(lambda: "spread" in run.logs(), "the spreading")
    started = next(event for event in run.events() if event["event"] == "started")
    os.kill(started["pid"], signal.SIGKILL)
    with pytest.raises(ModelFailedError, match="signal 9"):
        run.result(LONG)
    assert processes_in(run.folder) == []
