"""The small parts of the runtime, in this interpreter."""

from __future__ import annotations

import ast
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy_magics.executor.stream import EventReader, read_log
from deploy_magics.runtime import account_state, ccxt_prices, engine_history, live_keys
from deploy_magics.runtime.engine_account import isolate_specific
from deploy_magics.runtime.engine_orders import OrderBook, triggers
from deploy_magics.runtime.events import Events, plain
from deploy_magics.runtime.failures import Failures
from deploy_magics.runtime.files import read_json, write_atomic, write_json
from deploy_magics.runtime.live import LATER_SECONDS, Quiet, StopFlag, pace_of, pause
from deploy_magics.runtime.log import CappedLog
from deploy_magics.runtime.prices import MissingPrices, Prices, PriceTable
from deploy_magics.runtime.tracebacks import Explained, Failure, Origins

RUNTIME = Path(__file__).parent.parent.parent / "deploy_magics" / "runtime"
SOURCES = sorted(RUNTIME.glob("*.py"))
OURS = {path.stem for path in SOURCES}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_module_is_python_3_7_and_stands_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 7))
    for node in tree.body:  # what a function imports may be the model's environment's
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [str(node.module).split(".")[0]]
        for name in names:
            assert name in sys.stdlib_module_names, name


def test_values_become_plain_json() -> None:
    value = {
        "nan": float("nan"),
        "inf": np.float64("inf"),
        "number": np.float64(1.5),
        "whole": np.int64(3),
        "yes": np.bool_(True),
        1: (None, {2}, Path("x")),
    }
    assert plain(value) == {
        "nan": None,
        "inf": None,
        "number": 1.5,
        "whole": 3,
        "yes": True,
        "1": [None, [2], "x"],
    }
    json.dumps(plain(value), allow_nan=False)


def test_events_are_lines_and_progress_is_seldom(tmp_path: Path) -> None:
    events = Events(str(tmp_path / "events.jsonl"))
    for number in range(1000):
        events.progress(number, 1000, 1.0, 2.0)
    events.progress(1000, 1000, 1.0, 2.0, force=True)
    reader = EventReader(tmp_path)
    told = list(reader.read())
    assert told[0]["done"] == 0 and told[-1]["done"] == 1000
    assert len(told) < 500
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "half')
    assert list(reader.read()) == []
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('"}\nno json\n[1]\n')
    assert [event["event"] for event in reader.read()] == ["half"]


def test_a_full_disk_does_not_end_the_telling() -> None:
    events = Events("/dev/full")
    events.emit("phase", name="running")


