"""The same strategy on the libraries that a user would pick instead."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.bars import SYMBOL, first_traded
from benchmarks.measure import Row, as_seconds, clean_environment, median, run_program, times
from benchmarks.rows.road import notebook_times
from benchmarks.setting import CACHE, PROGRAMS, Setting, strategy_text

PEERS = ("backtesting", "backtrader", "vectorbt")
WARM = {"1h": 4, "1m": 2}  # runs in one process, the first of which is not counted


def side_by_side(setting: Setting) -> Iterator[Row]:
    for resolution in ("1h", "1m"):
        slow = resolution == "1m"
        rounds = setting.slow_rounds if slow else setting.rounds
        warm, result = notebook_times(setting, resolution, rounds)
        whole = median([_our_process(setting, resolution) for _ in range(rounds)])
        ours = (whole, median([shown for shown, _ in warm]))
        final, trades = result.final_value, len(result.orders) // 2
        for peer in PEERS:
            yield from _peer_rows(setting, peer, resolution, rounds, ours, final, trades)
        yield _freqtrade_row(setting, resolution, rounds, ours, trades)


def _peer_rows(
    setting: Setting,
    peer: str,
    resolution: str,
    rounds: int,
    ours: tuple[float, float],
    final: float,
    trades: int,
) -> list[Row]:
    python = setting.peer(peer).python
    script = PROGRAMS / f"with_{peer}.py"

    def run(repeat: int) -> Any:
        options = {"csv": str(setting.csv(resolution)), "repeat": repeat}
        return run_program([python, script, json.dumps(options)], PROGRAMS)

    whole = median([run(1).seconds for _ in range(rounds)])
    said = run(WARM[resolution]).said
    same = f"final value {said['final']:,.2f} against our {final:,.2f}, "
    same += f"trades {said['trades']} against {trades}"
    what = f"1 year of {resolution} bars, {peer}"
    warm = median(said["warm"])
    return [
        Row("c", f"{what}, whole process", as_seconds(ours[0]), as_seconds(whole),
            times(whole, ours[0]), same),
        Row("c", f"{what}, warm", as_seconds(ours[1]), as_seconds(warm), times(warm, ours[1])),
    ]  # fmt: skip


def _our_process(setting: Setting, resolution: str) -> float:
    """A plain script with ``deploy_magics.backtest``, from nothing to the printed result."""
    args = setting.arguments(resolution)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "strategy.py").write_text(strategy_text(resolution))
        (folder / "script.py").write_text(
            "import json, deploy_magics\n"
            f"result = deploy_magics.backtest('strategy.py', fresh=True,\n"
            f"    data={{{SYMBOL!r}: {str(setting.csv(resolution))!r}}},\n"
            f"    start_date={args['start_date']}, end_date={args['end_date']},\n"
            "    initial_values={'USD': 10000})\n"
            "print(json.dumps({'final': result.final_value}))\n"
        )
        home = {"DEPLOY_MAGICS_HOME": str(folder / "home")}
        return run_program([sys.executable, "script.py"], folder, home).seconds


def _freqtrade_row(
    setting: Setting, resolution: str, rounds: int, ours: tuple[float, float], trades: int
) -> Row:
    python = setting.peer("freqtrade").python
    folder = CACHE / f"freqtrade-{resolution}"
    _lay_freqtrade(setting, folder, resolution)
    seconds = []
    with _markets(python) as port:
        (folder / "config.json").write_text(json.dumps(_config(port, resolution)))
        command = [
            str(python.parent / "freqtrade"), "backtesting", "--config", "config.json",
            "--userdir", "user_data", "--strategy", "BenchmarkRsi", "--cache", "none",
            "--timerange", f"{first_traded(resolution)}-",
        ]  # fmt: skip
        for _ in range(rounds):
            began = time.perf_counter()
            done = subprocess.run(
                command, cwd=folder, env=clean_environment(), capture_output=True, text=True
            )
            seconds.append(time.perf_counter() - began)
            if done.returncode:
                sys.stderr.write(done.stdout[-2000:] + done.stderr[-3000:])
                raise SystemExit("freqtrade failed")
    found = _freqtrade_trades(folder)
    return Row(
        "c",
        f"1 year of {resolution} bars, `freqtrade backtesting`, whole process",
        as_seconds(ours[0]),
        as_seconds(median(seconds)),
        times(median(seconds), ours[0]),
        f"trades {found} against {trades} (it fills at the next bar's open)",
    )


def _lay_freqtrade(setting: Setting, folder: Path, resolution: str) -> None:
    data = folder / "user_data" / "data" / "binance"
    for name in ("strategies", "data/binance", "backtest_results", "logs"):
        (folder / "user_data" / name).mkdir(parents=True, exist_ok=True)
    text = (PROGRAMS / "freqtrade_strategy.py").read_text()
    place = folder / "user_data" / "strategies" / "benchmark.py"
    place.write_text(text.replace('timeframe = "1h"', f'timeframe = "{resolution}"'))
    bars = pd.read_csv(setting.csv(resolution))
    bars.insert(0, "date", pd.to_datetime(bars.pop("time"), unit="s", utc=True))
    bars.to_feather(data / f"BTC_USDT-{resolution}.feather")


def _config(port: int, resolution: str) -> dict[str, Any]:
    base = f"http://127.0.0.1:{port}"
    names = "public private v1 sapi sapiV2 sapiV3 sapiV4 fapiPublic fapiPublicV2 fapiPublicV3"
    names += " fapiPrivate fapiPrivateV2 fapiPrivateV3 fapiData dapiPublic dapiPrivate"
    names += " dapiPrivateV2 dapiData eapiPublic eapiPrivate papi papiV2"
    urls = {name: f"{base}/{name}" for name in names.split()}
    urls |= {"public": f"{base}/api/v3", "private": f"{base}/api/v3"}
    exchange = {
        "name": "binance", "key": "", "secret": "", "pair_whitelist": ["BTC/USDT"],
        "pair_blacklist": [], "enable_ws": False,
        "ccxt_config": {"enableRateLimit": False, "urls": {"api": urls}},
    }  # fmt: skip
    return {
        "dry_run": True, "dry_run_wallet": 10000, "trading_mode": "spot", "margin_mode": "",
        "stake_currency": "USDT", "stake_amount": 1000, "max_open_trades": 1,
        "timeframe": resolution, "strategy": "BenchmarkRsi", "fee": 0.0,
        "dataformat_ohlcv": "feather", "exchange": exchange,
        "entry_pricing": {"price_side": "same", "use_order_book": False},
        "exit_pricing": {"price_side": "same", "use_order_book": False},
        "pairlists": [{"method": "StaticPairList"}],
    }  # fmt: skip


@contextmanager
def _markets(python: Path) -> Iterator[int]:
    """The list of markets that freqtrade asks for, from a process on this machine."""
    command = [str(python), str(PROGRAMS / "freqtrade_exchange.py")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)


def _freqtrade_trades(folder: Path) -> int:
    results = folder / "user_data" / "backtest_results"
    newest = json.loads((results / ".last_result.json").read_text())["latest_backtest"]
    with zipfile.ZipFile(results / newest) as archive:
        name = newest.replace(".zip", ".json")
        record = json.loads(archive.read(name))
    return int(record["strategy"]["BenchmarkRsi"]["total_trades"])
