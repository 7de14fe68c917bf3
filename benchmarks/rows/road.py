"""From an edited cell to its result, against ``python bot.py`` with the plain library."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Program, Row, as_seconds, median, times
from benchmarks.setting import Notebook, Setting, backtest_line, strategy_text

# what a measured model says when it ends: seconds in its callback, and its peak of memory
MEASURED = """
import atexit as _atexit, resource as _resource, time as _time
_spent = [0.0]
_plain_event = price_event
def price_event(price, symbol, state):
    began = _time.perf_counter()
    try:
        return _plain_event(price, symbol, state)
    finally:
        _spent[0] += _time.perf_counter() - began
def _say():
    peak = _resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss * 1024
    print("measured", _spent[0], peak)
_atexit.register(_say)
"""


def hours(setting: Setting) -> list[Row]:
    return _edit_to_result(setting, "a", "1h", setting.rounds, setting.rounds)


def minutes(setting: Setting) -> list[Row]:
    return _edit_to_result(setting, "b", "1m", setting.rounds, setting.slow_rounds)


def _edit_to_result(
    setting: Setting, key: str, resolution: str, rounds: int, plain_rounds: int
) -> list[Row]:
    plain = [setting.plain(resolution) for _ in range(plain_rounds)]
    ours, result = notebook_times(setting, resolution, rounds)
    shown, free = (median(list(seconds)) for seconds in zip(*ours, strict=True))
    theirs = median([program.seconds for program in plain])
    bars = len(result.equity)
    return [
        Row(key, f"edit to result, 1 year of {resolution} bars ({bars:,} rows), `%%backtest` warm "
            "against `python bot.py`", as_seconds(shown), as_seconds(theirs), times(theirs, shown),
            agreement(result, plain[-1])),
        Row(key, "the same, to the moment when the next cell can run (the widget and the picture "
            "for the saved notebook are made)", as_seconds(free), as_seconds(theirs),
            times(theirs, free)),
    ]  # fmt: skip


def notebook_times(
    setting: Setting, resolution: str, rounds: int
) -> tuple[list[tuple[float, float]], Any]:
    """Seconds from Shift-Enter to the result and to the next cell, and the last result.

    Each round the cell is another one: nothing answers from the store.
    """
    _ = setting.library
    with tempfile.TemporaryDirectory() as home, Notebook(Path(home)) as notebook:
        line = backtest_line(setting, resolution)
        seconds = []
        for number in range(rounds + 1):  # the first one starts the warm process
            text = strategy_text(resolution).replace("= False", f"= {number} < 0", 1)
            seconds.append(notebook.run(line + text))
            time.sleep(1)  # as one who looks at it would
        return seconds[1:], notebook.result()


def callback_share(setting: Setting) -> list[Row]:
    rows = []
    for resolution in ("1h", "1m"):
        share, _ = _measured(setting, resolution)
        what = f"share of the run (1 year of {resolution} bars) spent in the user's own callback"
        rows.append(Row("e", what, f"{100 * share:.0f} %"))
    return rows


def memory(setting: Setting) -> list[Row]:
    _, peak = _measured(setting, "1m")
    plain = setting.last.get("1m") or setting.plain("1m")
    return [
        Row(
            "h",
            "memory of the model's process, 1 year of 1m bars (peak, resident)",
            f"{peak / 2**20:,.0f} MiB",
            f"{plain.memory / 2**20:,.0f} MiB",
            f"{peak / plain.memory:.2f} of it",
        )
    ]


def _measured(setting: Setting, resolution: str) -> tuple[float, int]:
    """(share of the callback in the run, peak of memory in bytes)."""
    from benchmarks.bars import SYMBOL
    from deploy_magics.executor.data import load_prices
    from deploy_magics.executor.local import run_backtest
    from deploy_magics.model import Model

    text = strategy_text(resolution).replace("\ndef build(", f"{MEASURED}\n\ndef build(")
    model = Model.build("Measured", text, requirements=setting.library.requirements)
    prices = load_prices({SYMBOL: setting.csv(resolution)})
    shares, peaks = [], []
    for _ in range(setting.slow_rounds):
        result = run_backtest(
            model,
            prices=prices,
            args=setting.arguments(resolution),
            environment=setting.library,
        )
        said = re.search(r"measured (\S+) (\d+)", result.logs)
        assert said, result.logs
        shares.append(float(said.group(1)) / result.timings["run"])
        peaks.append(int(said.group(2)))
    return median(shares), int(median(peaks))


def agreement(result: Any, plain: Program) -> str:
    """Whether metrics, final value and number of trades are the plain library's own."""
    said = plain.said
    wrong = [
        key
        for key, value in said["metrics"].items()
        if repr(float(result.metrics[key])) != repr(float(value))
    ]
    if repr(result.final_value) != repr(said["final"]):
        wrong.append("final value")
    if len(result.orders) // 2 != said["trades"]:
        wrong.append("trades")
    if wrong:
        return f"DIFFER in {', '.join(wrong)}"
    return f"equal: {len(said['metrics'])} metrics, final value, {said['trades']} trades"
