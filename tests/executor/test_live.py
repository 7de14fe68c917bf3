"""Live runs on paper: the backtest with the clock on, found again, stopped, resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from waiting import LONG, until

from deploy_magics.executor.environment import Environment
from deploy_magics.executor.live import LiveRun, start_live
from deploy_magics.executor.local import Limits, run_backtest

VALUES = {"initial_values": {"USD": 10_000}}
AT_ONCE = {"kind": "replay", "pace": 0}


@pytest.fixture
def start(
    models: ModuleType, blankly_environment: Environment, tmp_path: Path
) -> Iterator[Callable[..., LiveRun]]:
    runs: list[LiveRun] = []

    def begin(source: str, **options: Any) -> LiveRun:
        run = start_live(
            models.model(source),
            prices=options.pop("prices", models.hourly()),
            args=options.pop("args", VALUES),
            environment=blankly_environment,
            folder=options.pop("folder", tmp_path / f"live{len(runs)}"),
            **{"feed": AT_ONCE, **options},
        )
        runs.append(run)
        return run

    yield begin
    for run in runs:
        run.stop(LONG)
        assert run.exit is not None


def guard_of(run: LiveRun) -> int:
    return int(json.loads((run.folder / "guard.pid").read_text())["pid"])


def the_same(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in order.items() if name not in ("id", "at", "strategy")}
        for order in orders
    ]


LIMITS = """
import blankly

def price_event(price, symbol, state):
    state.variables.n += 1
    n = state.variables.n
    if n % 7 == 1:
        size = blankly.trunc(state.interface.cash * 0.2 / price, 4)
        state.interface.limit_order(symbol, "buy", blankly.trunc(price * 0.995, 5), size)
    elif n % 7 == 4:
        held = blankly.trunc(state.interface.account[state.base_asset].available * 0.5, 4)
        if held > 0:
            state.interface.stop_loss_order(symbol, blankly.trunc(price * 0.99, 5), held)
    elif n % 7 == 6 and state.interface.get_open_orders():
        first = state.interface.get_open_orders()[0]
        state.interface.cancel_order(symbol, first["id"])

def init(symbol, state):
    state.variables.n = 0

strategy = blankly.Strategy(blankly.KeylessExchange(maker_fee=0.001, taker_fee=0.002))
strategy.add_price_event(price_event, "EUR-USD", "1h", init=init)
"""


@pytest.mark.parametrize("pace", [0, 2000])
def test_paper_places_the_orders_of_the_backtest(
    start: Callable[..., LiveRun],
    models: ModuleType,
    blankly_environment: Environment,
    pace: float,
) -> None:
    for source in (models.RSI + "strategy.start()\n", LIMITS):
        backtest = run_backtest(
            models.model(source),
            prices=models.hourly(),
            args=VALUES,
            environment=blankly_environment,
        )
        run = start(source, feed={"kind": "replay", "pace": pace})
        assert run.wait(LONG)
        assert run.state == "succeeded"
        assert len(run.orders) > 5
        assert the_same(run.orders) == the_same(backtest.order_list)
        assert run.account is not None
        assert run.account["value"] == backtest.final_value
        assert run.progress is not None
        assert run.progress["done"] == run.progress["total"]


FUTURES = """
import blankly
from blankly.enums import Side

def price_event(price, symbol, state):
    state.variables.n += 1
    position = state.interface.get_position(symbol)
    if state.variables.n % 9 == 3 and not position:
        state.interface.market_order(symbol, Side.BUY, 1)
    elif state.variables.n % 9 == 7 and position:
        state.interface.market_order(symbol, Side.SELL, position["size"], reduce_only=True)

def init(symbol, state):
    state.variables.n = 0

