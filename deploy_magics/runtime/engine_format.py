"""The end of a backtest in linear time: orders matched by number, rows left in columns."""

import types


class AccountValues(list):
    """The platform's list of ``{time, value}``, made when somebody reads it."""

    def __init__(self, times, values):
        super().__init__()
        self._columns = times, values

    def _fill(self):
        if self._columns is not None:
            times, values = self._columns
            self._columns = None
            latest = dict(zip(times.tolist(), values.tolist()))
            self.extend({"time": time, "value": value} for time, value in latest.items())

    def __iter__(self):
        self._fill()
        return super().__iter__()

    def __len__(self):
        self._fill()
        return super().__len__()

    def __getitem__(self, index):
        self._fill()
        return super().__getitem__(index)


def settle(orders, executed, cancelled, market):
    """The life of each order, written into it as the library does."""
    executed = {entry["id"]: entry["executed_time"] for entry in reversed(executed)}
    cancelled = {entry["id"]: entry["canceled_time"] for entry in reversed(cancelled)}
    market = {entry["id"]: entry["executed_price"] for entry in reversed(market)}
    for order in orders:
        if "created_at" in order:
            order["time"] = order.pop("created_at")
        number = order["id"]
        if order["type"] == "limit":
            if number in executed:
                order["executed_time"] = executed[number]
            if number in cancelled:
                order["canceled_time"] = cancelled[number]
        elif order["type"] == "market":
            order["type"] = "spot-market"
            if number in market:
                order["price"] = market[number]
    return orders


def install():
    from blankly.exchanges.interfaces.paper_trade import backtest_controller

    original = backtest_controller.format_platform_result

    def format_platform_result(result):
        """The library's own answer for a history of two rows without orders, then the rest."""
        history = result.history_and_returns["history"]
        column = "Account Value (%s)" % result.quote_currency
        times, values = history["time"], history[column]
        ends = history.iloc[[int((times == times.iloc[0]).sum()) - 1, -1]]
        stand_in = types.SimpleNamespace(
            history_and_returns={"history": ends},
            trades={name: [] for name in result.trades},
            metrics=result.metrics,
            quote_currency=result.quote_currency,
            exchange=result.exchange,
            start_time=result.start_time,
            stop_time=result.stop_time,
            user_callbacks=result.user_callbacks,
        )
        answer = original(stand_in)
        result.metrics = stand_in.metrics
        trades = result.trades
        answer["symbols"] = list(dict.fromkeys(order["symbol"] for order in trades["created"]))
        answer["account_values"] = AccountValues(times, values)
        answer["trades"] = settle(
            trades["created"],
            trades["limits_executed"],
            trades["limits_canceled"],
            trades["executed_market_orders"],
        )
        return answer

    backtest_controller.format_platform_result = format_platform_result
