"""A Blankly model as a UbiOps deployment: a request carries backtest arguments, the answer metrics.

Shipped as ``deployment.py`` beside ``model/`` (the model), ``runtime/`` (what runs it) and
``prices/`` (what it runs on where a request brings none). Standard library, Python 3.7 syntax;
NumPy comes with the model's own requirements.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ARGUMENTS = ("to", "start_date", "end_date", "initial_values", "settings")
SPAN = ("to", "start_date", "end_date")
COLUMNS = ("time", "open", "high", "low", "close", "volume")


class Deployment:
    def __init__(self, base_directory: str, context: dict) -> None:
        self.base = Path(base_directory).resolve()
        self.manifest = json.loads((self.base / "wrapped.json").read_text("utf-8"))

    def request(self, data: dict) -> dict:
        """``data["arguments"]``: to, start_date, end_date, initial_values, settings, and
        ``prices``: for each symbol rows of time (epoch s), open, high, low, close, volume."""
        said = dict(data.get("arguments") or {})
        prices = said.pop("prices", None)
        unknown = sorted(set(said) - set(ARGUMENTS))
        if unknown:
            raise ValueError("There is no argument " + ", ".join(unknown))
        with tempfile.TemporaryDirectory(prefix="backtest-") as name:
            folder = Path(name)
            given = write_prices(prices, folder) if prices else self.kept_prices()
            self.write_job(folder, self.merged(said, anew=bool(prices)), given)
            return answer(run(self.base / "runtime", folder), folder)

    def merged(self, said: dict, anew: bool) -> dict:
        """What is said, over what was deployed; a span goes as one, and with its prices."""
        kept = dict(self.manifest["arguments"])
        if anew or set(SPAN) & set(said):
            kept = {name: value for name, value in kept.items() if name not in SPAN}
        kept.update(said)
        return kept

    def kept_prices(self) -> list:
        return [
            dict(entry, path=str(self.base / "prices" / entry["path"]))
            for entry in self.manifest["prices"]
        ]

    def write_job(self, folder: Path, said: dict, prices: list) -> None:
        job = {
            "protocol": 1,
            "kind": "backtest",
            "model": str(self.base / "model"),
            "args": said,
            "prices": prices,
            "engine": "fast",
            "lines": {},
        }
        job.update(self.manifest["job"])
        guard = {"follow_parent": True, "kind": "backtest", "python": sys.executable}
        (folder / "job.json").write_text(json.dumps(job), "utf-8")
        (folder / "guard.json").write_text(json.dumps(guard), "utf-8")


def write_prices(prices: dict, folder: Path) -> list:
    """The rows of a request as the files that the runtime reads."""
    import numpy

    entries = []
    for number, (symbol, rows) in enumerate(sorted(prices.items())):
        table = numpy.asarray(rows, dtype=float)
        if table.ndim != 2 or table.shape[1] != len(COLUMNS) or len(table) < 2:
            raise ValueError(
                "The prices of {} must be rows of {}".format(symbol, ", ".join(COLUMNS))
            )
        columns: Any = {name: table[:, place] for place, name in enumerate(COLUMNS)}
        columns["time"] = columns["time"].astype("int64")
        path = folder / f"{number}.npz"
        numpy.savez(str(path), **columns)
        steps, counts = numpy.unique(numpy.diff(columns["time"]), return_counts=True)
        resolution = int(steps[counts.argmax()])
        entries.append({"symbol": symbol, "path": str(path), "resolution": resolution})
    return entries


def run(runtime: Path, folder: Path) -> dict:
    """Run the job in its own process, under a guard that ends with this one; how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(runtime), "guard", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        process.wait()
    finally:
        assert process.stdin is not None
        process.stdin.close()
    ended: dict = json.loads((folder / "exit.json").read_text("utf-8"))
    return ended


def answer(ended: dict, folder: Path) -> dict:
    """What the request is answered; an error with the model's own words where it failed."""
    if ended["reason"] != "ended" or not (folder / "result.json").exists():
        raise RuntimeError(why(ended, folder))
    result = json.loads((folder / "result.json").read_text("utf-8"))
    return {
        "metrics": result["metrics"],
        "orders": len(result.get("orders") or ()),
        "final_value": float(result.get("final_value") or 0.0),
    }


def why(ended: dict, folder: Path) -> str:
    events = folder / "events.jsonl"
    for line in events.read_text("utf-8").splitlines() if events.exists() else ():
        event = json.loads(line)
        if event.get("event") == "error":
            print(event.get("traceback"), file=sys.stderr)
            return "The model raised {}".format(event.get("message"))
    log = folder / "output.log"
    tail = log.read_text("utf-8", "replace")[-500:] if log.exists() else ""
    return "The backtest ended ({}). {}".format(ended["reason"], tail)