def test_files_are_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_json(str(path), "nothing") == "nothing"
    write_json(str(path), {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(str(path), {"a": float("nan")})
    with pytest.raises(TypeError):
        write_atomic(str(path), 3)
    assert read_json(str(path)) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_capped_log_ends(tmp_path: Path) -> None:
    log = CappedLog(str(tmp_path), 2000, rotate=False)
    for _ in range(100):
        log.write(b"x" * 100)
    assert log.full
    log.close()
    data = (tmp_path / "output.log").read_bytes()
    assert data.startswith(b"x" * 2000)
    assert b"2000 bytes" in data and len(data) < 2200


def test_a_rotating_log_keeps_its_offsets(tmp_path: Path) -> None:
    log = CappedLog(str(tmp_path), 2000, rotate=True)
    written = b""
    for number in range(300):
        line = b"line %04d\n" % number
        log.write(line)
        written += line
    log.close()
    offset = len(written) - 500
    text, after = "", offset
    while True:
        more, after = read_log(tmp_path, after)
        if not more:
            break
        text += more
    assert text == written[offset:].decode()
    assert after == len(written)
    oldest, _ = read_log(tmp_path, 0)
    assert oldest.startswith("line") and oldest != written[:100].decode()
    kept = sum(path.stat().st_size for path in tmp_path.glob("output.log*"))
    assert kept <= 2100
    again = CappedLog(str(tmp_path), 2000, rotate=True)  # after a restart
    again.write(b"more\n")
    again.close()
    assert read_log(tmp_path, after)[0] == "more\n"


def test_a_part_of_a_log_ends_at_a_whole_character(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_bytes("añ€😀".encode())
    for most in range(1, 11):
        text, offset = "", 0
        while True:
            more, offset = read_log(tmp_path, offset, most)
            if not more:
                break
            text += more
        if most >= 4:
            assert text == "añ€😀"


def table(step: int = 60, bars: int = 30, start: int = 6000, symbol: str = "A-USD") -> PriceTable:
    time = start + step * np.arange(bars)
    close = 10.0 + np.arange(bars)
    columns = {
        "time": time,
        "open": close - 0.5,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": np.ones(bars),
    }
    return PriceTable(symbol, step, columns)


def test_prices_are_seen_up_to_now() -> None:
    prices = Prices([table()])
    assert len(prices.between("A-USD", 0, 1e9, 60)) == 30
    prices.clock.follow(lambda: 6600.0)
    seen = prices.between("A-USD", 0, 1e9, 60)
    assert seen["time"].max() == 6540  # opened at 6540, complete at 6600
    assert prices.price("A-USD") == 20.0
    assert prices.assets == ["A", "USD"] and prices.quotes == ["USD"]


def test_each_thread_has_its_own_now() -> None:
    import threading

    prices = Prices([table()])
    prices.clock.follow(lambda: 6100.0)
    seen = []

    def other() -> None:
        prices.clock.follow(lambda: 7000.0)
        seen.append(prices.clock.now)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [7000.0]
    assert prices.clock.now == 6100.0


def test_coarser_bars() -> None:
    prices = Prices([table(start=6000)])
    frame = prices.between("A-USD", 0, 1e9, 300)
    assert frame["time"].tolist() == [6000, 6300, 6600, 6900, 7200, 7500]
    first = frame.iloc[0]
    assert (first["open"], first["high"], first["low"], first["close"], first["volume"]) == (
        9.5,
        15.0,
        9.0,
        14.0,
        5.0,
    )
    with pytest.raises(MissingPrices, match="every 90 seconds"):
        prices.between("A-USD", 0, 1e9, 90)
    with pytest.raises(MissingPrices, match="only A-USD"):
        prices.between("B-USD", 0, 1e9, 60)


def test_positions_in_a_table() -> None:
    import pandas as pd

    bars = engine_history.BarTable(pd.DataFrame(table().columns))
    assert bars.span(6060, 6180) == (1, 4)
    assert bars.span(9e9, 9e9) == (30, 30)
    assert [bars.last_until(stop, -1) for stop in (5999, 6000, 6059, 6060, 6120, 9e9)] == [
        -1,
        0,
        0,
        1,
        2,
        29,
    ]
    assert bars.row(0)["time"] == 6000.0 and isinstance(bars.row(0)["time"], float)
    assert engine_history.window(7200.5, 3600) is None
    assert engine_history.window(7300.0, 3600) == (3600.0, 7200.0)


def order(number: str, **changes: Any) -> dict[str, Any]:
    base = {"id": number, "status": "pending", "type": "limit", "side": "buy", "price": 10.0}
    return {**base, **changes}


def test_the_book_knows_its_open_orders() -> None:
    done, first, second = order("1", status="done"), order("2"), order("3")
    book = OrderBook([done, first, second])
    assert list(book.pending) == ["2", "3"]
    assert book.by_id["1"] is done
    book.forget(first)
    assert list(book) == [done, second]
    assert list(book.pending) == ["3"] and "2" not in book.by_id


@pytest.mark.parametrize(
    ("changes", "price", "fills"),
    [
        ({}, 9.9, True),
        ({}, 10.0, False),
        ({"side": "sell"}, 10.1, True),
        ({"side": "sell"}, 10.0, False),
        ({"side": "sell", "type": "stop_loss"}, 10.0, True),
        ({"side": "sell", "type": "stop_loss"}, 10.1, False),
        ({"side": "buy", "type": "stop_loss"}, 9.9, True),
        ({"type": "market"}, 1.0, False),
    ],
)
def test_when_an_order_fills(changes: dict[str, Any], price: float, fills: bool) -> None:
    assert triggers(order("1", **changes), price) is fills


def test_specific_keys_are_set_apart() -> None:
    needed = [["a", float], ["b", str]]
    given = {"a": "1.5", "b": None, "c": 3, "exchange_specific": {"d": 4, "a": 9}}
    assert isolate_specific(needed, given) == {
        "b": None,
        "exchange_specific": {"d": 4, "a": 9, "c": 3},
    }


def test_tracebacks_speak_of_cells(tmp_path: Path) -> None:
    path = tmp_path / "bot.py"
    path.write_text("def f():\n    return 1 / 0\n\nf()\n")
    origins = Origins(str(tmp_path), {"bot.py": [["cell 2", 5], ["cell 2", 6], None, ["here", 1]]})
    try:
        exec(compile(path.read_text(), str(path), "exec"), {})
    except ZeroDivisionError as error:
        failure = Failure(error, origins)
    assert (failure.cell, failure.line) == ("cell 2", 6)
    assert failure.text.splitlines() == [
        "Traceback (most recent call last):",
        "  here, line 1, in <module>",
        "    f()",
        "  cell 2, line 6, in f",
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]
    assert Failure(Explained("just so"), origins).text == "just so\n"


def test_causes_are_told_first(tmp_path: Path) -> None:
    origins = Origins(str(tmp_path), {})
    try:
        try:
            raise KeyError("a")
        except KeyError as cause:
            raise ValueError("b") from cause
    except ValueError as error:
        text = Failure(error, origins).text
    assert text.index("KeyError: 'a'") < text.index("ValueError: b")


def test_callbacks_are_counted_by_place(tmp_path: Path, capsys: Any) -> None:
    failures = Failures(Events(str(tmp_path / "events.jsonl")), Origins(str(tmp_path), {}))
    failures.clock = lambda: 86400.0
    for number in range(6):
        try:
            if number % 2:
                raise KeyError("odd")
            raise ValueError("even")
        except (KeyError, ValueError):
            failures.callback()
    assert [entry["count"] for entry in failures.callbacks] == [3, 3]
    assert "1970-01-02 00:00:00 UTC" in capsys.readouterr().err
    assert len(list(EventReader(tmp_path).read())) == 2


def test_the_pace_of_a_replay() -> None:
    assert pace_of({"pace": "real"}) is None
    assert pace_of({"pace": 10}) == 10.0
    assert pace_of({}) == 0.0


def test_a_flag_that_a_handler_may_set() -> None:
    flag = StopFlag()
    assert not flag.wait(0.0) and not flag.is_set()
    flag.set()
    assert flag.wait(60.0) and flag.is_set()


def test_an_old_run_tells_its_account_less_often() -> None:
    now = time.monotonic()
    assert pause(now, 1.0) == 1.0
    assert pause(now - 86_400, 1.0) == LATER_SECONDS
    assert pause(now - 86_400, 60.0) == 60.0


def test_quiet_gives_the_streams_back() -> None:
    before = sys.stdout
    quiet = Quiet()
    quiet.enter()
    quiet.enter()
    print("not seen")
    quiet.leave()
    assert sys.stdout is not before
    quiet.leave()
    assert sys.stdout is before


def test_keys_out_of_variables() -> None:
    assert live_keys.from_variables({}) == {}
    assert live_keys.from_variables({"KEYS_JSON": '{"okx": {}}'}) == {"okx": {}}
    assert live_keys.from_variables({"ALPACA_API_KEY": "a", "ALPACA_SANDBOX": "true"}) == {
        "alpaca": {"variables": {"API_KEY": "a", "sandbox": True}}
    }
    with pytest.raises(Explained, match="KEYS_JSON"):
        live_keys.from_variables({"KEYS_JSON": "no"})


def test_keys_that_are_not_there_are_named() -> None:
    given = live_keys.from_variables({"OKX_API_KEY": "canary", "OKX_API_SECRET": "s"})
    needed = ["API_KEY", "API_SECRET", "API_PASS", "sandbox"]
    live_keys.refuse_without(given, "any name", "okx", needed[:2])
    with pytest.raises(Explained, match="set OKX_API_PASS as secret") as caught:
        live_keys.refuse_without(given, None, "okx", needed)
    assert "canary" not in str(caught.value)
    with pytest.raises(Explained, match="ALPACA_API_KEY and ALPACA_API_SECRET"):
        live_keys.refuse_without(given, None, "alpaca", ["API_KEY", "API_SECRET"])


def test_an_exchanges_addresses_are_moved() -> None:
    urls = {"public": "https://api.x.com/v1/{y}", "more": {"deep": "https://b.x.com"}}
    assert ccxt_prices.moved(urls, "http://127.0.0.1:1/") == {
        "public": "http://127.0.0.1:1/v1/{y}",
        "more": {"deep": "http://127.0.0.1:1"},
    }


def test_a_paper_account_is_taken_up_again(tmp_path: Path) -> None:
    def account(**balances: dict[str, float]) -> Any:
        return types.SimpleNamespace(
            local_account=types.SimpleNamespace(local_account=balances), paper_trade_orders=[]
        )

    path = str(tmp_path / "state.json")
    interface = account(USD={"available": 5.0, "hold": 2.0})
    interface.paper_trade_orders.extend([order("1"), order("2", status="done")])
    state = account_state.AccountState(path)
    assert state.time is None
    state.save(0, 100.0, interface)
    later = account_state.AccountState(path)
    assert later.time == 100.0
    fresh = account(USD={"available": 0.0, "hold": 0.0})
    later.restore(0, fresh)
    assert fresh.local_account.local_account["USD"] == {"available": 5.0, "hold": 2.0}
    assert [entry["id"] for entry in fresh.paper_trade_orders] == ["1"]
