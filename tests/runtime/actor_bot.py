"""A model that does what its CASE says, call after call, and notes all that it sees."""

import blankly

# the peer puts these here before it runs this text
CASE, READERS, SILENT = (globals()[name] for name in ("CASE", "READERS", "SILENT"))
OBSERVED = []


def see(*values):
    OBSERVED.append([type(values[0]).__name__] + [repr(value) for value in values])


def amount(state_interface, asset):
    try:
        account = state_interface.account[asset]
        return account.available
    except (KeyError, AttributeError):
        return 0


class Actor:
    """One event: its actions are taken in turn, whatever they do."""

    def __init__(self, actions):
        self.actions = actions
        self.calls = 0
        self.orders = []

    def act(self, interface, now, symbol, price):
        action = self.actions[self.calls % len(self.actions)]
        self.calls += 1
        name, value = action[0], action[1] if len(action) > 1 else 0
        base, quote = symbol.split("-")
        if name == "buy":
            cash = interface.get_account(quote).available
            self.place(
                interface.market_order, symbol, "buy", blankly.trunc(cash * value / price, 4)
            )
        elif name == "sell":
            size = blankly.trunc(amount(interface, base) * value, 4)
            self.place(interface.market_order, symbol, "sell", size)
        elif name == "short":
            self.place(interface.market_order, symbol, "sell", blankly.trunc(value, 4))
        elif name == "limit_buy":
            cash = interface.get_account(quote).available
            at = blankly.trunc(price * value, 4)
            self.place(interface.limit_order, symbol, "buy", at, blankly.trunc(cash * 0.3 / at, 4))
        elif name == "limit_sell":
            size = blankly.trunc(amount(interface, base) * 0.5, 4)
            self.place(interface.limit_order, symbol, "sell", blankly.trunc(price * value, 4), size)
        elif name == "stop":
            size = blankly.trunc(amount(interface, base) * 0.5, 4)
            self.place(interface.stop_loss_order, symbol, blankly.trunc(price * value, 4), size)
        elif name == "take":
            size = blankly.trunc(amount(interface, base) * 0.5, 4)
            self.place(interface.take_profit_order, symbol, blankly.trunc(price * value, 4), size)
        elif name == "cancel":
            waiting = interface.get_open_orders()
            see(len(waiting))
            if waiting:
                order = waiting[int(value) % len(waiting)]
                see(sorted(interface.cancel_order(order["symbol"], order["id"])))
        elif name == "status" and self.orders:
            order = self.orders[int(value) % len(self.orders)]
            known = order.get_status(full=True)
            see(known and known["status"], order.get_type(), order.get_side(), order.get_size())
        elif name == "history":
            columns = interface.history(symbol, int(value), resolution=CASE["history"])
            see(columns["close"].tolist(), columns["time"].tolist(), list(columns.columns))
        elif name == "lists":
            columns = interface.history(
                symbol, int(value), resolution=CASE["history"], return_as="list"
            )
            see(columns)
        elif name == "deque":
            columns = interface.history(
                symbol, int(value), resolution=CASE["history"], return_as="deque"
            )
            see({name: (list(column), column.maxlen) for name, column in columns.items()})
        elif name == "account":
            see(dict(interface.account), interface.get_account(base).hold, now)
        elif name == "cash":
            see(interface.cash)
        elif name == "raise":
            raise ValueError(f"on purpose, call {self.calls}")

    def place(self, method, *arguments):
        try:
            order = method(*arguments)
        except Exception as error:
            see(type(error).__name__, str(error))
        else:
            self.orders.append(order)
            see(order.get_symbol(), order.get_purchase_time())


def init(symbol, state):
    see(symbol, state.resolution, state.time)
    history = state.interface.history(
        symbol if isinstance(symbol, str) else symbol[0], 5, resolution=CASE["history"]
    )
    see(len(history), history["close"].tolist())


def callback_of(event):
    actor = Actor(event["actions"])

    def price_event(price, symbol, state):
        see(price, symbol, state.time, state.resolution, state.base_asset)
        actor.act(state.interface, state.time, symbol, price)

    def bar_event(bar, symbol, state):
        see(bar, symbol, state.time)
        actor.act(state.interface, state.time, symbol, bar["close"])

    def arbitrage_event(prices, symbols, state):
        see(prices, symbols, state.time)
        symbol = symbols[actor.calls % len(symbols)]
        actor.act(state.interface, state.time, symbol, prices[symbol])

    def scheduled_event(state):
        symbol = event["symbol"]
        see(state.time, state.symbol)
        actor.act(state.interface, state.time, symbol, state.interface.get_price(symbol))

    return {
        "price": price_event,
        "bar": bar_event,
        "arbitrage": arbitrage_event,
        "scheduled": scheduled_event,
    }[event["type"]]


def build(exchange):
    strategy = blankly.Strategy(exchange)
    for event in CASE["events"]:
        function, resolution = callback_of(event), event["resolution"]
        starting = init if event.get("init") else None
        if event["type"] == "price":
            strategy.add_price_event(function, event["symbol"], resolution, init=starting)
        elif event["type"] == "bar":
            strategy.add_bar_event(function, event["symbol"], resolution, init=starting)
        elif event["type"] == "arbitrage":
            strategy.add_arbitrage_event(function, event["symbols"], resolution, init=starting)
        else:
            strategy.add_scheduled_event(function, resolution)
    return strategy


class Walker(blankly.Model):
    """A model of its own, with a loop that sleeps."""

    def main(self, args):
        actors = [(event, Actor(event["actions"])) for event in CASE["events"]]
        while self.has_data:
            for event, actor in actors:
                price = self.interface.get_price(event["symbol"])
                see(price, self.time)
                try:
                    actor.act(self.interface, self.time, event["symbol"], price)
                except ValueError as error:
                    see(str(error))
            self.backtester.value_account()
            self.sleep(args["sleep"])

    def event(self, type_, data):
        see(type_, data)


def run():
    exchange = blankly.KeylessExchange(
        maker_fee=CASE["fees"][0], taker_fee=CASE["fees"][1], price_reader=READERS
    )
    settings = dict(CASE["keywords"], **SILENT)
    if CASE.get("model"):
        model = Walker(exchange)
        for symbol, resolution in CASE["watched"]:
            model.backtester.add_prices(
                symbol, resolution, start_date=CASE["from"], stop_date=CASE["until"]
            )
        if CASE.get("news"):
            news = {time: {"told": time} for time in CASE["news"]}
            model.backtester.add_custom_events(blankly.data.data_reader.EventReader("news", news))
        model.backtest({"sleep": CASE["model"]}, initial_values=CASE["values"], kwargs=settings)
    else:
        build(exchange).backtest(
            start_date=CASE["from"],
            end_date=CASE["until"],
            initial_values=CASE["values"],
            **settings,
        )


run()
