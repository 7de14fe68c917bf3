"""Without a kernel: a plain script, a terminal, the kernel's own Python."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deploy_magics.errors import DeployMagicsError
from deploy_magics.model import Model

LONG = 240
DATA = Path(__file__).parents[2] / "notebooks" / "data" / "EUR-USD_1h.csv"
BOT = """
import blankly


def price_event(price, symbol, state):
    print("saw", price) if not state.variables.get("seen") else None
    state.variables["seen"] = True
    state.interface.market_order(symbol, side="buy", size=1)


strategy = blankly.Strategy(blankly.Alpaca())
strategy.add_price_event(price_event, symbol="EUR-USD", resolution="1d")

if __name__ == "__main__":
    strategy.backtest(to="1y", initial_values={"USD": 1000})
"""


@pytest.fixture
def models(home: Path) -> Path:
    """A model as a program, a folder and a zip."""
    (home / "bot.py").write_text(BOT)
    model = Model.build("Bot", BOT, folder=home)
    model.to_folder(home / "bot")
    model.to_zip(home / "bot.zip")
    return home


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    env["IPYTHONDIR"] = str(folder / ".ipython")
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONG,
        env=env,
        stdin=subprocess.DEVNULL,
    )


def test_a_plain_script_backtests_a_program_a_folder_and_a_zip(models: Path) -> None:
    script = f"""
import deploy_magics
data = {{"EUR-USD": {str(DATA)!r}}}
results = [
    deploy_magics.backtest(path, data=data, to="2M", fresh=True)
    for path in ("bot.py", "bot", "bot.zip")
]
assert len({{repr(result.metrics) for result in results}}) == 1
assert len(results[0].orders) > 20
again = deploy_magics.backtest("bot.zip", data=data, to="2M")
assert again.from_cache
print(results[0])
"""
    done = run(models, "-c", script)
    assert done.returncode == 0, done.stderr
    assert "EUR-USD" in done.stdout and "Sharpe" in done.stdout
    assert "saw 1." in done.stdout  # what the model prints is seen
    assert done.stderr == ""


def test_terminal_ipython_shows_text_and_ends_with_an_error(models: Path) -> None:
    done = run(
        models,
        "-m",
        "IPython",
        "--no-banner",
        "--colors=NoColor",
        "-c",
        "%load_ext deploy_magics\n%backtest bot --to 1M --tow 2\n",
    )
    said = done.stdout + done.stderr
    assert "UsageError: There is no option --tow. Did you mean --to" in said
    assert "Traceback" not in said


def test_the_kernels_own_python_where_it_lacks_the_library(models: Path, shell: Any) -> None:
    with pytest.raises(DeployMagicsError) as caught:
        shell.run_cell(f"%backtest bot --env kernel --data EUR-USD={DATA}")
    shown = "\n".join(caught.value._render_traceback_())
    assert "holds no blankly" in shown and "%pip install" in shown


def test_what_is_said_of_prices_is_said_of_those_that_were_given_now(
    models: Path, shell: Any
) -> None:
    prices = pd.read_csv(DATA).head(400)
    shell.user_ns["tidy"], shell.user_ns["mixed"] = prices, prices.iloc[::-1]
    first = shell.run_cell("%backtest bot --to 1M --data EUR-USD=tidy")
    second = shell.run_cell("%backtest bot --to 1M --data EUR-USD=mixed")
    third = shell.run_cell("%backtest bot --to 1M --data EUR-USD=tidy")
    assert second.from_cache and third.from_cache
    assert not any("sorted" in note for note in first.notes + third.notes)
    assert any("sorted" in note for note in second.notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--data EUR-USD={data} --start-date 2019-06-01", "prices go from 2017-04-19"),
        ("--to 1M", "no prices. Give them with --data"),
        ("--data EUR-USD={data} --python 2.7", "--python cannot be '2.7'"),
    ],
)
def test_what_cannot_be_is_said_as_the_user_would(
    models: Path, shell: Any, options: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeployMagicsError, match=said):
        shell.run_cell(f"%backtest bot.py {options.format(data=DATA)}")
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count(said) == 1


def test_the_cell_runs_in_the_kernel_too_when_asked(models: Path, shell: Any) -> None:
    source = "seen = 1\nraise ValueError('stop here')"
    with pytest.raises(ValueError, match="stop here"):
        shell.run_cell(f"%%backtest --run\n{source}")
    assert shell.user_ns["seen"] == 1
