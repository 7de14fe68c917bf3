"""What every row works with: folders, environments, the strategy as a cell, a notebook's shell."""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.bars import SYMBOL, after_last, first_traded, write_bars
from benchmarks.measure import Program, run_program

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
CACHE = HERE.parent / ".cache" / "benchmarks"
LIBRARY = ("blankly==1.18.25b0", "numpy<2")
PEER_PYTHON = "3.11"
BESIDE = {"backtrader": ("pandas",)}  # what its users read their prices with
CUT = "# ---- below"
RESULT = "application/vnd.deploy-magics.result+json"  # what JupyterLab draws a backtest from
PATIENCE = 600  # seconds that a cell may be silent


@dataclass
class Setting:
    """``rounds`` of each measurement; ``slow_rounds`` of those that take minutes."""

    rounds: int = 5
    versions: dict[str, str] = field(default_factory=dict)
    last: dict[str, Program] = field(default_factory=dict)  # of the plain library, by resolution

    @property
    def slow_rounds(self) -> int:
        return min(self.rounds, 3)

    def csv(self, resolution: str) -> Path:
        return write_bars(CACHE / "bars", resolution)

    @cached_property
    def library(self) -> Any:
        """The model's environment: the plain library runs in the very same one."""
        from deploy_magics.executor.environment import ensure_environment

        made = ensure_environment(None, LIBRARY)
        self._note(made, "blankly", "numpy", "pandas")
        return made

    def peer(self, name: str) -> Any:
        """An environment with a peer in it, made by uv in the cache of the benchmarks."""
        from deploy_magics.executor.environment import ensure_environment

        # freqtrade needs a package that was only ever published as source
        os.environ["DEPLOY_MAGICS_BUILD"] = "sdnotify"
        made = ensure_environment(PEER_PYTHON, [name, *BESIDE.get(name, ())])
        self._note(made, name)
        return made

    def _note(self, environment: Any, *names: str) -> None:
        known = dict(package.split("==") for package in environment.packages)
        self.versions |= {name: known[name] for name in names if name in known}

    def arguments(self, resolution: str) -> dict[str, Any]:
        return {
            "start_date": first_traded(resolution),
            "end_date": after_last(resolution),
            "initial_values": {"USD": 10_000},
        }

    def plain(self, resolution: str, **constants: Any) -> Program:
        """``python bot.py`` with the plain library, as a user without us runs it."""
        options = {
            "csv": str(self.csv(resolution)),
            "resolution": resolution,
            "start": first_traded(resolution),
            "end": after_last(resolution),
            "constants": constants,
        }
        with tempfile.TemporaryDirectory() as place:
            lay_settings(Path(place))
            command = [self.library.python, PROGRAMS / "bot.py", json.dumps(options)]
            done = run_program(command, Path(place))
        if not constants:
            self.last[resolution] = done
        return done


def lay_settings(folder: Path) -> None:
    """The settings that a generated model has, for the program without us."""
    from deploy_magics.model.settings import backtest_json, settings_json

    quiet = {"GUI_output": False, "show_progress_during_backtest": False}
    quiet["continuous_caching"] = False
    (folder / "settings.json").write_text(json.dumps(settings_json()))
    (folder / "backtest.json").write_text(json.dumps(backtest_json(quiet)))


def strategy_text(resolution: str) -> str:
    """The strategy as a notebook's cell."""
    text = (PROGRAMS / "bot.py").read_text().split(CUT)[0]
    return f"{text}strategy = build('prices.csv', '{resolution}')\nstrategy.start()\n"


class Notebook:
    """A real kernel, talked to as JupyterLab does; ``home`` is where its runs are kept."""

    def __init__(self, home: Path) -> None:
        from jupyter_client.manager import start_new_kernel

        os.environ["DEPLOY_MAGICS_HOME"] = str(home)
        self._manager, self._client = start_new_kernel(cwd=str(home))
        self.run("%load_ext deploy_magics")

    def __enter__(self) -> Notebook:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel()

    def run(self, cell: str) -> tuple[float, float]:
        """Seconds from sending a cell until its result can be shown, and until the kernel is free
        again; what the cell raises rises."""
        began = time.perf_counter()
        asked = self._client.execute(cell)
        shown = None
        while True:
            message = self._client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind in ("execute_result", "display_data") and RESULT in content["data"]:
                shown = time.perf_counter() - began
            elif kind == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                free = time.perf_counter() - began
                return shown or free, free

    def result(self) -> Any:
        """The newest backtest's."""
        from deploy_magics.executor.history import RunStore

        store = RunStore()
        self.run("%backtests")  # the kernel has written it by then
        return store.get(store.list()[0].id)


def backtest_line(setting: Setting, resolution: str, more: str = "") -> str:
    args = setting.arguments(resolution)
    return (
        f"%%backtest --data {SYMBOL}={setting.csv(resolution)} "
        f"--start-date {args['start_date']} --end-date {args['end_date']} "
        f"--initial-values USD=10000 {more}\n"
    )
