"""The loop over the bars: time and prices out of arrays, events fired without detours."""

import time as clock
import warnings
from time import monotonic

from .engine_history import table_of, window
from .engine_rows import AccountRows

SAMPLE = 31
"""One in so many callbacks is timed (a power of two less one)."""


def stepper_of(model):
    """The class that steps this model's backtest; None where the library has to do it itself: an
    account that we do not know, or a live run with futures or events of the user's own."""
    from blankly.exchanges.interfaces.paper_trade.paper_trade_interface import PaperTradeInterface

    from .engine_futures import FuturesStepper, is_futures

    controller = model.backtester
    live = hasattr(controller, "live_watch")
    if type(controller.interface) is PaperTradeInterface:
        return None if live and controller.events else Stepper
    return FuturesStepper if is_futures(controller.interface) and not live else None


class Feed:
    """The prices of one symbol, and where in them we are."""

    __slots__ = ("floats", "index", "last", "rising", "scalars", "symbol", "time", "times")

    def __init__(self, symbol, records, column, index):
        import numpy

        self.symbol = symbol
        self.time = numpy.ascontiguousarray(records["time"])
        self.times = memoryview(self.time)
        self.scalars = numpy.ascontiguousarray(records[column])
        self.floats = memoryview(self.scalars)
        self.index = index
        self.last = len(self.time) - 1
        self.rising = bool((self.time[1:] >= self.time[:-1]).all())

    def seek(self, now):
        """The first bar at or after ``now``, and whether there was one."""
        index, times, last = self.index, self.times, self.last
        if index < last and times[index + 1] >= now:
            self.index = index + 1
            return True
        if self.rising:
            found = int(self.time.searchsorted(now, "left"))
            self.index = min(found, last)
            return found <= last
        while times[index] < now:
            if index == last:
                self.index = index
                return False
            index += 1
        self.index = index
        return True


