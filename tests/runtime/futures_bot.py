"""A futures strategy that does what its CASE says, call after call, and notes all that it sees."""

import blankly
from blankly import Side

CASE, SILENT = (globals()[name] for name in ("CASE", "SILENT"))
OBSERVED = []


def see(*values):
    OBSERVED.append([type(values[0]).__name__] + [repr(value) for value in values])


class Actor:
    def __init__(self, actions):
        self.actions = actions
        self.calls = 0

    def act(self, interface, now, symbol, price):
        name, value = (self.actions[self.calls % len(self.actions)] + [0])[:2]
        self.calls += 1
        position = interface.get_position(symbol)
        size = blankly.trunc(interface.cash * value / price, 4)
        if name == "long":
            self.place(interface.market_order, symbol, Side.BUY, size)
        elif name == "short":
            self.place(interface.market_order, symbol, Side.SELL, size)
        elif name == "close" and position:
            side = Side.SELL if position["size"] > 0 else Side.BUY
            self.place(
                interface.market_order, symbol, side, abs(position["size"]), reduce_only=True
            )
        elif name in ("limit_buy", "limit_sell"):
            side = Side.BUY if name == "limit_buy" else Side.SELL
            at = blankly.trunc(price * value, 4)
            self.place(interface.limit_order, symbol, side, at, 0.5)
        elif name == "stop":
            at = blankly.trunc(price * value, 4)
            self.place(interface.stop_loss_order, symbol, Side.SELL, at, 0.5)
        elif name == "take":
            at = blankly.trunc(price * value, 4)
            self.place(interface.take_profit_order, symbol, Side.SELL, at, 0.5)
        elif name == "cancel":
            waiting = list(interface._placed_orders.items())
            if waiting:
                number, (_, order) = waiting[int(value) % len(waiting)]
                see(interface.cancel_order(order.symbol, number).status)
        elif name == "leverage":
            try:
                interface.set_leverage(value)
            except Exception as error:
                see(str(error))
        elif name == "history":
            bars = interface.history(symbol, int(value), resolution=CASE["history"])
            see(bars["close"].tolist(), bars["time"].tolist())
        elif name == "account":
            account = interface.account
            account[symbol] = "it is ours"
            see(dict(interface.get_account()), interface.get_account("nothing"), now)
        elif name == "position":
            see(position, interface.positions, interface.get_leverage(symbol))
        elif name == "raise":
            raise ValueError(f"on purpose, call {self.calls}")

    def place(self, method, *arguments, **keywords):
        try:
            order = method(*arguments, **keywords)
        except Exception as error:
            see(type(error).__name__, str(error))
        else:
            see(order.symbol, order.size, order.status, order.limit_price)


def init(symbol, state):
    see(symbol, state.resolution, state.time)


def callback_of(event):
    actor = Actor(event["actions"])

    def price_event(price, symbol, state):
        see(price, symbol, state.time, state.base_asset, state.interface.cash)
        actor.act(state.interface, state.time, symbol, price)

    def bar_event(bar, symbol, state):
        see(bar, symbol, state.time)
        actor.act(state.interface, state.time, symbol, bar["close"])

    def arbitrage_event(prices, symbols, state):
        see(prices, symbols, state.time)
        symbol = symbols[actor.calls % len(symbols)]
        actor.act(state.interface, state.time, symbol, prices[symbol])

    def scheduled_event(state):
        see(state.time)
        symbol = event["symbol"]
        actor.act(state.interface, state.time, symbol, state.interface.get_price(symbol))

    return {
        "price": price_event,
        "bar": bar_event,
        "arbitrage": arbitrage_event,
        "scheduled": scheduled_event,
    }[event["type"]]


strategy = blankly.FuturesStrategy(blankly.BinanceFutures())
for event in CASE["events"]:
    function, resolution = callback_of(event), event["resolution"]
    if event["type"] == "price":
        strategy.add_price_event(function, event["symbol"], resolution, init=init)
    elif event["type"] == "bar":
        strategy.add_bar_event(function, event["symbol"], resolution, init=init)
    elif event["type"] == "arbitrage":
        strategy.add_arbitrage_event(function, event["symbols"], resolution)
    else:
        strategy.add_scheduled_event(function, resolution)
for symbol, rates in CASE.get("funding", {}).items():
    told = {int(time): {"symbol": symbol, "rate": rate} for time, rate in rates.items()}
    reader = blankly.data.data_reader.EventReader("__blankly__funding_rate", told)
    strategy.model.backtester.add_custom_events(reader)
strategy.backtest(
    start_date=CASE["from"],
    end_date=CASE["until"],
    initial_values=CASE["values"],
    **CASE["keywords"],
)
