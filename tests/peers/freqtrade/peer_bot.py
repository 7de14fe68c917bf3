"""Real freqtrade bots, old and new, that trade on a Market and nowhere else.

Nothing of a bot is changed: its configuration sends every address of the exchange to the Market.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peer_market import QUOTE, SECONDS, Market, candle

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache" / "peers"
USER, PASSWORD = "freqtrader", "an-offline-password"
PAIRS = [f"{coin}/{QUOTE}" for coin in ("BTC", "ETH", "SOL")]
DEADLINE = 120.0

# every family of addresses that ccxt knows for this exchange, of both ages
_ADDRESSES = """v1 v3 wapi sapi sapiV2 sapiV3 sapiV4 fapiPublic fapiPublicV2 fapiPublicV3 fapiData
    fapiPrivate fapiPrivateV2 fapiPrivateV3 dapiPublic dapiPrivate dapiPrivateV2 dapiData
    eapiPublic eapiPrivate papi papiV2"""

STRATEGY_2026 = """
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Quiet(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    minimal_roi = {"0": 100.0}
    stoploss = -0.99
    startup_candle_count = 20
    plot_config = {"main_plot": {}, "subplots": {"RSI": {"rsi": {"color": "red"}}}}

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe


class Busy(Quiet):
    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 45, ["enter_long", "enter_tag"]] = (1, "low")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 55, "exit_long"] = 1
        return dataframe
"""
STRATEGY_2020 = """
from freqtrade.strategy.interface import IStrategy


class Quiet(IStrategy):
    INTERFACE_VERSION = 2
    timeframe = "1h"
    minimal_roi = {"0": 100.0}
    stoploss = -0.99
    startup_candle_count = 20

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_buy_trend(self, dataframe, metadata):
        dataframe["buy"] = 0
        return dataframe

    def populate_sell_trend(self, dataframe, metadata):
        dataframe["sell"] = 0
        return dataframe