strategy = blankly.FuturesStrategy(blankly.BinanceFutures())
strategy.add_price_event(price_event, "BTC-USDT", "1h", init=init)
strategy.start()
"""


def test_futures_on_paper_place_the_orders_of_the_backtest_and_go_on_where_they_were(
    start: Callable[..., LiveRun],
    models: ModuleType,
    blankly_environment: Environment,
    tmp_path: Path,
) -> None:
    given: dict[str, Any] = {
        "prices": models.hourly("BTC-USDT"),
        "args": {"initial_values": {"USDT": 10_000}},
    }
    backtest = run_backtest(models.model(FUTURES), environment=blankly_environment, **given)
    folder = tmp_path / "futures"
    first = start(FUTURES, folder=folder, feed={"kind": "replay", "pace": 20}, **given)
    until(lambda: len(first.orders) > 2, "some orders")
    os.kill(guard_of(first), signal.SIGKILL)
    until(lambda: first.state == "failed", "the end")
    run = start(FUTURES, folder=folder, **given)
    assert run.wait(LONG)
    assert run.state == "succeeded"
    assert len(run.orders) > 10
    assert the_same(run.orders) == the_same(backtest.order_list)
    assert run.account is not None
    assert run.account["value"] == backtest.final_value


def test_the_plain_engine_replays_too(start: Callable[..., LiveRun], models: ModuleType) -> None:
    fast, plain = start(LIMITS), start(LIMITS, engine="plain")
    assert fast.wait(LONG) and plain.wait(LONG)
    assert the_same(fast.orders) == the_same(plain.orders)


def test_what_it_does_is_seen_while_it_runs(
    start: Callable[..., LiveRun], models: ModuleType
) -> None:
    run = start("print('hello ✓')\n" + models.RSI, feed={"kind": "replay", "pace": 20})
    until(lambda: run.orders, "an order")
    assert run.state == "running" and run.exit is None
    until(lambda: run.account, "the account")
    text, offset = run.logs()
    assert "hello ✓" in text
    assert run.logs(offset)[0] == ""
    events, after = run.events()
    assert events[0]["event"] == "started"
    until(lambda: run.events(after)[0], "more events")
    assert "running" in repr(run)


def test_a_run_outlives_who_started_it_and_is_found_again(
    models: ModuleType, blankly_environment: Environment, tmp_path: Path
) -> None:
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import local_models as models
from deploy_magics.executor.environment import ensure_environment
from deploy_magics.executor.live import start_live
start_live(
    models.model(models.RSI), prices=models.hourly(), feed={{"kind": "replay", "pace": 20}},
    environment=ensure_environment(None, ("blankly==1.18.25b0", "numpy<2")),
    folder={str(tmp_path / "live")!r}, args={VALUES!r},
)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=LONG)
    run = LiveRun.attach(tmp_path / "live")
    try:
        until(lambda: run.progress, "progress")
        assert run.state == "running"
    finally:
        run.stop(LONG)
    assert run.state == "cancelled"
    assert run.exit is not None and run.exit["reason"] == "cancelled"
    assert LiveRun.attach(tmp_path / "live").state == "cancelled"


def test_stopping_tears_the_strategy_down(start: Callable[..., LiveRun]) -> None:
    source = """
import blankly

def price_event(price, symbol, state):
    pass

def teardown(symbol, state):
    print("torn down", flush=True)

