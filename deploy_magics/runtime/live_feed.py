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
from .events import plain
from .files import read_json, write_json
from .live import StopFlag, pause
from .orders import orders_of

WATCH_SECONDS = 10.0
"""Between two questions to the exchange."""

TELL_SECONDS = 1.0
"""Between two looks at what the paper account has done, which asks nobody."""

ACCOUNT_SECONDS = 5.0
FINAL = ("done", "filled", "canceled", "cancelled", "expired", "rejected", "closed")


def prepare(run, calls, kind):
    """``kind``: ``ccxt`` (paper on live prices) or ``exchange`` (real orders)."""
    feed = run.job.get("feed") or {}
    if kind == "ccxt":
        prices = CcxtPrices(feed, calls.symbols)
        account = Paper(run, prices)
        values = calls.arguments.given.get("initial_values")
        blankly_feed.install(prices, opened=account.open, values=values)
        return RealTime(run, calls, account, feed)
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
            setattr(StrategyLogger, name, forwarded(name, self.account))

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
        asked = -self.seconds
        while self.running and not self.stopping.wait(min(self.seconds, TELL_SECONDS)):
            self.tried(self.account.tell)
            if time.monotonic() - asked >= self.seconds:
                asked = time.monotonic()
                self.tried(self.account.tick)
        for strategy in self.started:
            strategy.model.teardown()
        self.tried(self.account.tick)
        self.tried(self.account.tell)

    def tried(self, step):
        try:
            step()
        except Exception as error:  # the network, most of all: the next round asks again
            self.run.failures.callback(error)


def forwarded(name, account):
    def place(self, symbol, price, size):
        made = getattr(self.interface, name)(symbol, price, size)
        order = {"id": made.get_id(), "symbol": symbol, "side": "sell", "price": price}
        exchange = self.interface.get_exchange_type()
        account.sent(dict(order, size=size, type=name, exchange=exchange), exchange)
        return made

    return place


class Telling:
    """Orders are told when they change, accounts when they do or now and then."""

    def __init__(self, run):
        self.events = run.events
        self._orders = {}
        self._values = None
        self._next, self._born = 0.0, time.monotonic()

    def tell_order(self, order):
        if self._orders.get(order["id"]) != order["status"]:
            self._orders[order["id"]] = order["status"]
            self.events.emit("order", strategy=0, **order)

    def tell_account(self, values, value):
        if values != self._values or time.monotonic() >= self._next:
            self._values = values
            self._next = time.monotonic() + pause(self._born, ACCOUNT_SECONDS)
            self.events.emit("account", time=time.time(), value=value, values=values, strategy=0)


class Paper(Telling):
    """The library's paper accounts, filled at the exchange's prices."""

    def __init__(self, run, prices):
        super().__init__(run)
        self.prices = prices
        self.accounts = []
        self.state = AccountState(os.path.join(run.folder, "state.json"))

    def open(self, interface, values):
        """An account begins with what it held when the last attempt ended, else with ``values``."""
        grow(interface.local_account, values, self.prices)
        self.state.restore(len(self.accounts), interface)
        self.accounts.append(interface)

    def sent(self, order, exchange_type):
        """The account itself is looked at."""

    def tell(self):
        for number, interface in enumerate(self.accounts):
            for order in orders_of(interface):
                self.tell_order(order)
            self.state.save(number, time.time(), interface)

    def tick(self):
        values, worth = {}, 0.0
        for interface in self.accounts:
            interface.evaluate_limits()
            held = {
                asset: account["available"] + account["hold"]
                for asset, account in list(interface.local_account.local_account.items())
            }
            worth += value_of(held, self.prices)
            for asset, amount in held.items():
                values[asset] = values.get(asset, 0.0) + amount
        self.tell_account(values, worth)


def grow(account, values, prices):
    """From now on a paper account has ``values``, and every asset of the symbols that are used."""
    from blankly.utils.utils import AttributeDict

    class Growing(type(account)):
        @property
        def local_account(self):
            kept = self.__dict__["local_account"]
            for asset in prices.assets:
                kept.setdefault(asset, AttributeDict(available=0.0, hold=0.0))
            return kept

        @local_account.setter
        def local_account(self, accounts):
            self.__dict__["local_account"] = accounts

    account.__class__ = Growing
    for asset, amount in values.items():
        account.local_account[asset] = AttributeDict(available=float(amount), hold=0.0)


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
    """The exchange that the model constructs: its orders are followed until they are final, those
    of an earlier attempt too."""

    def __init__(self, run, calls):
        super().__init__(run)
        self.calls = calls
        self.path = os.path.join(run.folder, "open_orders.json")
        self.open = read_json(self.path) or {}
        calls.order_logged = self.sent

    def tell(self):
        """Nothing that the exchange would not have to be asked for."""

    def sent(self, order, exchange_type):
        now = time.time()
        kind = order.get("type") or ("limit" if "price" in order else "market")
        told = dict(order, type=kind, status="sent", created_at=now, time=now)
        self.open[str(order["id"])] = told
        self.keep()
        self.tell_order(told)

    def keep(self):
        write_json(self.path, plain(self.open))

    def tick(self):
        interfaces = {s.interface.get_exchange_type(): s.interface for s in self.calls.strategies}
        for number, order in list(self.open.items()):
            interface = interfaces.get(order.get("exchange"))
            if interface is None:
                continue
            found = interface.get_order(order["symbol"], order["id"])
            status = str(found["status"]).lower()
            price = filled_price(found) or order.get("price")
            self.tell_order(dict(order, status=status, price=price, time=time.time()))
            if status in FINAL:
                del self.open[number]
                self.keep()
        values = {}
        for interface in interfaces.values():
            for asset, account in dict(interface.account).items():
                amount = float(account["available"]) + float(account.get("hold") or 0)
                if amount:
                    values[asset] = values.get(asset, 0.0) + amount
        self.tell_account(values, None)


FILLED = (
    ("filled_avg_price", None),
    ("executed_value", "filled_size"),
    ("cummulativeQuoteQty", "executedQty"),
    ("dealFunds", "dealSize"),
)
"""How exchanges tell the price at which an order was filled, or what to divide for it."""


def filled_price(order):
    """None where nothing is filled, or this exchange tells it otherwise."""
    told = dict(order.get("exchange_specific") or {}, **order)
    for value, amount in FILLED:
        try:
            return float(told[value]) / (float(told[amount]) if amount else 1.0)
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            continue
    return None
