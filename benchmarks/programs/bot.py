"""The RSI strategy, as a user of the library writes it."""

import blankly

LOW = 30
HIGH = 70
SIZE = 10


def init(symbol, state):
    state.variables.history = state.interface.history(
        symbol, to=150, return_as="deque", resolution=state.resolution
    )["close"]
    state.variables.owns_position = False


def price_event(price, symbol, state):
    state.variables.history.append(price)
    rsi = blankly.indicators.rsi(state.variables.history)
    if rsi[-1] < LOW and not state.variables.owns_position:
        if state.interface.cash > SIZE * price:
            state.interface.market_order(symbol, side="buy", size=SIZE)
            state.variables.owns_position = True
    elif rsi[-1] > HIGH and state.variables.owns_position:
        state.interface.market_order(symbol, side="sell", size=SIZE)
        state.variables.owns_position = False


def build(csv, resolution):
    from blankly.data.data_reader import PriceReader

    exchange = blankly.KeylessExchange(price_reader=PriceReader(csv, "BTC-USD"))
    strategy = blankly.Strategy(exchange)
    strategy.add_price_event(price_event, symbol="BTC-USD", resolution=resolution, init=init)
    return strategy


# ---- below: how it is run
if __name__ == "__main__":
    import json
    import os
    import resource
    import sys

    options = json.loads(sys.argv[1])
    globals().update(options.get("constants", {}))
    strategy = build(options["csv"], options["resolution"])
    result = strategy.backtest(
        start_date=options["start"], end_date=options["end"], initial_values={"USD": 10000}
    )
    history = result.get_account_history()
    print(
        json.dumps(
            {
                "metrics": {key: entry["value"] for key, entry in result.metrics.items()},
                "final": float(history["Account Value (USD)"].iloc[-1]),
                "trades": len(result.trades["created"]) // 2,
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )
    sys.stdout.flush()
    os._exit(0)
