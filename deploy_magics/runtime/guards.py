"""Changes to the library that hold for every run: no look into the future, no swallowed error."""

import types


def install(clock, failures):
    _hide_the_future(clock)
    _report_callbacks(failures)
    _survive_short_spans()
    _be_quiet()
    _mend_pandas()
    _quote_pairs()


def _report_callbacks(failures):
    """The library prints what a callback raises and goes on: it is mapped and counted instead."""
    from blankly.frameworks.strategy import strategy
    from blankly.utils import scheduler

    telling = types.SimpleNamespace(print_exc=lambda *_, **__: failures.callback())
    strategy.traceback = telling
    scheduler.traceback = telling
    from blankly.exchanges.interfaces.paper_trade import backtest_controller

    # what ends `main` is told where it is caught
    backtest_controller.traceback = types.SimpleNamespace(print_exc=lambda *_, **__: None)


def _hide_the_future(clock):
    """Bars that are not complete yet do not exist, whatever dates are asked for."""
    from blankly.exchanges.interfaces.paper_trade.backtesting_wrapper import BacktestingWrapper
    from blankly.exchanges.interfaces.paper_trade.futures.futures_paper_trade_interface import (
        FuturesPaperTradeInterface,
    )
    from blankly.exchanges.interfaces.paper_trade.paper_trade_interface import PaperTradeInterface

    for kind in (PaperTradeInterface, FuturesPaperTradeInterface):
        _clamp(kind, clock)

    def stored(self):
        tables = self.__dict__.get("_all_prices", {})
        return tables if clock.now is None else PastPrices(tables, clock)

    def store(self, tables):
        self.__dict__["_all_prices"] = tables

    BacktestingWrapper.full_prices = property(stored, store)


def _clamp(kind, clock):
    original, time_of = kind.get_product_history, kind.backtesting_time

    def get_product_history(self, symbol, epoch_start, epoch_stop, resolution):
        return original(
            self, symbol, epoch_start, clock.last_visible(epoch_stop, resolution), resolution
        )

    def backtesting_time(self):
        known = time_of(self)
        return clock.now if known is None else known

    kind.get_product_history = get_product_history
    kind.backtesting_time = backtesting_time


class PastPrices(dict):
    """The library's prices by symbol and resolution, cut at the present moment."""

    def __init__(self, tables, clock):
        super().__init__((symbol, _PastFrames(found, clock)) for symbol, found in tables.items())


class _PastFrames(dict):
    def __init__(self, frames, clock):
        super().__init__(frames)
        self._clock = clock

    def __getitem__(self, resolution):
        frame = super().__getitem__(resolution)
        last = self._clock.now - resolution
        return frame.iloc[: int(frame["time"].searchsorted(last, "right"))]

    def get(self, resolution, default=None):
        return self[resolution] if resolution in self else default

    def values(self):
        return [self[resolution] for resolution in self]

    def items(self):
        return [(resolution, self[resolution]) for resolution in self]


def _survive_short_spans():
    """A run of less than one metrics' interval has no yearly rate; the library would raise."""
    from blankly.exchanges.interfaces.paper_trade import metrics

    cagr = metrics.cagr

    def careful(data):
        try:
            return cagr(data)
        except (ZeroDivisionError, OverflowError):
            return float("nan")

    metrics.cagr = careful


def _be_quiet():
    """What the library says at each run about its own defaults is none of the model's words."""
    from blankly.exchanges.interfaces.paper_trade import backtest_controller, paper_trade_interface
    from blankly.utils import utils

    say = utils.info_print

    def info_print(message):
        if "not specified in preferences, defaulting to" not in str(message):
            say(message)

    utils.info_print = info_print
    backtest_controller.print = paper_trade_interface.print = lambda *_, **__: None


def _mend_pandas():
    """The library was written for a pandas whose frames could ``append``."""
    import pandas

    if hasattr(pandas.DataFrame, "append"):
        return

    def append(self, other, ignore_index=False):
        if other is None:
            return self
        if isinstance(other, dict):
            other = [other]
        rows = other if isinstance(other, pandas.DataFrame) else pandas.DataFrame(other)
        return pandas.concat([self, rows], ignore_index=ignore_index)

    pandas.DataFrame.append = append


def pair_of(asset, prices):
    """The pair among ``prices`` that quotes ``asset``; None where there is none."""
    if "-" in asset:
        return None
    return next((symbol for symbol in prices if symbol.startswith(asset + "-")), None)


def _quote_pairs():
    """On an exchange of stocks the library asks for ``EUR`` where ``EUR-USD`` was given."""
    from blankly.exchanges.interfaces.paper_trade.backtesting_wrapper import BacktestingWrapper

    ask = BacktestingWrapper.get_backtesting_price

    def get_backtesting_price(self, asset_id):
        prices = self.frame["prices"]
        if asset_id not in prices:
            asset_id = pair_of(asset_id, prices) or asset_id
        return ask(self, asset_id)

    BacktestingWrapper.get_backtesting_price = get_backtesting_price
