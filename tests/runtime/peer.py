"""Runs a case twice, by the library alone and by our runner, each in a fork of this process.

Started by the tests in the model's interpreter: ``peer.py RUNTIME``. A line of JSON in, a line out.
"""

import importlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import traceback
import types
from pathlib import Path

SILENT = {
    "GUI_output": False,
    "show_progress_during_backtest": False,
    "continuous_caching": False,
}


def load_runtime(folder):
    spec = importlib.util.spec_from_file_location("runtime_main", Path(folder, "__main__.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.become_package()
    return module.PACKAGE


def part(name):
    return importlib.import_module("deploy_magics_runtime." + name)


def tables(case):
    """The prices of a case: random walks from its seeds, with gaps where it says so."""
    import numpy
    import pandas

    found = []
    for price in case["prices"]:
        chance = numpy.random.default_rng(price["seed"])
        size = price["bars"]
        time = case["start"] + price["resolution"] * numpy.arange(size)
        steps = chance.normal(0, price.get("volatility", 0.01), size)
        close = numpy.round(price.get("level", 100.0) * numpy.exp(numpy.cumsum(steps)), 4)
        opening = numpy.concatenate(([close[0]], close[:-1]))
        frame = pandas.DataFrame(
            {
                "time": time.astype("int64"),
                "open": opening,
                "high": numpy.maximum(opening, close) + 0.5,
                "low": numpy.minimum(opening, close) - 0.5,
                "close": close,
                "volume": numpy.round(chance.uniform(1, 9, size), 3),
            }
        )
        if price.get("gaps"):
            keep = numpy.ones(size, dtype=bool)
            keep[chance.integers(2, max(3, size - 2), size // 10)] = False
            frame = frame[keep].reset_index(drop=True)
        found.append((price["symbol"], price["resolution"], frame))
    return found


def write_model(folder, case, source):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bot.py").write_text(source)
    for name, content in (("settings.json", case["settings"]), ("backtest.json", case["backtest"])):
        (folder / name).write_text(json.dumps(content))


def by_library(case, folder):
    """The library, untouched: its own keyless exchange over the same frames."""
    from blankly.data.data_reader import PriceReader
    from blankly.exchanges.interfaces.paper_trade import backtest_controller
    from blankly.frameworks.model.model import Model

    failures = []
    real = backtest_controller.traceback.print_exc
    backtest_controller.traceback = types.SimpleNamespace(
        print_exc=lambda *_: (failures.append(1), real())
    )
    runs = []
    backtest = Model.backtest

    def watched(model, *arguments, **keywords):
        result = backtest(model, *arguments, **keywords)
        runs.append((model, result))
        return result

    Model.backtest = watched
    readers = []
    for symbol, _, frame in tables(case):
        readers.append(PriceReader(frame, symbol))
    namespace = {"__name__": "__main__", "READERS": readers, "CASE": case, "SILENT": SILENT}
    os.chdir(folder)
    exec(compile(case["source"], "bot.py", "exec"), namespace)
    collect = part("collect")
    results = []
    for model, result in runs:
        failed = types.SimpleNamespace(callbacks=[])
        results.append(shown(collect.result_of(model, result, None, failed), model, result))
    return {
        "failed": bool(failures),
        "results": results,
        "observed": namespace["OBSERVED"],
    }


def by_runner(case, folder):
    import numpy

    entries = []
    for number, (symbol, resolution, frame) in enumerate(tables(case)):
        path = str(folder / f"{number}.npz")
        numpy.savez(path, **{name: frame[name].to_numpy() for name in frame})
        entries.append({"symbol": symbol, "path": path, "resolution": resolution})
    given = f"CASE = json.loads({json.dumps(case)!r})\n"
    head = "import json\nREADERS, SILENT = None, {}\n" + given
    write_model(folder / "model", case, head + case["source"])
    job = {
        "kind": "backtest",
        "model": "model",
        "main_script": "./bot.py",
        "args": case.get("args") or {},
        "prices": entries,
        "engine": case.get("engine", "fast"),
    }
    (folder / "job.json").write_text(json.dumps(job))
    runner, kinds = part("runner"), part("kinds")
    calls_module = part("blankly_calls")
    collect = part("collect")
    kept = []
    original = collect.result_of

    def result_of(model, result, used, failures):
        found = original(model, result, used, failures)
        kept.append(shown(dict(found), model, result))
        return found

    calls_module.collect = types.SimpleNamespace(
        result_of=result_of, last_orders=collect.last_orders
    )
    run = runner.Run(str(folder))
    os.environ["BACKTESTING"] = "1"
    backtest = kinds.prepare(run, "backtest")
    failed = False
    try:
        runner.execute(run)
        backtest.finish()
    except Exception:
        failed = True
        if run.failures.error is None:
            raise
    return {
        "failed": failed or run.failures.error is not None,
        "results": kept,
        "observed": sys.modules["__main__"].__dict__.get("OBSERVED"),
        "callbacks": [entry["count"] for entry in run.failures.callbacks],
        "engine": backtest.calls.engine is not None,
    }


def shown(found, model, result):
    """Everything that must be the same, in JSON; numbers to the last bit."""
    plain = part("events").plain
    orders = [{k: v for k, v in order.items() if k != "id"} for order in found["orders"]]
    created = [{k: v for k, v in order.items() if k != "id"} for order in result.trades["created"]]
    return plain(
        {
            "history": {
                name: [value.hex() for value in column.tolist()]
                for name, column in sorted(found["arrays"].items())
            },
            "orders": [order for order in orders if order["status"] != "canceled"],
            "canceled": sorted(
                entry["canceled_time"] for entry in result.trades["limits_canceled"]
            ),
            "executed": [entry["executed_time"] for entry in result.trades["limits_executed"]],
            "created": created,
            "metrics": found["metrics"],
            "metric_names": found["metric_names"],
            "quote": found["quote_asset"],
            "start": result.start_time,
            "stop": result.stop_time,
            "returns": [repr(value) for value in result.get_returns()["value"].tolist()],
        }
    )


def in_fork(function, case):
    """What ``function`` answers in a process of its own, or how it raised."""
    folder = Path(tempfile.mkdtemp(prefix="peer-"))
    path = folder / "answer.json"
    pid = os.fork()
    if pid == 0:
        try:
            log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
            os.dup2(log, 1)
            os.dup2(log, 2)
            write_model(folder, case, "")
            try:
                answer = function(case, folder)
            except BaseException as error:
                traceback.print_exc()
                answer = {"raised": f"{type(error).__name__}: {error}"}
            path.write_text(json.dumps(part("events").plain(answer)))
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    log = (folder / "log").read_text(errors="replace")
    try:
        answer = json.loads(path.read_text())
    except FileNotFoundError:
        answer = {"raised": "no answer"}
    answer["log"] = log[-6000:]
    shutil.rmtree(folder, ignore_errors=True)
    return answer


def main():
    load_runtime(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    part("runner").import_library()
    part("kinds").warm_up()
    for line in sys.stdin:
        case = json.loads(line)
        ours = in_fork(by_runner, case)
        theirs = in_fork(by_library, case) if case.get("both", True) else None
        answers.write(json.dumps({"ours": ours, "theirs": theirs}) + "\n")


main()
