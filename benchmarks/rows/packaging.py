"""From executed cells to a zip, and gigabytes that come along."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

from benchmarks.measure import Row, as_seconds, median, run_program, timed
from benchmarks.setting import Setting, strategy_text

CELLS = 1000
LARGE = 1 << 30

PROGRAM = """
import contextlib, io, json, sys, time
cells, entry = json.load(open(sys.argv[1]))
began = time.perf_counter()
from deploy_magics.model import Model
from deploy_magics.notebook import ExecutionLog, slice_cells, slice_log
Model.build("RSI", slice_cells(cells, entry)).zip_bytes()
cold = time.perf_counter() - began
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
log = ExecutionLog(shell)
log.install()
with contextlib.redirect_stdout(io.StringIO()):
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()
warm = []
for number in range(6):
    began = time.perf_counter()
    Model.build("RSI", slice_log(log, entry + f"EDIT = {number}\\n")).zip_bytes()
    warm.append(time.perf_counter() - began)
print(json.dumps({"cold": cold, "warm": sorted(warm[1:])[2]}))
"""

LARGE_PROGRAM = """
import json, os, resource, sys, time
from deploy_magics.model import Model
model = Model.build("Large", "import blankly\\n", include=["large.bin"], folder=".",
                    requirements=["blankly==1.18.25b0"])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
model.to_zip("model.zip")
os.sync()
seconds = time.perf_counter() - began
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"seconds": seconds, "memory": grown * 1024}))
"""


def packaging(setting: Setting) -> list[Row]:
    import json

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "cells.json").write_text(json.dumps([_cells(), strategy_text("1h")]))
        (folder / "program.py").write_text(PROGRAM)
        command = [sys.executable, "program.py", "cells.json"]
        said = [run_program(command, folder).said for _ in range(setting.rounds)]
        rows = [
            Row("f", f"slice and zip in a notebook of {CELLS:,} executed cells, warm",
                as_seconds(median([each["warm"] for each in said])), "target: 100 ms"),
            Row("f", "the same from cold: imports, and all cells read at once",
                as_seconds(median([each["cold"] for each in said])), "target: 1 s"),
        ]  # fmt: skip
        return [*rows, _large(setting, folder)]


def _cells() -> list[str]:
    """As many cells as a long day makes: imports, data, functions, plots, of which few matter."""
    cells = ["import numpy as np\nimport pandas as pd\nimport math"]
    for number in range(1, CELLS):
        before = f"value_{number - 1}" if number > 1 else "1"
        cells.append(
            textwrap.dedent(
                f"""
                value_{number} = {before} if {number} % 7 else {number}
                table_{number} = pd.DataFrame({{"a": np.arange({number % 50}), "b": {number}}})

                def helper_{number}(x, y={number}):
                    return math.sqrt(abs(x)) + y * value_{number}

                for item_{number} in range(3):
                    helper_{number}(item_{number})
                """
            )
        )
    return cells


def _large(setting: Setting, folder: Path) -> Row:
    path = folder / "large.bin"
    block = os.urandom(1 << 24)
    with path.open("wb") as file:
        for _ in range(LARGE >> 24):
            file.write(block)
    (folder / "large.py").write_text(LARGE_PROGRAM)
    said, copies = [], []
    for _ in range(setting.slow_rounds):
        said.append(run_program([sys.executable, "large.py"], folder).said)
        copies.append(timed(lambda: (shutil.copyfile(path, folder / "copy"), os.sync()))[0])
    ours, copy = median([each["seconds"] for each in said]), median(copies)
    grown = max(each["memory"] for each in said) / 2**20
    return Row(
        "f",
        "`--include` of 1 GiB into the package, against a plain copy of the file",
        f"{as_seconds(ours)} ({LARGE / ours / 2**20:,.0f} MiB/s)",
        as_seconds(copy),
        f"{ours / copy:.2f} of its time",
        f"memory grew by {grown:,.0f} MiB",
    )
