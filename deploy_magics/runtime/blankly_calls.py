"""The library's ``backtest``, ``start`` and ``run``, as the job wants them.

A main script may backtest its strategies, start them, or only build them. Each strategy is run
with the job's arguments, once, whichever it does; what the library answers is collected.
"""

import functools
import threading
import time

from . import collect
from .tracebacks import Explained

REASON = "the model's own code raised outside of a callback"


class ModelStopped(Exception):
    """``main`` or ``init`` of a model raised; the library would report on what there is."""


class NothingToRun(Explained):
    """A script without a strategy."""


GIVEN = (
    "__user_added_times",
    "__price_readers",
    "__event_readers",
    "__tick_readers",
    "user_start",
    "user_stop",
    "min_resolution",
)
"""What a script may give to the library's controller before a run."""


class Skipped:
    """The result of a backtest that was not run: everything about it is as empty as itself."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_, **__):
        return self

    def __getitem__(self, _):
        return self

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0

    def __format__(self, _):
        return str(self)

    def __repr__(self):
        return "(no backtest in a live run)"


class Calls:
    """What the script makes and runs; also where the library's reporter speaks to."""

    def __init__(self, job, events, prices, arguments, failures):
        self.job = job
        self.events = events
        self.prices = prices
        self.arguments = arguments
        self.failures = failures
        self.results = []
        self.strategies = []
        self.models = {}
        self.screeners = []
        self.exchanges = []
        self.symbols = []
        self.merged = threading.local()
        self.given = {}
        self.timings = {"load": 0.0, "run": 0.0, "format": 0.0}
        self.engine = None
        self.live = None

    # -- what the reporter is told

    def strategy_made(self, strategy):
        self.strategies.append(strategy)

    def exchange_used(self, name):
        if name not in self.exchanges:
            self.exchanges.append(name)

    def symbol_used(self, symbol):
        if symbol not in self.symbols:
            self.symbols.append(symbol)

    def screener_done(self, screener):
        self.screeners.append(screener)
        self.events.emit("screener", result=screener.formatted_results)

    def message_sent(self, kind, text):
        self.events.emit("message", kind=kind, text=str(text))

    # -- what replaces the library's calls

    def install(self):
        from blankly.frameworks.model.model import Model
        from blankly.frameworks.strategy.strategy import Strategy

        calls = self
        model_init, model_backtest = Model.__init__, Model.backtest
        strategy_backtest = Strategy.backtest
        self.original_start, self.original_run = Strategy.start, Model.run

        def made(model, exchange):
            model_init(model, exchange)
            calls.models[id(model)] = (model, None)

        def backtest_strategy(
            strategy,
            to=None,
            initial_values=None,
            start_date=None,
            end_date=None,
            settings_path=None,
            **settings,
        ):
            if calls.live is not None and not calls.live.replaying:
                return calls.skipped()
            calls.renew(strategy.model)
            merged = calls.arguments.merged(to, initial_values, start_date, end_date, settings)
            settings = merged.pop("settings")
            calls.merged.arguments = dict(merged, settings=settings)
            return strategy_backtest(strategy, settings_path=settings_path, **merged, **settings)

        def backtest_model(model, args=None, initial_values=None, settings_path=None, kwargs=None):
            if calls.live is not None and not calls.live.replaying:
                return calls.skipped()
            if getattr(calls.merged, "arguments", None) is None:
                calls.renew(model)
                kwargs = dict(kwargs or {})
                merged = calls.arguments.merged(None, initial_values, None, None, kwargs)
                calls.add_prices(model, merged)
                initial_values, kwargs = merged["initial_values"], merged["settings"]
                calls.merged.arguments = merged
            return calls.run(model, model_backtest, args, initial_values, settings_path, kwargs)

        Model.__init__ = made
        Model.backtest = backtest_model
        Model.run = lambda model, args=None: calls.start_model(model, args)
        Strategy.backtest = backtest_strategy
        Strategy.start = lambda strategy: calls.start_strategy(strategy)

    def start_strategy(self, strategy):
        """A backtest runs it after the script, a live run starts it then too."""

    def start_model(self, model, args):
        self.models[id(model)] = (model, args)

    def skipped(self):
        """A script that backtests what it builds trades with it, when it is deployed."""
        print("In a live run .backtest() is left out: the strategy starts after the script.")
        return Skipped()

    def renew(self, model):
        """The library's controller keeps the rows of its last run: each run gets a fresh one, with
        the prices and events that the script had given it before the first."""
        controller = model.backtester
        known = self.given.get(id(model))
        if known is None:
            self.given[id(model)] = {
                name: list(value) if isinstance(value, list) else value
                for name, value in vars(controller).items()
                if name.endswith(GIVEN)
            }
            return
        fresh = type(controller)(model)
        for name, value in known.items():
            setattr(fresh, name, list(value) if isinstance(value, list) else value)
        model.backtester = model._Model__backtester = fresh

    def add_prices(self, model, merged):
        """A model that asked for no prices gets all that were given."""
        if not self.prices or model.backtester.user_start is not None:
            return
        for symbol in self.prices.symbols:
            model.backtester.add_prices(
                symbol,
                self.prices.resolutions(symbol)[0],
                start_date=merged["start_date"],
                stop_date=merged["end_date"],
            )

    def run(self, model, original, args, initial_values, settings_path, kwargs):
        """One backtest by the library; its result is kept and handed on."""
        used, self.merged.arguments = self.merged.arguments, None
        controller = model.backtester
        main = model.main
        previous = self.prices.clock.follow(None)
        moments = [time.perf_counter()]

        def guarded_main(main_args):
            self.prices.clock.follow(lambda: controller.time)
            self.failures.clock = lambda: controller.time
            self.failures.orders = lambda: collect.last_orders(model.interface)
            self.events.emit("phase", name="running")
            if self.live is not None:
                self.live.begin(model)
            moments.append(time.perf_counter())
            try:
                if self.engine is not None:
                    with self.engine.running(model):
                        return main(main_args)
                return main(main_args)
            except Exception as error:
                self.failures.fatal(error)
                raise
            finally:
                if self.live is not None:
                    self.live.end(model)
                moments.append(time.perf_counter())
                self.prices.clock.follow(None)
                self.events.emit("phase", name="formatting")

        model.main = guarded_main
        try:
            result = original(model, args, initial_values, settings_path, kwargs)
            if self.failures.error is not None:
                raise ModelStopped(REASON) from self.failures.error
            self.results.append(collect.result_of(model, result, used, self.failures))
        finally:
            del model.main
            self.prices.clock.follow(previous)
            self._time(moments + [time.perf_counter()])
        self.models[id(model)] = (model, "done")
        return result

    def _time(self, moments):
        if len(moments) == 4:
            for name, begin, end in zip(("load", "run", "format"), moments, moments[1:]):
                self.timings[name] += end - begin

    def built(self):
        """What the script built: models, and functions that backtest them."""
        found = [
            (strategy.model, strategy.backtest)
            for strategy in self.strategies
            if strategy.schedulers
        ]
        for model, args in self.own_models():
            found.append((model, functools.partial(model.backtest, args)))
        return found

    def own_models(self):
        """Models that are no strategy's, and the arguments that they were to run with."""
        mine = {id(strategy.model) for strategy in self.strategies}
        return [
            (model, None if args == "done" else args)
            for key, (model, args) in self.models.items()
            if key not in mine
        ]

    def run_the_rest(self):
        """After the script: backtests what it built, unless it did so itself."""
        built = self.built()
        if not built and not self.screeners:
            raise NothingToRun(
                "The script builds nothing that can run: no strategy with an event, no model,"
                " no screener."
            )
        if not self.results:
            for _, backtest in built:
                backtest()
