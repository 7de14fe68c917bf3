"""A model live in real time: on paper with the prices of an exchange, or on the exchange itself.

The library's own schedulers fire its events. Beside them one loop looks after the paper orders,
and tells orders and accounts as they change.
"""

import os
import signal
import threading
import time

from . import blankly_feed, live_keys
from .account_state import AccountState
from .blankly_calls import NothingToRun
from .ccxt_prices import CcxtPrices
from .live import StopFlag
from .orders import orders_of

WATCH_SECONDS = 10.0
ACCOUNT_SECONDS = 5.0
FINAL = ("done", "filled", "canceled", "cancelled", "expired", "rejected", "closed")


def prepare(run, calls, kind):
    """``kind``: ``ccxt`` (paper on live prices) or ``exchange`` (real orders)."""
    feed = run.job.get("feed") or {}
    if kind == "ccxt":
        prices = CcxtPrices(feed, calls.symbols)
        values = calls.arguments.given.get("initial_values")
        accounts = blankly_feed.install_live(prices, values)
        return RealTime(run, calls, Paper(run, accounts), feed)
    if kind == "exchange":
        live_keys.install()
        return RealTime(run, calls, Exchange(run, calls), feed)
    raise ValueError("There is no feed of the kind %r." % kind)


class RealTime:
    """Starts what the script built and did not start itself, and waits until it is told to stop."""

    replaying = False

    def __init__(self, run, calls, account, feed):
        self.run = run
        self.calls = calls
        self.account = account
        self.seconds = float(feed.get("watch") or WATCH_SECONDS)
        self.stopping = StopFlag()
        self.started = []
        self.running = set()
        calls.live = self
        run.failures.clock, run.failures.simulated = time.time, ""
        signal.signal(signal.SIGTERM, lambda *_: self.stopping.set())
        if hasattr(threading, "excepthook"):
            threading.excepthook = self._thread_failed
        self._install()

    def _install(self):
        from blankly.exchanges.strategy_logger import StrategyLogger
        from blankly.frameworks.model.model import Model
        from blankly.frameworks.strategy.strategy import Strategy

        realtime = self
        Strategy.start = lambda strategy: realtime.start(strategy)
        Model.run = lambda model, args=None: realtime.run_model(model, args)
        # the library's logger has no answer for these two, the account behind it has
        for name in ("stop_loss_order", "take_profit_order"):
            setattr(StrategyLogger, name, forwarded(name))

    def start(self, strategy):
        if strategy not in self.started:
            self.started.append(strategy)
            self.calls.original_start(strategy)

    def run_model(self, model, args=None):
        self.running.add(id(model))
        return self.calls.original_run(model, args)

    def begin(self, model):
        """Nothing: backtests are not run here."""

    end = begin

    def _thread_failed(self, problem):
        if problem.exc_value is not None and not isinstance(problem.exc_value, SystemExit):
            self.run.failures.fatal(problem.exc_value)
            self.stopping.set()

    def finish(self):
        for strategy in self.calls.strategies:
            if strategy.schedulers:
                strategy.start()
        for model, args in self.calls.own_models():
            if id(model) not in self.running:
                self.run_model(model, args)
        if not self.running and not self.calls.screeners:
            raise NothingToRun("The script builds nothing that can trade.")
        self.run.phase("running")
        self.account.begin()
        while self.running and not self.stopping.wait(self.seconds):
            self.tick()
        for strategy in self.started:
            strategy.model.teardown()
        self.tick()

    def tick(self):
        try:
            self.account.tick()
        except Exception as error:  # the network, most of all: the next round asks again
            self.run.failures.callback(error)


def forwarded(name):
    def place(self, *arguments, **keywords):
        return getattr(self.interface, name)(*arguments, **keywords)

    return place


class Telling:
    """Orders are told when they change, accounts when they do or now and then."""

    def __init__(self, run):
        self.events = run.events
        self._orders = {}
        self._values = None
        self._next = 0.0

    def tell_order(self, order):
        if self._orders.get(order["id"]) != order["status"]:
            self._orders[order["id"]] = order["status"]
            self.events.emit("order", strategy=0, **order)

    def tell_account(self, values, value):
        if values != self._values or time.monotonic() >= self._next:
            self._values = values
            self._next = time.monotonic() + ACCOUNT_SECONDS
            self.events.emit("account", time=time.time(), value=value, values=values, strategy=0)


class Paper(Telling):
    """The library's paper accounts, filled at the exchange's prices."""

    def __init__(self, run, accounts):
        super().__init__(run)
        self.accounts = accounts
        self.state = AccountState(os.path.join(run.folder, "state.json"))

    def begin(self):
        for number, (interface, _) in enumerate(self.accounts):
            self.state.restore(number, interface)

    def tick(self):
        values, worth = {}, 0.0
        for number, (interface, prices) in enumerate(self.accounts):
            interface.evaluate_limits()
            for order in orders_of(interface):
                self.tell_order(order)
            held = {
                asset: account["available"] + account["hold"]
                for asset, account in interface.local_account.local_account.items()
            }
            worth += value_of(held, prices)
            for asset, amount in held.items():
                values[asset] = values.get(asset, 0.0) + amount
            self.state.save(number, time.time(), interface)
        self.tell_account(values, worth)


def value_of(held, prices):
    """All assets in the quote currency of the first symbol; what has no price counts nothing."""
    if not prices.symbols:
        return 0.0
    quote = prices.assets[1]
    total = held.get(quote, 0.0)
    for symbol in prices.symbols:
        base, other = (symbol.split("-") + ["USD"])[:2]
        if other == quote and held.get(base):
            total += held[base] * prices.price(symbol)
    return total


class Exchange(Telling):
    """The exchange that the model constructs: its orders are followed until they are final."""

    def __init__(self, run, calls):
        super().__init__(run)
        self.calls = calls
        self.open = {}
        calls.order_logged = self.sent

    def begin(self):
        """The exchange knows its orders itself."""

    def sent(self, order, exchange_type):
        now = time.time()
        kind = "limit" if "price" in order else "market"
        told = dict(order, type=kind, status="sent", created_at=now, time=now)
        self.open[order["id"]] = told
        self.tell_order(told)

    def tick(self):
        interfaces = {s.interface.get_exchange_type(): s.interface for s in self.calls.strategies}
        for number, order in list(self.open.items()):
            interface = interfaces.get(order.get("exchange"))
            if interface is None:
                continue
            status = str(interface.get_order(order["symbol"], number)["status"]).lower()
            self.tell_order(dict(order, status=status, time=time.time()))
            if status in FINAL:
                del self.open[number]
        values = {}
        for interface in interfaces.values():
            for asset, account in dict(interface.account).items():
                amount = float(account["available"]) + float(account.get("hold") or 0)
                if amount:
                    values[asset] = values.get(asset, 0.0) + amount
        self.tell_account(values, None)
