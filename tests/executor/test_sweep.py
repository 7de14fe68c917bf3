from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy_magics.errors import ModelFailedError, RunCancelledError, UsageError
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import Limits, run_backtest
from deploy_magics.executor.result import BacktestResult
from deploy_magics.executor.sweep import SweepResult, sweep
from deploy_magics.executor.sweep_grid import constants_of
from deploy_magics.executor.sweep_points import PointStore
from deploy_magics.model import Model

Runner = Callable[..., SweepResult]


@pytest.fixture
def store(tmp_path: Path) -> PointStore:
    return PointStore(tmp_path / "points")


class Fake:
    """Runs a model by reading its constants: sharpe is LOW - HIGH / 100."""

    def __init__(self, make_result: Callable[..., BacktestResult]) -> None:
        self.seen: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.result = make_result()
        self.lock = threading.Lock()

    def __call__(self, model: Model, args: Mapping[str, Any]) -> BacktestResult:
        from dataclasses import replace

        values: dict[str, Any] = {}
        exec(model.read("bot.py").decode().split("\n\n")[1].split("if ")[0], values)
        with self.lock:
            self.seen.append((values, dict(args)))
        if values["LOW"] == 13:
            raise ModelFailedError("The model raised ValueError: 13.")
        sharpe = values["LOW"] - values["HIGH"] / 100 + args.get("start_date", 0) / 1e12
        metrics = {**self.result.metrics, "sharpe": sharpe, "max_drawdown": float(values["LOW"])}
        return replace(self.result, metrics=metrics)


@pytest.fixture
def fake(make_result: Callable[..., BacktestResult]) -> Fake:
    return Fake(make_result)


@pytest.fixture
def run(
    fake: Fake, rsi_model: Model, rsi_prices: PriceSet, store: PointStore, cache: Path
) -> Runner:
    environment = Environment(Path("python"), "e", "3.11", ())

    def run(grid: Mapping[str, Any], **options: Any) -> SweepResult:
        options = {"args": {}, "prices": rsi_prices, "store": store, "on": fake, **options}
        return sweep(rsi_model, grid, environment=environment, **options)

    return run


def test_a_tidy_table(run: Runner) -> None:
    progress: list[tuple[int, int, str]] = []
    result = run(
        {"LOW": [3, 2, 1], "HIGH": [60, 50]}, on_progress=lambda *said: progress.append(said)
    )
    table = result.table
    assert list(table.columns[:2]) == ["LOW", "HIGH"]
    assert list(table.columns[-3:]) == ["callback_errors", "error", "seconds"]
    assert table["LOW"].tolist() == [3, 3, 2, 2, 1, 1]
    assert result.ranked()["sharpe"].tolist() == sorted(table["sharpe"], reverse=True)
    best = result.best()
    assert best.parameters == {"LOW": 3, "HIGH": 50}
    assert b"LOW, HIGH = 3, 50" in best.model.read("bot.py")
    assert result.best("max_drawdown").parameters["LOW"] == 1
    assert progress[0] == (0, 6, "")
    assert progress[-1] == (6, 6, "best sharpe 2.50 (LOW=3, HIGH=50)")


def test_one_that_fails_fails_alone(run: Runner) -> None:
    result = run({"LOW": [1, 13, 2]})
    assert len(result) == 3
    assert result.errors["LOW"].tolist() == [13]
    assert result.errors["error"].tolist() == ["The model raised ValueError: 13."]
    assert result.best().parameters == {"LOW": 2}
    assert "1 failed: see .errors" in repr(result)


def test_all_that_fail_are_an_error(run: Runner) -> None:
    with pytest.raises(ModelFailedError, match="13"):
        run({"LOW": [13]})


def test_it_goes_on_from_what_is_kept(run: Runner, fake: Fake) -> None:
    run({"LOW": [1, 13, 2]})
    fake.seen.clear()
    result = run({"LOW": [1, 13, 2, 3]})
    assert sorted(values["LOW"] for values, _ in fake.seen) == [3, 13]
    assert "2 from the store" in repr(result)
    fake.seen.clear()
    run({"LOW": [1, 2]}, fresh=True)
    run({"LOW": [1, 2]}, engine="plain")
    assert len(fake.seen) == 4


