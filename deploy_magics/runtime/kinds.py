"""What a run is for: a backtest, or a model live on paper."""

import os

from . import blankly_engine, blankly_feed, guards, live, orders, plain_progress
from .arguments import Arguments
from .blankly_calls import Calls
from .outcome import versions, write
from .prices import Prices


def prepare(run, kind):
    """Readies the library for this run; what it returns is asked to ``finish`` after the script."""
    prices = Prices.load(run.job.get("prices"))
    arguments = Arguments(run.job.get("args"), prices)
    calls = Calls(run.job, run.events, prices, arguments, run.failures)
    import blankly

    blankly.reporter.sink = calls
    blankly._backtesting = kind == "backtest"
    guards.install(prices.clock, run.failures)
    orders.watch()
    if prices:
        blankly_feed.install(prices, arguments.fees)
    calls.install()
    if run.job.get("engine", "fast") == "fast":
        calls.engine = blankly_engine.install(run.events, run.failures)
    else:
        plain_progress.install(run.events)
    if prices:
        moment = prices.end if run.job.get("type") == "screener" else arguments.start
        prices.clock.follow(lambda: moment)
    if kind == "live":
        return live.prepare(run, calls)
    return Backtest(run, calls)


def warm_up():
    """Imports and makes, ahead of time, what every run needs."""
    import io

    import numpy
    import pandas

    blankly_feed.spot_calls()
    blankly_feed.futures_interface()
    versions()
    buffer = io.BytesIO()
    numpy.savez(buffer, time=numpy.arange(3))
    buffer.seek(0)
    with numpy.load(buffer) as arrays:
        frame = pandas.DataFrame({name: arrays[name] for name in arrays.files})
    empty = pandas.DataFrame(columns=["time"])
    both = pandas.concat([empty, frame], ignore_index=True).sort_values(by=["time"])
    both[both["time"] >= 1].to_records()


class Backtest:
    def __init__(self, run, calls):
        self.run = run
        self.calls = calls

    def finish(self):
        self.calls.run_the_rest()
        if self.run.failures.error is None:
            write(self.run, self.calls)
            self.run.events.emit("result", path=os.path.join(self.run.folder, "result.json"))