class Stepper:
    """One backtest in progress."""

    rows_of = AccountRows

    def __init__(self, model, events, failures):
        controller = model.backtester
        self.model = model
        self.controller = controller
        self.interface = controller.interface
        self.events = events
        self.failures = failures
        self.frame = self.interface.frame
        self.prices = self.frame["prices"]
        self.floats = dict(self.prices)
        self.feeds = [
            Feed(symbol, records, controller.use_price, controller.price_indexes[symbol])
            for symbol, records in controller.prices.items()
        ]
        self.user_stop = controller.user_stop
        self.rows = self.rows_of(controller, self.floats)
        self.callback_seconds = 0.0
        self.began = controller.time
        self.bar = float(controller.min_resolution or 60)
        self.total = max(1, int((controller.user_stop - controller.time) / self.bar))

    def sleep(self, seconds):
        interface = self.interface
        orders = interface.paper_trade_orders
        if orders and orders.pending:
            interface.evaluate_limits()
        self.advance(seconds)

    def advance(self, seconds):
        controller = self.controller
        controller.sleep_count += 1
        now = controller.time = controller.time + seconds
        self.frame["time"] = now
        for feed in self.feeds:
            if feed.times[feed.index] < now:
                if not feed.seek(now):
                    self.model.has_data = False
                symbol = feed.symbol
                self.prices[symbol] = feed.scalars[feed.index]
                self.floats[symbol] = feed.floats[feed.index]
        if now > self.user_stop:
            self.model.has_data = False
        if controller.events:
            self.catch_up(now)
        if monotonic() >= self.events.next_progress:
            self.tell()

    def catch_up(self, now):
        """The events of before ``now``, each at its own time. The clock stays at the last of all
        when that has been: the library leaves it there."""
        controller, model = self.controller, self.model
        events, last = controller.events, len(controller.events)
        while controller.event_index < last:
            event = events[controller.event_index]
            if not event["time"] < now:
                break
            controller.time = event["time"]
            kind, data = event["type"], event["data"]
            if kind[:11] != "__blankly__":
                model.event(kind, data)
            elif kind[11:] == "tick":
                model.websocket_update(data)
            elif kind[11:] == "funding_rate":
                self.interface.do_funding(data["symbol"], data["rate"])
            controller.event_index += 1
            if controller.event_index >= last:
                return
        controller.time = now

    def tell(self, force=False):
        now = self.controller.time
        done = min(self.total, int((now - self.began) / self.bar))
        self.events.progress(done, self.total, now, self.rows.value, force=force)

    def run(self, events):
        """The library's schedule: always the event that is due first, ties in the order of the
        list as the last sorting left it."""
        model, controller = self.model, self.controller
        sleep = self.sleep if not hasattr(controller, "live_watch") else controller.sleep
        add_row = self.rows.add
        for event in events:
            event["next_run"] = controller.initial_time
        fires = {id(event): self.firing(event) for event in events}
        several = len(events) > 1
        callbacks, seconds, perf = 0, 0.0, clock.perf_counter
        try:
            while model.has_data:
                if several:
                    events.sort(key=_due)
                event = events[0]
                sleep(float(event["next_run"] - controller.time))
                fire = fires[id(event)]
                if callbacks & SAMPLE:
                    fire()
                else:
                    began = perf()
                    fire()
                    seconds += perf() - began
                callbacks += 1
                if controller.backtesting:
                    add_row(controller.time)
                event["next_run"] += event["resolution"]
        finally:
            timed = (callbacks + SAMPLE) // (SAMPLE + 1)
            self.callback_seconds += seconds * callbacks / timed if timed else 0.0
            self.tell(force=True)

    def firing(self, event):
        """A function that runs the event once, at the time that it then is."""
        from blankly.frameworks.strategy.strategy_base import EventType

        kind = event["type"]
        if kind == EventType.price_event:
            return self._calling(event, self._price_of(event["symbol"]))
        if kind == EventType.bar_event:
            return self._calling(event, self._bar_of(event))
        if kind == EventType.arbitrage_event:
            return self._calling(event, self._prices_of(event["symbol"]))
        if kind == EventType.scheduled_event:
            return self._calling(event, None)
        return lambda: None

    def _calling(self, event, data):
        callback, symbol, state = event["callback"], event["symbol"], event["state"]
        variables, resolution = event["variables"], event["resolution"]
        failed = self.failures.callback

        def fire():
            state.variables = variables
            state.resolution = resolution
            if data is None:
                arguments = (state,)
            else:
                value = data()
                if value is None:
                    return
                arguments = (value, symbol, state)
            try:
                callback(*arguments)
            except Exception:
                failed()

        return fire

    def _price_of(self, symbol):
        prices, ask = self.prices, self.interface.get_price

        def price():
            try:
                return prices[symbol]
            except KeyError:
                return ask(symbol)  # which says what is wrong

        return price

    def _prices_of(self, symbols):
        ask = self.interface.get_price
        return lambda: {symbol: ask(symbol) for symbol in symbols}

    def _bar_of(self, event):
        interface, frame = self.interface, self.frame
        symbol, resolution = event["symbol"], event["resolution"]
        seconds = int(resolution)
        table = table_of(interface, symbol, seconds)
        position = [-1]

        def bar():
            found = window(frame["time"], seconds)
            if table is None or not table.plain or found is None or frame["time"] < seconds:
                return asked()
            stop, count_from = found
            index = position[0] = table.last_until(stop, position[0])
            if index < 0 or table.time_at(index) < count_from - 2 * seconds:
                no_bar()
                return None
            return table.row(index)

        def asked():
            try:
                frame = interface.history(symbol=symbol, to=1, resolution=resolution)
                return frame.iloc[-1].to_dict()
            except IndexError:
                no_bar()
                return None

        return bar


_warned = {}


def no_bar():
    """The library's own warning, once."""
    text = "No bar found for this time range"
    warnings.warn_explicit(text, UserWarning, "blankly", 1, registry=_warned)


def _due(event):
    return event["next_run"]


def install():
    from blankly.exchanges.interfaces.paper_trade.backtest_controller import BackTestController
    from blankly.frameworks.strategy.strategy import StrategyStructure

    sleep, value_account = BackTestController.sleep, BackTestController.value_account
    run_price_events = StrategyStructure.run_price_events

    def controller_sleep(self, seconds):
        stepper = self.__dict__.get("_stepper")
        if stepper is None:
            sleep(self, seconds)
        else:
            stepper.sleep(seconds)

    def controller_value(self):
        stepper = self.__dict__.get("_stepper")
        if stepper is None:
            value_account(self)
        elif self.backtesting:
            stepper.rows.add(self.time)

    def run_events(self, events):
        stepper = self.backtester.__dict__.get("_stepper")
        if stepper is None:
            run_price_events(self, events)
        else:
            stepper.run(events)

    BackTestController.sleep = controller_sleep
    BackTestController.value_account = controller_value
    StrategyStructure.run_price_events = run_events