strategy = blankly.Strategy(blankly.KeylessExchange())
strategy.add_price_event(price_event, "EUR-USD", "1h", teardown=teardown)
strategy.start()
"""
    run = start(source, feed={"kind": "replay", "pace": "real"})
    until(lambda: run.account, "the account")
    run.stop(LONG)
    assert run.state == "cancelled"
    assert "torn down" in run.logs()[0]


def test_a_model_that_will_not_stop_is_ended(
    models: ModuleType, blankly_environment: Environment, tmp_path: Path
) -> None:
    from deploy_magics.executor.process import start_guarded

    script = tmp_path / "stubborn.py"
    script.write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\nwhile True: time.sleep(1)\n"
    )
    guarded = start_guarded(
        tmp_path / "run",
        [sys.executable, str(script)],
        kind="live",
        follow_parent=False,
        grace=0.3,
    )
    log = tmp_path / "run" / "output.log"
    until(lambda: log.exists() and b"ready" in log.read_bytes(), "the start")
    guarded.cancel()
    ended = guarded.wait(LONG)
    assert ended is not None and ended["reason"] == "cancelled" and ended["signal"] == 9


def test_a_killed_run_goes_on_where_it_was(
    start: Callable[..., LiveRun], models: ModuleType, tmp_path: Path
) -> None:
    whole = start(LIMITS)
    assert whole.wait(LONG)
    folder = tmp_path / "killed"
    first = start(LIMITS, folder=folder, feed={"kind": "replay", "pace": 20})
    until(lambda: (first.progress or {}).get("done", 0) > 40, "some bars")
    os.kill(guard_of(first), signal.SIGKILL)
    until(lambda: first.state == "failed", "the end")
    assert first.exit is not None and first.exit["reason"] == "killed"
    second = start(LIMITS, folder=folder)
    assert second.wait(LONG)
    assert second.state == "succeeded"
    assert [e for e in second.events()[0] if e["event"] == "resumed"]
    assert the_same(second.orders) == the_same(whole.orders)
    assert second.account == {**(whole.account or {}), "at": second.account["at"]}


def test_nothing_stays_when_the_guard_is_killed(
    start: Callable[..., LiveRun], models: ModuleType
) -> None:
    run = start(models.RSI, feed={"kind": "replay", "pace": 1})
    until(lambda: run.progress, "progress")
    guard = psutil.Process(guard_of(run))
    (runner,) = guard.children()
    guard.kill()
    until(lambda: not runner.is_running() or runner.status() == "zombie", "the model's end")


def test_a_recycled_process_id_is_not_taken_for_the_guard(
    start: Callable[..., LiveRun], tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    record = {"pid": os.getpid(), "start_time": 1, "boot_id": None}
    (folder / "guard.pid").write_text(json.dumps(record))
    run = LiveRun.attach(folder)
    assert run.state == "failed"
    run.stop()  # and nobody was hurt
    assert psutil.Process().is_running()


def test_a_failing_model_says_why(start: Callable[..., LiveRun]) -> None:
    run = start("import blankly\nraise RuntimeError('no reason')\n")
    assert run.wait(LONG)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error["message"] == "RuntimeError: no reason"
    assert run.error["line"] == 2


def test_a_script_that_backtests_trades_when_it_is_deployed(
    start: Callable[..., LiveRun], models: ModuleType
) -> None:
    script = models.RSI + (
        "result = strategy.backtest(to='1y', initial_values={'USD': 5})\n"
        "print(result.get_metrics()['cagr'], f'{result:>5}')\n"
    )
    run = start(script)
    assert run.wait(LONG)
    assert run.state == "succeeded"
    assert len(run.orders) > 5
    assert "left out" in run.logs()[0]


def test_two_strategies_trade_side_by_side(
    start: Callable[..., LiveRun], models: ModuleType
) -> None:
    second = (
        "\nother = blankly.Strategy(exchange)\n"
        "other.add_price_event(price_event, 'EUR-USD', '1h', init=init)\n"
    )
    run = start(models.RSI + second, feed={"kind": "replay", "pace": 3000})
    assert run.wait(LONG)
    assert run.state == "succeeded"
    by_strategy: dict[int, list[dict[str, Any]]] = {0: [], 1: []}
    for order in run.orders:
        by_strategy[order["strategy"]].append(order)
    assert len(by_strategy[0]) > 5
    assert the_same(by_strategy[0]) == the_same(by_strategy[1])


def test_a_talkative_run_keeps_its_latest_words(start: Callable[..., LiveRun]) -> None:
    source = "for number in range(40_000):\n    print('line', number)\nimport blankly\n"
    run = start(source + "raise SystemExit(3)\n", limits=Limits(output=200_000))
    assert run.wait(LONG)
    kept = sum(path.stat().st_size for path in run.folder.glob("output.log*"))
    assert kept <= 300_000
    text, offset = run.logs()
    while True:
        more, offset = run.logs(offset)
        if not more:
            break
        text += more
    assert "line 39999" in text
    assert "line 10\n" not in text
