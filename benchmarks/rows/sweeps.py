"""Two hundred combinations, against a loop of ``python bot.py``; one core, two, and a cluster."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bars import SYMBOL
from benchmarks.measure import Row, as_seconds, clean_environment, median, timed, times
from benchmarks.setting import Setting, strategy_text

GRID = {"LOW": list(range(20, 40)), "HIGH": list(range(61, 71))}
SAMPLE = 10  # of the loop's programs that are really run


def sweep_rows(setting: Setting) -> list[Row]:
    combinations = [
        dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())
    ]
    count = len(combinations)
    chosen = combinations[:: count // SAMPLE]
    programs = [setting.plain("1h", **values) for values in chosen]
    loop = median([program.seconds for program in programs]) * count
    both = [_sweep(setting, workers=2) for _ in range(setting.slow_rounds)]
    one = [_sweep(setting, workers=1)[0] for _ in range(setting.slow_rounds)]
    with cluster(workers=2) as address:
        _sweep(setting, on=address)  # the workers get ready
        there = [_sweep(setting, on=address) for _ in range(setting.slow_rounds)]
    two = median([seconds for seconds, _ in both])
    far = median([seconds for seconds, _ in there])
    same = _same(both[-1][1], programs, chosen)
    equal = _same(there[-1][1], programs, chosen)
    bars = "1 year of 1h bars"
    return [
        Row("d", f"sweep of {count} combinations, {bars}, 2 cores, against a loop of "
            f"`python bot.py` ({len(chosen)} of them run, times {count // len(chosen)})",
            as_seconds(two), as_seconds(loop), times(loop, two), same),
        Row("d", "the same sweep on 2 cores against 1", as_seconds(two), as_seconds(median(one)),
            f"{median(one) / two:.2f} of 2"),
        Row("d", "the same sweep on a Dask cluster of 2 workers, against 1 core here",
            as_seconds(far), as_seconds(median(one)), f"{median(one) / far:.2f} of 2", equal),
    ]  # fmt: skip


def _sweep(setting: Setting, **options: Any) -> tuple[float, Any]:
    from deploy_magics.executor import warm
    from deploy_magics.executor.data import load_prices
    from deploy_magics.executor.sweep import sweep
    from deploy_magics.executor.sweep_points import PointStore
    from deploy_magics.model import Model

    model = Model.build("RSI", strategy_text("1h"), requirements=setting.library.requirements)
    prices = load_prices({SYMBOL: setting.csv("1h")})
    warm.prepare(setting.library)
    with tempfile.TemporaryDirectory() as place:
        return timed(
            lambda: sweep(
                model,
                GRID,
                prices=prices,
                args=setting.arguments("1h"),
                environment=setting.library,
                store=PointStore(place),
                **options,
            )
        )


def _same(result: Any, programs: list[Any], chosen: list[dict[str, Any]]) -> str:
    table = result.table.set_index(list(GRID))
    if len(table) != 200 or (table["error"] != "").any():
        return "DIFFER: not all combinations are there"
    for program, values in zip(programs, chosen, strict=True):
        row = table.loc[tuple(values.values())]
        for key, value in program.said["metrics"].items():
            if repr(float(row[key])) != repr(float(value)):
                return f"DIFFER in {key} of {values}"
    return f"equal: all metrics of the {len(chosen)} that were run by hand"


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[str]:
    """A scheduler and workers as processes of their own, on loopback."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "scheduler.json"
        base = [sys.executable, "-m"]
        where = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
        quiet = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "env": clean_environment(),
            "cwd": place,
        }
        commands = [[*base, "distributed.cli.dask_scheduler", *where, "--port", "0", "--no-show"]]
        worker = [*base, "distributed.cli.dask_worker", *where, "--nthreads", "1", "--no-nanny"]
        commands += [[*worker, "--local-directory", place]] * workers
        processes = [subprocess.Popen(command, **quiet) for command in commands]  # type: ignore[call-overload]
        try:
            while not file.exists() or not file.read_text().strip():
                time.sleep(0.05)
            yield json.loads(file.read_text())["address"]
        finally:
            for process in reversed(processes):  # the scheduler last: workers say goodbye to it
                process.terminate()
                process.wait(30)
