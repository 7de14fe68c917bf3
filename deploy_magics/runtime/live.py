"""A model live. On a replay it is the backtest with the clock on: the same engine and the same
paper account go over the same bars, at the pace that was asked for, and tell each order as it
comes. So a model places the orders of its backtest."""

import os
import select
import signal
import sys
import threading
import time

from .account_state import AccountState
from .blankly_calls import NothingToRun
from .orders import orders_of
from .outcome import write

ACCOUNT_SECONDS = 1.0
"""The shortest time between two reports of the account while nothing is traded."""

YOUNG_SECONDS, LATER_SECONDS = 600.0, 15.0
"""After the first minutes there is less to tell: all that a run of months has told is kept."""

PATIENCE = 1000
"""How often a model may go on sleeping after it was told to stop, before it is made to."""


def pause(since, first):
    """How long the account is not told again, by when the telling began (monotonic)."""
    return first if time.monotonic() - since < YOUNG_SECONDS else max(first, LATER_SECONDS)


class StopFlag:
    """An event that a signal handler may set, whatever the main thread holds just then."""

    def __init__(self):
        self._set = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def set(self):
        self._set = True
        os.write(self._writer, b"!")

    def is_set(self):
        return self._set

    def wait(self, seconds):
        select.select([self._reader], [], [], max(0.0, seconds))
        return self._set


class Quiet:
    """Nothing is printed while somebody is inside."""

    def __init__(self):
        self._inside = 0
        self._lock = threading.Lock()
        self._streams = None

    def enter(self):
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._streams = sys.stdout, sys.stderr
                sys.stdout = sys.stderr = open(os.devnull, "w")

    def leave(self):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                sys.stdout.close()
                sys.stdout, sys.stderr = self._streams


class Stopped(BaseException):
    """Ends a model that does not look at ``has_data``; the library does not catch it."""


def prepare(run, calls):
    kind = (run.job.get("feed") or {}).get("kind", "replay")
    if kind == "replay":
        return Replay(run, calls)
    from . import live_feed

    return live_feed.prepare(run, calls, kind)


def pace_of(feed):
    """Bars in a second; 0 for as fast as it goes, None for the time of the prices themselves."""
    pace = feed.get("pace", 0)
    return None if pace == "real" else float(pace or 0)


class Replay:
    """Runs what the script built over the given prices, then ends.

    A second attempt goes over the bars of the first as fast as it can, silently, and on from where
    that one was: the model's variables are then what they were, and so are its orders.
    """

    def __init__(self, run, calls):
        self.run = run
        self.calls = calls
        self.pace = pace_of(run.job.get("feed") or {})
        self.stopping = StopFlag()
        self.replaying = False
        self.numbers = {}
        self.quiet = Quiet()
        self.state = AccountState(os.path.join(run.folder, "state.json"))
        calls.live = self
        self.resume_at = self.state.time
        if self.resume_at is not None:
            run.events.emit("resumed", time=self.resume_at)
        signal.signal(signal.SIGTERM, lambda *_: self.stopping.set())
        self._install()

    def _install(self):
        from blankly.exchanges.interfaces.paper_trade.backtest_controller import (
            BackTestController,
        )

        sleep, replay = BackTestController.sleep, self

        def paced_sleep(controller, seconds):
            sleep(controller, seconds)
            replay.step(controller)

        BackTestController.sleep = paced_sleep

    def finish(self):
        """Called after the script: what it started or built runs now."""
        self.calls.results.clear()
        self.replaying = True
        built = self.calls.built()
        self.numbers = {id(model): number for number, (model, _) in enumerate(built)}
        jobs = [backtest for _, backtest in built]
        if not jobs and not self.calls.screeners:
            raise NothingToRun("The script builds nothing that can trade.")
        threads = [threading.Thread(target=self._go, args=(job,)) for job in jobs[1:]]
        for thread in threads:
            thread.start()
        if jobs:
            self._go(jobs[0])
        for thread in threads:
            thread.join()
        if self.run.failures.error is None and self.calls.results:
            write(self.run, self.calls)
            self.run.events.emit("result", path=os.path.join(self.run.folder, "result.json"))

    def _go(self, job):
        try:
            job()
        except Stopped:
            pass
        except Exception as error:
            self.run.failures.fatal(error)

    def begin(self, model):
        """Just before a model's ``main``: what an earlier attempt left is taken up."""
        if self.replaying:
            model.backtester.live_watch = Watch(self, model, self.numbers[id(model)])

    def end(self, model):
        """Just after it: what its last step did is told."""
        watch = getattr(model.backtester, "live_watch", None)
        if watch is not None:
            if watch.behind:
                watch.catch_up(model.backtester.time)
            watch.tell(model.backtester, model.backtester.time, force=True)

    def step(self, controller):
        """After each move of the simulated clock."""
        watch = getattr(controller, "live_watch", None)
        if watch is None:
            return
        watch.step(controller)
        if self.stopping.is_set():
            controller.model.has_data = False
            watch.refused += 1
            if watch.refused > PATIENCE:
                raise Stopped()