"""


def interpreter(name: str) -> str:
    """The Python of an environment with the packages of ``<name>.txt``, made once and kept."""
    wanted = HERE / f"{name}.txt"
    key = hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"{name}-{key}"
    python = folder / "bin" / "python"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        if not (folder / "ready").exists():
            uv = [sys.executable, "-m", "uv"]
            _run([*uv, "venv", "-q", "--clear", "--python", "3.11", str(folder)])
            install = [*uv, "pip", "install", "-q", "--no-deps", "--python", str(python)]
            _run([*install, "-r", str(wanted)])
            (folder / "ready").touch()
    return str(python)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(check: Callable[[], Any], what: str, deadline: float = DEADLINE) -> Any:
    """The first true answer of ``check``."""
    end = time.monotonic() + deadline
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline:.0f} s")
        time.sleep(0.1)


def _base(market: Market, port: int) -> dict[str, Any]:
    api = dict.fromkeys(("public", "private", "v3"), f"{market.url}/api/v3")
    urls = {name: f"{market.url}/{name}" for name in _ADDRESSES.split()} | api
    return {
        "dry_run": True,
        "dry_run_wallet": 10000,
        "stake_currency": QUOTE,
        "stake_amount": 500,
        "max_open_trades": 3,
        "timeframe": "1h",
        "strategy": "Quiet",
        "initial_state": "running",
        "internals": {"process_throttle_secs": 1},
        "exchange": {
            "name": "binance",
            "key": "",
            "secret": "",
            "pair_whitelist": PAIRS,
            "pair_blacklist": [f"XRP/{QUOTE}"],
            "ccxt_config": {"enableRateLimit": False, "urls": {"api": urls}},
        },
        "pairlists": [{"method": "StaticPairList"}],
        "telegram": {"enabled": False, "token": "x", "chat_id": "1"},
        "api_server": {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": port,
            "verbosity": "info",
            "jwt_secret_key": "0123456789abcdef0123456789abcdef",
            "CORS_origins": [],
            "username": USER,
            "password": PASSWORD,
        },
    }


def config_2026(market: Market, port: int, name: str) -> dict[str, Any]:
    config = _base(market, port)
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    config |= {
        "bot_name": name,
        "trading_mode": "spot",
        "margin_mode": "",
        "force_entry_enable": True,
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"},
        "order_types": {
            "entry": "market",
            "exit": "market",
            "stoploss": "market",
            "stoploss_on_exchange": False,
        },
        "dataformat_ohlcv": "json",
    }
    config["exchange"]["enable_ws"] = False
    return config


def config_2020(market: Market, port: int, name: str) -> dict[str, Any]:
    config = _base(market, port)
    config |= {
        "forcebuy_enable": True,
        "bid_strategy": {
            "price_side": "ask",
            "use_order_book": True,
            "order_book_top": 1,
            "ask_last_balance": 0.0,
        },
        "ask_strategy": {"price_side": "bid", "use_order_book": False},
        "unfilledtimeout": {"buy": 10, "sell": 10},
        "order_types": {
            "buy": "market",
            "sell": "market",
            "stoploss": "market",
            "stoploss_on_exchange": False,
        },
    }
    config["exchange"]["ccxt_async_config"] = {"enableRateLimit": False}
    return config


class Bot:
    """One bot's process and its folder; a context manager that ends it.

    Args:
        age: ``2026`` or ``2020``.
        mode: ``trade``, or ``webserver`` (2026 only) with 60 days of stored candles.
    """

    def __init__(
        self, folder: Path, *, age: int = 2026, mode: str = "trade", name: str = "offline"
    ) -> None:
        self.folder = folder
        self.age = age
        self.mode = mode
        self.user, self.password = USER, PASSWORD
        self.market = Market()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._began = 0
        userdir = folder / "user_data"
        places = "strategies data/binance backtest_results logs notebooks hyperopts"
        for place in [*places.split(), "hyperopt_results", "plot", "freqaimodels"]:
            (userdir / place).mkdir(parents=True, exist_ok=True)
        strategy = STRATEGY_2026 if age == 2026 else STRATEGY_2020
        (userdir / "strategies" / "quiet.py").write_text(strategy)
        make = config_2026 if age == 2026 else config_2020
        self.config = make(self.market, self.port, name)
        if mode == "webserver":
            _store_candles(userdir / "data" / "binance")
        self.write_config()

    def write_config(self) -> None:
        (self.folder / "config.json").write_text(json.dumps(self.config, indent=1))

    def __enter__(self) -> Bot:
        self.market.__enter__()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.market.__exit__()

    def start(self) -> None:
        """Start the process and wait until its API answers and it trades."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        config = ["--config", str(self.folder / "config.json")]
        command = [interpreter(f"bot_{self.age}"), "-m", "freqtrade", self.mode, *config]
        command += ["--userdir", str(self.folder / "user_data")]
        if self.mode == "trade":
            command += ["--db-url", f"sqlite:///{self.folder}/trades.sqlite"]
        with (self.folder / "bot.log").open("ab") as log:
            self._began = log.tell()  # what an earlier process wrote says nothing of this one
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        until(self._ready, "the bot answers")

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"The bot ended:\n{self.log()[-3000:]}")
        with contextlib.suppress(OSError, ValueError):
            with urllib.request.urlopen(f"{self.url}/api/v1/ping", timeout=5) as answer:
                if json.load(answer) != {"status": "pong"}:
                    return False
            return self.mode != "trade" or "RUNNING" in self.log(self._began)
        return False

    def stop(self, kill: bool = False) -> None:
        """End the process: SIGTERM, or SIGKILL as a crash would."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self, since: int = 0) -> str:
        return (self.folder / "bot.log").read_bytes()[since:].decode(errors="replace")


def _store_candles(folder: Path, days: int = 60) -> None:
    """Candles in freqtrade's JSON format, for backtests without an exchange."""
    step = SECONDS["1h"]
    end = int(time.time() // 86400) * 86400
    for pair in PAIRS:
        rows = [candle(pair.split("/")[0], at, step) for at in range(end - days * 86400, end, step)]
        (folder / f"{pair.replace('/', '_')}-1h.json").write_text(json.dumps(rows))
