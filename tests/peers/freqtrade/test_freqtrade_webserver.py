"""A backtest on a real freqtrade 2026.9 in webserver mode, as our result."""

import _thread
import datetime as dt
import sys
import threading
import time

import pytest

from deploy_magics.actions.bot import client
from deploy_magics.errors import (
    ConflictError,
    ModelFailedError,
    PlatformError,
    RunCancelledError,
    UsageError,
)

SLOW = """
import time

from quiet import Busy


class Slow(Busy):
    def bot_loop_start(self, current_time, **kwargs):
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def webserver(peer, tmp_path_factory):
    with peer.Bot(tmp_path_factory.mktemp("webserver"), mode="webserver") as running:
        yield running


@pytest.fixture
def run(shell, webserver):
    shell.run_cell(f"%bot connect {webserver.url} --token-env BOT_PASSWORD --as lab")
    return lambda line: shell.run_cell(f"%bot {line}")


def test_a_backtest_with_its_result(run):
    begin = (dt.date.today() - dt.timedelta(days=40)).strftime("%Y%m%d")
    result = run(f"backtest Busy {begin}- --wallet 5000 --stake 500 --max-open-trades 3")
    assert result.quote_asset == "USDT"
    assert result.equity.iloc[0] == 5000
    assert len(result.trades) > 3
    assert set(result.trades["symbol"]) <= {"BTC-USDT", "ETH-USDT", "SOL-USDT"}
    assert result.equity.iloc[-1] == pytest.approx(5000 + result.trades["profit"].sum(), rel=1e-3)
    assert result.metrics["return_pct"] == pytest.approx(result.metrics["cum_returns"], abs=0.01)
    assert result.metrics["trades"] == len(result.trades)
    assert "Busy" in repr(result)
    assert result.plot().png[:4] == b"\x89PNG"


def test_what_a_webserver_knows(run):
    assert run("strategies") == ["Busy", "Quiet"]
    assert run("pairs") == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    begin = (dt.date.today() - dt.timedelta(days=9)).strftime("%Y%m%d")
    end = (dt.date.today() - dt.timedelta(days=5)).strftime("%Y%m%d")
    history = run(f"history BTC/USDT Busy --timeframe 1h --timerange {begin}-{end}")
    assert {"close", "rsi", "enter_long"} <= set(history)
    with pytest.raises(ConflictError, match="freqtrade trade"):
        run("status")


def test_what_it_refuses(run):
    with pytest.raises(UsageError, match="time range"):
        run("backtest Busy lately")
    with pytest.raises((ModelFailedError, PlatformError)):
        run("backtest NoSuchStrategy 20260101-")


def interrupt_when(due):
    """Ctrl-C, once it is due, for whatever the main thread does then."""

    def watch():
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if due():
                _thread.interrupt_main()
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def waits_in(function):
    frame = sys._current_frames()[threading.main_thread().ident]
    names = set()
    while frame is not None:
        names.add(frame.f_code.co_name)
        frame = frame.f_back
    return function in names


def test_an_interrupt_stops_it_on_the_bot_too(run, webserver):
    slow = webserver.folder / "user_data" / "strategies" / "slow.py"
    slow.write_text(SLOW)
    begin = (dt.date.today() - dt.timedelta(days=40)).strftime("%Y%m%d")
    bot = client()

    def due():
        return waits_in("_wait") and bot.backtest_status()["step"] == "backtest"

    interrupter = interrupt_when(due)
    with pytest.raises(RunCancelledError, match="was stopped"):
        run(f"backtest Slow {begin}-")
    interrupter.join(60)
    slow.unlink()
    assert not bot.backtest_status()["running"]
    result = run(f"backtest Busy {begin}- --wallet 5000 --stake 500 --max-open-trades 3")
    assert len(result.trades) > 3