class Watch:
    """One strategy of a replay: its pace, and what is told of it."""

    def __init__(self, replay, model, number):
        self.replay = replay
        self.events = replay.run.events
        self.model = model
        self.number = number
        self.refused = 0
        self.told = {}
        self.counts = None
        self.next_account, self.born = 0.0, time.monotonic()
        controller = model.backtester
        self.behind = replay.resume_at is not None
        if self.behind:
            replay.quiet.enter()
        self.began, self.sim_began, self.first_bars = time.monotonic(), controller.time, 0.0
        self.bar = float(controller.min_resolution or 60)
        self.total = max(1, int((controller.user_stop - controller.time) / self.bar))

    def step(self, controller):
        now = controller.time
        if self.behind:
            if now < self.replay.resume_at and not self.replay.stopping.is_set():
                return
            self.catch_up(now)
        self.tell(controller, now)
        pace = self.replay.pace
        if pace != 0:
            passed = now - self.sim_began - self.first_bars
            due = self.began + (passed if pace is None else passed / self.bar / pace)
            while not self.replay.stopping.is_set():
                left = due - time.monotonic()
                if left <= 0:
                    break
                self.replay.stopping.wait(min(left, 1.0))

    def catch_up(self, now):
        """The model is where the earlier attempt was: from here on the clock counts."""
        self.behind = False
        self.replay.quiet.leave()
        self.began, self.first_bars = time.monotonic(), now - self.sim_began

    def tell(self, controller, now, force=False):
        interface = controller.interface
        counts = (
            len(interface.paper_trade_orders),
            len(interface.executed_orders),
            len(interface.canceled_orders),
            len(getattr(interface, "_told_orders", ())),
        )
        moved = counts != self.counts
        if moved:
            self.counts = counts
            self.tell_orders(interface)
        if moved or force or time.monotonic() >= self.next_account:
            self.next_account = time.monotonic() + pause(self.born, ACCOUNT_SECONDS)
            value, values = worth(controller)
            self.events.emit("account", time=now, value=value, values=values, strategy=self.number)
            self.replay.state.save(self.number, now, interface)
            done = int((now - self.sim_began) / self.bar)
            self.events.progress(min(done, self.total), self.total, now, value, force=force)

    def tell_orders(self, interface):
        for order in orders_of(interface):
            if self.told.get(order["id"]) != order["status"]:
                self.told[order["id"]] = order["status"]
                self.events.emit("order", strategy=self.number, **order)


def worth(controller):
    """The account's value and what is in it, in the library's own valuation."""
    try:
        available, _ = controller.format_account_data(controller.interface, controller.time)
    except Exception:
        return None, {}
    value = None
    values = {}
    for name, amount in available.items():
        if name.startswith("Account Value"):
            value = amount
        elif name != "time":
            values[name] = amount
    return value, values
