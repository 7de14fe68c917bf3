"""Runs the quickstart from top to bottom against a fresh server, says how it went, cleans up.

Everything lives in a temporary folder; what it starts is ended, and looked for by pid.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

HERE = Path(__file__).parent
SHOWN = ("return_pct", "cagr", "sharpe", "max_drawdown", "trades", "win_rate")


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="deploy-magics-demo-") as home:
        os.environ["DEPLOY_MAGICS_HOME"] = home
        try:
            run_notebook(HERE / "01_quickstart.ipynb")
            say_how_it_went()
            pids = started(home)
        finally:
            end()
        left = [pid for pid in {*pids, *started(home)} if lives(pid)]
    print(f"{len(pids)} processes were started, {len(left)} are left.")
    print(f"It took {time.monotonic() - began:.1f} s.")
    return 1 if left else 0


def run_notebook(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}
    ).execute()


def say_how_it_went() -> None:
    import deploy_magics

    result = deploy_magics.backtests(["1"])
    print(f"{result.model}: {result.initial_value:,.2f} became {result.final_value:,.2f}")
    for key in SHOWN:
        print(f"  {key:<14} {result.metrics[key]:>10.2f}")
    print(deploy_magics.deploy_versions("RSI Model"))
    print(deploy_magics.deploy_status("RSI Model"))


def started(home: str) -> list[int]:
    """Every process that works below that folder, this one left out."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if home in command and process.pid != os.getpid():
            found.append(process.pid)
    return found


def lives(pid: int) -> bool:
    """Whether a process goes on; one that its parent has not taken off the list has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end() -> None:
    import deploy_magics
    from deploy_magics.errors import DeployMagicsError

    try:
        deploy_magics.deploy_logout(stop=True)
    except DeployMagicsError as error:
        print(error)


if __name__ == "__main__":
    sys.exit(main())
