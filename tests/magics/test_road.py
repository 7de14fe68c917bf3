"""The road on real parts: the library, its environment, a server, its worker and database."""

import _thread
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy_magics.actions import embedded, session, workspace
from deploy_magics.errors import DeployMagicsError, ModelFailedError, RunCancelledError
from deploy_magics.executor.environment import ensure_environment

LONG = 120.0  # seconds that anything here may take on a busy machine

STRATEGY = """
import json

import blankly
from blankly.data.data_reader import PriceReader

LOW, HIGH = 30, 70


def init(symbol, state):
    state.variables["closes"] = state.interface.history(
        symbol, to=150, resolution=state.resolution, return_as="deque"
    )["close"]
    state.variables["owns"] = False


def price_event(price, symbol, state):
    closes = state.variables["closes"]
    closes.append(price)
    rsi = blankly.indicators.rsi(closes, period=14)[-1]
    if rsi < LOW and not state.variables["owns"]:
        size = blankly.trunc(state.interface.cash / price, 2)
        state.interface.market_order(symbol, side="buy", size=size)
        state.variables["owns"] = True
    elif rsi > HIGH and state.variables["owns"]:
        size = blankly.trunc(state.interface.account[state.base_asset].available, 2)
        state.interface.market_order(symbol, side="sell", size=size)
        state.variables["owns"] = False


exchange = blankly.KeylessExchange(price_reader=PriceReader("EUR-USD_1h.csv", "EUR-USD"))
strategy = blankly.Strategy(exchange)
strategy.add_price_event(price_event, symbol="EUR-USD", resolution="1h", init=init)

if __name__ == "__main__":
    if blankly.is_deployed:
        strategy.start()
    else:
        result = strategy.backtest(
            start_date="2017-05-01", end_date="2018-01-01", initial_values={"USD": 10000}
        )
        if result is not None:
            print(json.dumps({name: each["value"] for name, each in result.metrics.items()}))
"""
SPAN = "--start-date 2017-05-01 --end-date 2018-01-01 --initial-values USD=10000"
GIVEN = f"--data EUR-USD=EUR-USD_1h.csv --include EUR-USD_1h.csv {SPAN}"


def until(true: Callable[[], Any]) -> Any:
    """What ``true`` answers once it is true."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def interrupted(shell: Any, cell: str, marker: Path, waiting: str) -> RunCancelledError:
    """Run a cell, interrupt it once its model runs and we wait for it, return what it raised.

    Args:
        waiting: the function that waits; an interrupt before it is another case.
    """
    main = threading.get_ident()

    def due() -> bool:
        frame = sys._current_frames()[main]
        names = set()
        while frame is not None:
            names.add(frame.f_code.co_name)
            frame = frame.f_back  # type: ignore[assignment]
        return marker.exists() and waiting in names

    thread = threading.Thread(target=lambda: (until(due), _thread.interrupt_main()))
    thread.start()
    try:
        with pytest.raises(RunCancelledError) as caught:
            shell.run_cell(cell)
    finally:
        thread.join()
    return caught.value


def test_the_same_figures_here_on_the_platform_and_by_the_plain_library(
    road: Any, tmp_path: Path
) -> None:
    here = road.run_cell(f"%%backtest --name Figures {GIVEN}\n{STRATEGY}")
    there = road.run_cell("%backtest --on platform")
    assert here.where == "local" and there.where == "platform"
    assert here.metrics == there.metrics and here.history.equals(there.history)
    assert len(here.orders) == len(there.orders) > 10

    model = workspace.current().last.model  # type: ignore[union-attr]
    model.to_folder(tmp_path)
    python = ensure_environment(model.manifest.python_version, model.requirements).python
    plain = subprocess.run(
        [python, "bot.py"], cwd=tmp_path, capture_output=True, text=True, timeout=LONG, check=True
    )
    figures = json.loads(plain.stdout.strip().splitlines()[-1].rsplit("\r")[-1])
    assert len(figures) > 8
    assert {name: here.metrics[name] for name in figures} == figures

    assert road.run_cell("%backtest").from_cache
    assert not road.run_cell("%backtest --to 2M").from_cache
    listed = road.run_cell("%backtests --name Figures")
    assert len(listed) == 3 and listed[0].args["to"] == "2M"
    assert "Sharpe" in repr(road.run_cell("%backtests 1 2"))


def test_a_version_runs_on_paper_and_is_steered(road: Any) -> None:
    backtest = road.run_cell(f"%%backtest --name Steered {GIVEN}\n{STRATEGY}")
    first = road.run_cell('%deploy --message "First try" --plan nano --pace 0')
    assert (first.name, first.version, first.project) == ("Steered", 1, "Personal")
    assert "paper" in repr(first) and "paper" in first._repr_html_()
    until(lambda: first.refresh().run.ended)
    assert first.state == "succeeded"
    paper, tested = first.orders(), backtest.orders
    for column in ("time", "symbol", "side", "type", "size", "price", "status", "fee"):
        assert list(paper[column]) == list(tested[column])

    second = road.run_cell(
        '%%deploy --name Steered --message "Again" --pace 1 --include EUR-USD_1h.csv\n' + STRATEGY
    )
    assert second.version == 2
    until(lambda: second.refresh().state == "running")
    shown = road.run_cell("%deploy_versions Steered")
    assert [each.number for each in shown] == [2, 1] and shown[0].description == "Again"
    assert "First try" in repr(shown) and "<table>" in shown._repr_html_()
    assert road.run_cell("%deploy_status steered").state == "running"
    assert road.run_cell("%deploy_stop").state == "cancelled"
    assert "had ended already" in repr(road.run_cell("%deploy_stop"))
    assert road.run_cell("%deploy_start").state == "running"
    third = road.run_cell("%deploy_rollback --to v1")
    assert third.version == 3 and "equals v1" in repr(third)
    assert "Nothing differs" in repr(road.run_cell("%model --diff 1 --name Steered"))
    assert second.run_id in repr(road.run_cell("%deploy_status --all"))
    assert third.stop().state in ("cancelled", "succeeded")
    assert "succeeded" in repr(road.run_cell(f"%deploy_logs --run {first.run_id}")) or first.logs()


FAILING = """
import blankly