def test_an_interrupt_keeps_what_is_done(run: Runner) -> None:
    def interrupt(done: int, total: int, note: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(RunCancelledError, match="Interrupted after 3 of 40 runs") as caught:
        run({"LOW": range(40)}, on_progress=interrupt)
    partial = caught.value.partial  # type: ignore[attr-defined]
    assert len(partial) == 3
    assert partial.interrupted
    assert "goes on from here" in repr(partial)
    again = run({"LOW": range(40)})
    assert len(again) == 40
    assert sum(outcome.from_store for _, outcome in again.points) >= 3


def test_over_arguments_and_settings(run: Runner, fake: Fake) -> None:
    result = run({"to": ["1d", "2d"], "taker_fee": [0, 0.1]}, args={"start_date": 5})
    assert len(result) == 4
    seen = [args for _, args in fake.seen]
    assert {args["to"] for args in seen} == {"1d", "2d"}
    assert {args["settings"]["taker_fee"] for args in seen} == {0, 0.1}
    assert all("start_date" not in args for args in seen)


def test_walk_forward(run: Runner) -> None:
    result = run({"LOW": [1, 2, 3]}, folds=2)
    assert len(result) == 8
    table = result.table
    assert table["part"].value_counts().to_dict() == {"chosen on": 6, "tried on": 2}
    walk = result.walk_forward
    assert walk["LOW"].tolist() == [3, 3]
    assert (walk["until"] > walk["from"]).all()
    assert walk["sharpe chosen on"].notna().all()
    assert len(result.ranked()) == 3
    assert result.best().parameters == {"LOW": 3}
    assert "Walk forward" in repr(result)


def test_without_a_parameter(run: Runner) -> None:
    result = run({})
    assert len(result) == 1
    assert "1 runs" in repr(result)
    with pytest.raises(UsageError, match="nothing to draw"):
        result.plot()
    assert len(run({}, folds=2).walk_forward) == 2


def test_mistakes(run: Runner) -> None:
    with pytest.raises(UsageError, match="neither"):
        run({"NOPE": [1]})
    with pytest.raises(UsageError, match="tcp"):
        run({"LOW": [1]}, on=5)
    with pytest.raises(UsageError, match="Did you mean sharpe"):
        run({"LOW": [1]}).best("sharp")


@pytest.mark.parametrize(
    "grid",
    [
        {"LOW": [1, 2, 3]},
        {"LOW": [1, 2], "HIGH": [5, 6, 7]},
        {"LOW": [1, 2], "HIGH": [5, 6], "SIZE": ["a", "b"]},
        {"LOW": [4]},
        {"LOW": [1, 13], "SIZE": ["a", None]},
    ],
)
def test_pictures(run: Runner, grid: dict[str, Any]) -> None:
    result = run(grid)
    assert result.plot().png[:4] == b"\x89PNG"
    assert result.parallel().png
    assert "data:image/png" in result._repr_html_()
    if len(grid) > 1:
        assert result.heat_map("LOW", list(grid)[1], "cagr").png


@pytest.fixture
def real(
    rsi_model: Model,
    rsi_prices: PriceSet,
    rsi_args: dict[str, Any],
    blankly_environment: Environment,
    store: PointStore,
) -> Runner:
    def run(grid: Mapping[str, Any], **options: Any) -> SweepResult:
        options = {"args": rsi_args, "prices": rsi_prices, "store": store, **options}
        return sweep(rsi_model, grid, environment=blankly_environment, **options)

    return run


def test_on_this_machine(
    real: Runner,
    rsi_model: Model,
    rsi_prices: PriceSet,
    rsi_args: dict[str, Any],
    blankly_environment: Environment,
) -> None:
    """The real library: the same figures as one run of its own, and a combination that raises."""
    result = real({"LOW": [30, 40], "SIZE": [100.0, 0.0, -1.0]})
    assert len(result) == 6
    table = result.table
    assert (table["callback_errors"] > 0).tolist() == [False, True, False] * 2
    assert "2 with callbacks that raised" in repr(result)
    assert result.errors["SIZE"].tolist() == [-1.0, -1.0]
    assert "a size below zero" in result.errors["error"].iloc[0]
    assert result.table["trades"].iloc[0] > 3
    assert "LOW" in constants_of(rsi_model)
    text = rsi_model.read("bot.py").replace(b"LOW, HIGH = 35", b"LOW, HIGH = 40")
    single = run_backtest(
        Model.build("RSI", text.decode(), requirements=rsi_model.requirements),
        prices=rsi_prices,
        args=rsi_args,
        environment=blankly_environment,
    )
    row = next(o for p, o in result.points if p.parameters == {"LOW": 40, "SIZE": 100.0})
    assert repr(row.metrics) == repr(single.metrics)
    whole = result.best().run()
    assert whole.metrics["sharpe"] == result.best().metrics["sharpe"]


def test_an_interrupt_ends_the_real_runs(real: Runner) -> None:
    def interrupt(done: int, total: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(RunCancelledError) as caught:
        real({"LOW": range(1, 60)}, on_progress=interrupt)
    assert len(caught.value.partial) == 2  # type: ignore[attr-defined]
    deadline = time.monotonic() + 120
    while left := [p for p in psutil.Process().children(recursive=True) if _runs(p)]:
        assert time.monotonic() < deadline, f"{left} went on"
        time.sleep(0.05)


def test_a_batch_that_is_killed_loses_nothing(real: Runner) -> None:
    killed: list[int] = []

    def kill(done: int, total: int, note: str) -> None:
        if done == 1 and not killed:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "zygote" in process.cmdline() and process.ppid() != os.getpid():
                        process.kill()
                        killed.append(process.pid)

    result = real({"LOW": range(20, 40)}, on_progress=kill)
    assert sorted(result.table["LOW"]) == list(range(20, 40))
    assert result.errors.empty


def test_a_model_that_ends_its_process_fails_alone(
    rsi_model: Model,
    rsi_prices: PriceSet,
    rsi_args: dict[str, Any],
    blankly_environment: Environment,
    store: PointStore,
) -> None:
    text = "import os\nCODE = 0\nif CODE:\n    os._exit(CODE)\n" + rsi_model.read("bot.py").decode()
    result = sweep(
        Model.build("Ends", text, requirements=rsi_model.requirements),
        {"CODE": [0, 3]},
        prices=rsi_prices,
        args=rsi_args,
        environment=blankly_environment,
        store=store,
    )
    assert result.errors["CODE"].tolist() == [3]
    assert "exit code 3" in result.errors["error"].iloc[0]


def test_with_limits_each_run_has_a_guard(real: Runner) -> None:
    result = real({"LOW": [30]}, limits=Limits(seconds=600.0))
    assert result.errors.empty
    assert result.table["trades"].iloc[0] > 3


def _runs(process: psutil.Process) -> bool:
    """Whether it works in a sweep's folder; the warm process and its spare may stay."""
    try:
        ends = Path("/proc", str(process.pid), "fd").iterdir()
        return any("-sweep-" in str(end.readlink()) for end in ends)
    except OSError:  # gone, or a zombie that nobody has asked after yet
        return False
