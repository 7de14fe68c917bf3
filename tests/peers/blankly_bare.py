"""``python bot.py`` by the library alone: ``blankly_bare.py SPEC`` in the folder of an example.

The example is run as it is. Offline there is no exchange to ask, so the library's own keyless one
answers under the name of whichever the example constructs. ``SPEC`` (JSON) holds ``prices`` (CSV
files by symbol, one for each resolution), ``now`` (epoch seconds) and ``keywords``, what is said to
``.backtest()`` of a strategy in place of the example's own. What came of it goes to ``bare.json``.
"""

import json
import pathlib
import runpy
import sys

import blankly
import pandas
from blankly.data import PriceReader
from blankly.exchanges.exchange import Exchange
from blankly.exchanges.interfaces.keyless.keyless_api import KeylessAPI
from blankly.exchanges.interfaces.paper_trade.paper_trade_interface import (
    PaperTradeInterface,
)
from blankly.frameworks.model.model import Model
from blankly.frameworks.strategy.strategy import Strategy
from blankly.utils.utils import AttributeDict

SPEC = json.loads(pathlib.Path(sys.argv[1]).read_text())
FRAMES = {
    symbol: [pandas.read_csv(path, float_precision="round_trip") for path in paths]
    for symbol, paths in SPEC["prices"].items()
}
FOUND = {"strategies": [], "screeners": []}


class Given(KeylessAPI):
    """The keyless exchange, with answers to what it has none for."""

    def __init__(self, name):
        self.name = name
        readers = [PriceReader(one, symbol) for symbol, all in FRAMES.items() for one in all]
        super().__init__(0, 0, readers)
        self.exchange_name = name

    def get_exchange_type(self):
        return self.name

    def get_products(self):
        return [{"symbol": symbol, "base_increment": 1e-9} for symbol in FRAMES]

    def get_price(self, symbol, time=None):
        return FRAMES[symbol][0]["close"].iloc[-1]

    def get_account(self, symbol=None):
        names = {asset for symbol in FRAMES for asset in symbol.split("-")}
        names.add(self.user_preferences["settings"][self.name]["cash"])
        return AttributeDict(
            {name: AttributeDict({"available": 0.0, "hold": 0.0}) for name in names}
        )

    def get_order_filter(self, symbol):
        answer = super().get_order_filter(symbol)
        limits = {"limit_multiplier_down": 1e-9, "limit_multiplier_up": 1e15}
        answer["exchange_specific"] = {"shortable": True, **limits}
        return answer


def on_given_prices(name):
    def __init__(self, *_, **__):
        Exchange.__init__(self, name, None, None)
        self.calls = Given(name)
        self.interface = PaperTradeInterface(self.calls, None)
        self.interface.initial_time = SPEC["now"]  # what a screener looks back from

    return __init__


for kind in [value for value in vars(blankly).values() if isinstance(value, type)]:
    if issubclass(kind, Exchange) and kind not in (Exchange, blankly.PaperTrade):
        kind.__init__ = on_given_prices(kind.__module__.rsplit(".", 1)[1])


def side(order):
    """An enumeration's member keeps its name as text."""
    return str(order["side"]).rpartition(".")[2].lower()


blankly._screener_runner = object()  # the library waits for no time of day
strategy_backtest, model_backtest = Strategy.backtest, Model.backtest
SILENT = {"GUI_output": False, "show_progress_during_backtest": False, "continuous_caching": False}


def backtest_strategy(strategy, to=None, **keywords):
    return strategy_backtest(strategy, **{**keywords, **SPEC["keywords"]})


def backtest_model(model, args, initial_values=None, settings_path=None, kwargs=None):
    keywords = {**(kwargs or {}), **SILENT}
    result = model_backtest(model, args, initial_values, settings_path, keywords)
    history = result.get_account_history()
    FOUND["strategies"].append(
        {
            "metrics": {name: metric["value"] for name, metric in result.metrics.items()},
            "orders": [
                [order["symbol"], side(order), order["size"], order["time"]]
                for order in result.trades["created"]
            ],
            "account": {name: history[name].tolist() for name in history},
        }
    )
    return result


Strategy.backtest, Model.backtest = backtest_strategy, backtest_model
made = runpy.run_path("bot.py", run_name="__main__")
FOUND["screeners"] = [
    value.formatted_results for value in made.values() if isinstance(value, blankly.Screener)
]
pathlib.Path("bare.json").write_text(json.dumps(FOUND))
