"""Six strategies as their author would write them, for SYMBOL at RESOLUTION on EXCHANGE."""

RSI = """
def price_event(price, symbol, state):
    state.variables.history.append(price)
    rsi = blankly.indicators.rsi(list(state.variables.history)[-100:], period=14)
    held = state.interface.account[state.base_asset].available
    if len(rsi) and rsi[-1] < 30 and not held:
        buy = blankly.trunc(state.interface.get_account(QUOTE).available / price, 4)
        state.interface.market_order(symbol, side="buy", size=buy)
    elif len(rsi) and rsi[-1] > 70 and held:
        state.interface.market_order(symbol, side="sell", size=blankly.trunc(held, 4))

def init(symbol, state):
    state.variables.history = state.interface.history(
        symbol, to=150, return_as="deque", resolution=state.resolution)["close"]

strategy.add_price_event(price_event, SYMBOL, RESOLUTION, init=init)
"""

GOLDEN_CROSS = """
def price_event(price, symbol, state):
    state.variables.history.append(price)
    if len(state.variables.history) < 50:
        return
    slow = blankly.indicators.sma(state.variables.history[-60:], period=50)
    fast = blankly.indicators.sma(state.variables.history[-60:], period=20)
    held = state.interface.account[state.base_asset].available
    if fast[-1] > slow[-1] and not held:
        cash = state.interface.get_account(QUOTE).available
        state.interface.market_order(symbol, "buy", blankly.trunc(cash / price, 3))
    elif fast[-1] < slow[-1] and held:
        state.interface.market_order(symbol, "sell", blankly.trunc(held, 3))

def init(symbol, state):
    state.variables.history = []

strategy.add_price_event(price_event, SYMBOL, RESOLUTION, init=init)
"""

BREAKOUT = """
def bar_event(bar, symbol, state):
    past = state.interface.history(symbol, 40, resolution=state.resolution, return_as="list")
    if len(past["high"]) < 20:
        return
    held = blankly.trunc(state.interface.account[state.base_asset].available, 3)
    if bar["close"] >= max(past["high"][-20:-1]) and not held:
        cash = state.interface.get_account(QUOTE).available
        size = blankly.trunc(0.9 * cash / bar["close"], 4)
        state.interface.market_order(symbol, "buy", size)
    elif bar["close"] <= min(past["low"][-20:-1]) and held:
        state.interface.market_order(symbol, "sell", held)

strategy.add_bar_event(bar_event, SYMBOL, RESOLUTION)
"""

GRID = """
def price_event(price, symbol, state):
    state.variables.n = state.variables.get("n", 0) + 1
    if state.variables.n % 24 != 1:
        return
    for order in state.interface.get_open_orders():
        state.interface.cancel_order(symbol, order["id"])
    cash = state.interface.get_account(QUOTE).available
    held = state.interface.account[state.base_asset].available
    for step in (0.998, 0.996):
        size = blankly.trunc(0.2 * cash / price, 4)
        state.interface.limit_order(symbol, "buy", blankly.trunc(price * step, 6), size)
    if blankly.trunc(held / 2, 4) > 0:
        state.interface.limit_order(
            symbol, "sell", blankly.trunc(price * 1.002, 6), blankly.trunc(held / 2, 4))

strategy.add_price_event(price_event, SYMBOL, RESOLUTION)
"""

BRACKET = """
def price_event(price, symbol, state):
    waiting = state.interface.get_open_orders()
    held = state.interface.account[state.base_asset].available
    if not waiting and not held:
        cash = state.interface.get_account(QUOTE).available
        state.interface.market_order(symbol, "buy", blankly.trunc(0.5 * cash / price, 4))
        held = state.interface.account[state.base_asset].available
        half = blankly.trunc(held / 2, 4)
        state.interface.stop_loss_order(symbol, blankly.trunc(price * 0.99, 6), half)
        state.interface.take_profit_order(symbol, blankly.trunc(price * 1.01, 6), half)
    elif len(waiting) == 1:
        state.interface.cancel_order(symbol, waiting[0]["id"])
        held = state.interface.account[state.base_asset].available
        state.interface.market_order(symbol, "sell", blankly.trunc(held, 4))

strategy.add_price_event(price_event, SYMBOL, RESOLUTION)
"""

AVERAGING = """
def watch(price, symbol, state):
    pass

def buy(state):
    price = state.interface.get_price(SYMBOL)
    cash = state.interface.get_account(QUOTE).available
    state.interface.market_order(SYMBOL, "buy", blankly.trunc(0.02 * cash / price, 5))

strategy.add_price_event(watch, SYMBOL, RESOLUTION)
strategy.add_scheduled_event(buy, 7 * RESOLUTION)
"""

ALL = {
    "rsi": RSI,
    "golden cross": GOLDEN_CROSS,
    "breakout": BREAKOUT,
    "grid": GRID,
    "bracket": BRACKET,
    "averaging": AVERAGING,
}

HEAD = """
import blankly
SYMBOL, QUOTE, RESOLUTION = {symbol!r}, {quote!r}, {resolution!r}
exchange = blankly.KeylessExchange({fees}, price_reader={reader})
strategy = blankly.Strategy(exchange)
"""

PLAIN = """
import json, sys
from blankly.data.data_reader import PriceReader
result = strategy.backtest(
    start_date={start}, end_date={end}, initial_values={{QUOTE: 1000}}, GUI_output=False,
    quote_account_value_in=QUOTE, show_progress_during_backtest=False)
history = result.get_account_history()
json.dump({{
    "metrics": {{name: metric["value"] for name, metric in result.metrics.items()}},
    "orders": [[o["side"], o["size"], o.get("price"), o["time"]] for o in result.trades["created"]],
    "equity": history["Account Value (" + QUOTE + ")"].tolist(),
}}, open("plain.json", "w"))
"""


def model_source(name: str, symbol: str, resolution: int) -> str:
    quote = [*symbol.split("-"), "USD"][1]
    fees = "0.001, 0.001" if name in ("grid", "breakout") else "0, 0"
    head = HEAD.format(symbol=symbol, quote=quote, resolution=resolution, fees=fees, reader=None)
    return head + ALL[name]


def plain_source(name: str, symbol: str, resolution: int, csv: str, span: tuple[int, int]) -> str:
    """The same as ``bot.py`` for the library alone; it writes plain.json.

    Older pandas read a CSV's numbers a last bit off; the library is given the exact ones.
    """
    frame = f"__import__('pandas').read_csv({csv!r}, float_precision='round_trip')"
    reader = f"__import__('blankly').data.data_reader.PriceReader({frame}, {symbol!r})"
    source = model_source(name, symbol, resolution)
    source = source.replace("price_reader=None", f"price_reader={reader}")
    return source + PLAIN.format(start=span[0], end=span[1])


EACH_IN_A_PROCESS = """
import os, runpy, sys
import blankly
for folder in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            os.chdir(folder)
            runpy.run_path("bot.py", run_name="__main__")
            os._exit(0)
        except BaseException:
            __import__("traceback").print_exc()
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        sys.exit(folder)
"""
"""``python bot.py`` in each folder, with the library imported once for all of them."""