def price_event(price, symbol, state):
    pass

strategy = blankly.Strategy(blankly.Alpaca())
raise RuntimeError("no luck today")
"""


@pytest.mark.parametrize("place", ["", "--on platform"])
def test_a_model_that_fails_shows_its_own_traceback(road: Any, place: str) -> None:
    cell = f"%%backtest --name Failing --data EUR-USD=EUR-USD_1h.csv {place}\n{FAILING}"
    count = road.execution_count
    with pytest.raises(ModelFailedError) as caught:
        road.run_cell(cell)
    shown = "\n".join(caught.value._render_traceback_())
    assert ("no luck today" in shown and "Failing" in shown) or "RuntimeError" in shown
    if not place:
        assert f"cell [{count}], line" in shown
    assert "deploy_magics/" not in shown


def endless(marker: Path) -> str:
    return f"""
import os, time
import blankly
from pathlib import Path
print("here we go", flush=True)
Path({str(marker)!r}).write_text(str(os.getpid()))
while True:
    time.sleep(0.1)
"""


def test_an_interrupt_ends_a_run_and_all_that_it_started(
    road: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = tmp_path / "pid"
    error = interrupted(road, f"%%backtest --name Endless\n{endless(marker)}", marker, "_follow")
    assert "stopped" in str(error)
    pid = int(marker.read_text())
    until(lambda: not psutil.pid_exists(pid))
    assert "here we go" in capsys.readouterr().out


def test_an_interrupt_ends_a_run_on_the_platform(road: Any, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    cell = f"%%backtest --name Far --on platform\n{endless(marker)}"
    error = interrupted(road, cell, marker, "watched")
    assert "was stopped on the platform" in str(error)
    pid = int(marker.read_text())
    until(lambda: not psutil.pid_exists(pid))
    runs = workspace.current().client.runs(kind="backtest", limit=5)
    assert any(run.id in str(error) for run in runs)
    until(lambda: workspace.current().client.run(runs[0].id).state == "cancelled")


def test_runs_in_the_background(
    road: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = tmp_path / "pid"
    handle = road.run_cell(f"%%backtest --background --name Behind\n{endless(marker)}")
    until(marker.exists)
    assert handle.status == "running" and "running" in repr(handle)
    until(lambda: "here we go" in handle.logs())
    with pytest.raises(TimeoutError):
        handle.result(timeout=0.01)
    handle.cancel()
    assert handle.status == "cancelled"
    with pytest.raises(RunCancelledError):
        handle.result()
    done = road.run_cell(f"%%backtest --background --name Figures2 {GIVEN} --fresh\n{STRATEGY}")
    assert done.result(LONG).metrics["trades"] > 10
    assert done.status == "succeeded" and done.result() is done.result()
    heard: list[str] = []

    def is_told_after_a_cell() -> bool:
        road.run_cell("1")
        heard.append(capsys.readouterr().out)
        return f"{done!r}\n" in "".join(heard)

    until(is_told_after_a_cell)
    for over in (handle, done):
        assert not over._run.folder.exists()
    assert "here we go" in handle.logs() and handle.status == "cancelled"


def test_the_second_login_finds_the_first_server(road: Any) -> None:
    before = embedded.running()
    assert before is not None
    shown = road.run_cell("%deploy_login")
    after = embedded.running()
    assert after == before and before.url in repr(shown)
    assert before.token not in repr(shown) + repr(before) + shown._repr_html_()
    state = Path(before.data_dir).parent / "embedded.json"
    assert state.stat().st_mode & 0o077 == 0


def test_projects(road: Any) -> None:
    made = road.run_cell('%deploy_projects --create "RSI Models" --description "Bots"')
    again = road.run_cell('%deploy_projects --create "RSI Models"')
    assert "is created" in repr(made) and "is there already" in repr(again)
    assert [each.name for each in again].count("RSI Models") == 1
    assert made["RSI Models"].description == "Bots"
    assert "→" in repr(again)
    workspace.current().project_id = ""


LOOKED_AT = (
    "%deploy_login",
    "%deploy_projects",
    "%deploy_versions",
    "%deploy_status --all",
    "%deploy_logs --run nothing",
    "%%model --name Bot --zip model.zip --save out\nx = 1\n",
    "%deploy_rollback",
    "%xmode Verbose",
    "%deploy_stop --run nothing",
    "undefined_name",
)


def test_a_token_is_in_no_output_no_history_and_no_file_but_its_own(
    road: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _, token = session.address()
    shown = ""
    for cell in LOOKED_AT:
        try:
            made = road.run_cell(cell)
            shown += repr(made) + getattr(made, "_repr_html_", str)()
        except (DeployMagicsError, NameError) as error:
            shown += str(error) + "".join(getattr(error, "_render_traceback_", list)())
    captured = capsys.readouterr()
    assert token not in shown + captured.out + captured.err
    assert token not in "\n".join(road.history_manager.input_hist_raw)
    assert token not in repr(session.client()) + repr(vars(session.client()._auth).keys())
    found = embedded.running()
    assert found is not None
    home = Path(found.data_dir).parent
    holding = [
        path.name
        for path in [*home.rglob("*"), *Path().rglob("*")]
        if path.is_file() and token.encode() in path.read_bytes()
    ]
    assert holding == ["embedded.json"]
