"""Notebooks that run with nobody there: an error of ours stops them, and says one line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.exceptions import PapermillExecutionError

LONG = 240


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DEPLOY_MAGICS_SERVER", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return tmp_path


def notebook(*cells: str) -> Any:
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    return made


@pytest.fixture
def run(home: Path) -> Callable[..., Any]:
    def execute(*cells: str, go_on: bool = False) -> Any:
        made = notebook("%load_ext deploy_magics", *cells)
        client = NotebookClient(
            made, timeout=LONG, allow_errors=go_on, resources={"metadata": {"path": str(home)}}
        )
        client.execute()
        return made

    return execute


def text_of(cell: Any) -> str:
    parts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    ]
    return "\n".join(parts)


def test_an_error_of_ours_stops_the_notebook(run: Callable[..., Any]) -> None:
    with pytest.raises(CellExecutionError) as caught:
        run("%deploy_versions", "open('reached', 'w')")
    assert caught.value.ename == "NotSignedInError"
    assert not Path("reached").exists()


def test_each_error_is_one_line_with_its_class(run: Callable[..., Any]) -> None:
    cells = {
        "%backtest --tow 1y": ("UsageError", "Did you mean --to"),
        "%backtest": ("UsageError", "Put %%backtest on the first line"),
        "%%backtest\nprint(undefined_name)": ("UnpackagableNameError", "undefined_name"),
        "%deploy_login http://127.0.0.1:1": ("InteractionError", "--token-env"),
        "%%deploy --live\nx = 1": ("InteractionError", "--yes"),
        "%deploy_logs": ("NotSignedInError", "%deploy_login"),
        "%%backtest --data A=nowhere.csv\nx = 1": ("DataError", "nowhere.csv"),
    }
    made = run(*cells, go_on=True)
    for cell, (name, said) in zip(made.cells[1:], cells.values(), strict=True):
        (error,) = [output for output in cell.outputs if output.output_type == "error"]
        assert error.ename == name, cell.source
        assert said in error.evalue
        assert len(error.traceback) == 1 and error.traceback[0].startswith(f"{name}: ")


def test_papermill_sees_the_error_too(home: Path) -> None:
    nbformat.write(notebook("%load_ext deploy_magics", "%deploy_status"), home / "in.ipynb")
    with pytest.raises(PapermillExecutionError) as caught:
        papermill.execute_notebook(
            str(home / "in.ipynb"), str(home / "out.ipynb"), cwd=str(home), progress_bar=False
        )
    assert caught.value.ename == "NotSignedInError"


def test_a_model_is_shown_in_a_notebook_and_named_after_it(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_MAGICS_NOTEBOOK", str(Path("some") / "02_mean-reversion.ipynb"))
    made = run("LOW = 30", "%%model\nprint(LOW)\n", "_.model.name")
    (shown,) = made.cells[2].outputs
    assert set(shown.data) >= {"text/plain", "text/html"}
    assert "cell [2]" in shown.data["text/html"]
    assert text_of(made.cells[3]) == "'Mean reversion'"


BOT = """%%backtest --data EUR-USD=bars.csv --initial-values USD=1000
import blankly


def price_event(price, symbol, state):
    state.interface.market_order(symbol, side="buy", size=1)


strategy = blankly.Strategy(blankly.Alpaca())
strategy.add_price_event(price_event, symbol="EUR-USD", resolution="1d")
strategy.backtest(to="1y")
"""
BUNDLE = Path(__file__).parents[2] / "deploy_magics" / "widgets" / "static" / "result.js"
RESULT = "application/vnd.deploy-magics.result+json"
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def bars(home: Path) -> Path:
    rows = [f"{1_500_000_000 + 86_400 * day},1,2,1,{1 + day % 7 / 10},5" for day in range(60)]
    path = home / "bars.csv"
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    return path


def test_a_result_is_in_the_notebook_with_its_picture_and_its_widget(
    run: Callable[..., Any], bars: Path
) -> None:
    made = run(BOT, "len(_.equity), Out[2].model", "%backtests", "%backtests 1")
    (shown,) = [output for output in made.cells[1].outputs if RESULT in output.get("data", {})]
    assert shown.output_type == "display_data"
    assert "Sharpe Ratio" in shown.data["text/plain"]
    assert "data:image/png;base64," in shown.data["text/html"]
    assert shown.data[RESULT]["result"]["metrics"]
    assert (VIEW in shown.data) is BUNDLE.exists()
    assert text_of(made.cells[2]).startswith("(6")
    assert RESULT in made.cells[4].outputs[-1].data


def test_a_result_comes_before_its_picture_is_drawn(home: Path, bars: Path) -> None:
    manager, client = start_new_kernel(cwd=str(home))
    try:
        execute(client, "%load_ext deploy_magics")
        messages = execute(client, BOT)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    results = [message for message in messages if RESULT in message["content"].get("data", {})]
    first, second = results
    assert first["msg_type"] == "display_data"
    assert set(first["content"]["data"]) == {"text/plain", RESULT}
    assert second["msg_type"] == "update_display_data"
    assert second["content"]["transient"] == first["content"]["transient"]
    assert "text/html" in second["content"]["data"]
    assert second["content"]["data"][RESULT] == first["content"]["data"][RESULT]


def execute(client: Any, cell: str) -> list[Any]:
    asked = client.execute(cell)
    messages = []
    while True:
        message = client.get_iopub_msg(timeout=LONG)
        if message["parent_header"].get("msg_id") == asked:
            messages.append(message)
            if message["content"].get("execution_state") == "idle":
                return messages


def test_the_demo_leaves_nothing_behind(home: Path) -> None:
    import subprocess
    import sys

    demo = Path(__file__).parents[2] / "notebooks" / "demo.py"
    env = {name: value for name, value in os.environ.items() if name != "DEPLOY_MAGICS_HOME"}
    done = subprocess.run(
        [sys.executable, demo], capture_output=True, text=True, timeout=LONG, env=env, cwd=home
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 are left" in done.stdout
    assert "RSI Model v1" in done.stdout and "sharpe" in done.stdout
