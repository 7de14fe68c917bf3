"""The library's backtest made fast, with the very same results.

The slow parts are replaced at run time, one concern in each ``engine_*`` module; what an order
does to an account, how a run is set up and what the metrics are stays the library's own code.
``tests/runtime/test_engine_same.py`` holds the two to the same orders, accounts and metrics.
"""

import contextlib

from . import (
    engine_account,
    engine_format,
    engine_futures,
    engine_history,
    engine_loop,
    engine_orders,
)


def install(events, failures):
    """Patches the library in this process; the engine that the runs go through."""
    engine_account.install()
    engine_orders.install()
    engine_history.install()
    engine_loop.install()
    engine_format.install()
    engine_futures.install()
    return Engine(events, failures)


class Engine:
    def __init__(self, events, failures):
        self.events = events
        self.failures = failures
        self.callback_seconds = 0.0

    @contextlib.contextmanager
    def running(self, model):
        """While ``model.main`` runs: prices in arrays, the account's history in columns."""
        controller = model.backtester
        kind = engine_loop.stepper_of(model)
        if kind is None:
            yield
            return
        stepper = kind(model, self.events, self.failures)
        prices, controller.prices = controller.prices, {}
        controller._stepper = stepper
        try:
            yield
        finally:
            del controller._stepper
            controller.prices = prices
            controller.traded_account_values = stepper.rows.columns()
            self.callback_seconds += stepper.callback_seconds
