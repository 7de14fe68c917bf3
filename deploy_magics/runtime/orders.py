"""The orders of a paper account in one form, spot and futures alike."""

import itertools


def orders_of(interface):
    """All orders so far, the cancelled included, in the order in which they were made."""
    interface = getattr(interface, "interface", interface) if _is_logger(interface) else interface
    if hasattr(interface, "_placed_orders"):
        return list(getattr(interface, "_told_orders", {}).values())
    return _spot(interface)


def _is_logger(interface):
    return type(interface).__name__ == "StrategyLogger"


def _spot(interface):
    executed = {entry["id"]: entry["executed_time"] for entry in interface.executed_orders}
    cancelled = {entry["id"]: entry["canceled_time"] for entry in interface.canceled_orders}
    prices = {
        entry["id"]: entry["executed_price"] for entry in interface.market_order_execution_details
    }
    known = list(interface.paper_trade_orders) + list(getattr(interface, "_cancelled_orders", ()))
    found = [spot_order(interface, order, executed, cancelled, prices) for order in known]
    if cancelled:
        found.sort(key=lambda order: order["created_at"])
    return found


def spot_order(interface, order, executed, cancelled, prices):
    """One order; ``fee`` is in the quote currency, and null until the order is filled."""
    number = order["id"]
    created = order["created_at"] if "created_at" in order else order.get("time")
    market = order["type"] in ("market", "spot-market")
    price = prices.get(number, order.get("price"))
    status = "canceled" if number in cancelled else order["status"]
    fee = None
    if status == "done":
        rates = interface.get_fees(order["symbol"])
        rate = rates["taker_fee_rate" if market else "maker_fee_rate"]
        fee = float(order["size"]) * float(price) * float(rate)
    parts = order["symbol"].split("-")
    return {
        "id": number,
        "symbol": order["symbol"],
        "quote_asset": parts[1] if len(parts) > 1 else "USD",
        "side": str(order["side"]).rsplit(".", 1)[-1].lower(),  # it may be "Side.BUY"
        "type": "market" if market else order["type"],
        "size": order["size"],
        "price": price,
        "status": status,
        "created_at": created,
        "time": created if market else executed.get(number, created),
        "executed_at": created if market else executed.get(number),
        "canceled_at": cancelled.get(number),
        "fee": fee,
    }


def watch(on_order=None):
    """Keeps what the library forgets (cancelled orders, the times of futures orders).

    ``on_order(order)``: called with each order that was made, filled or cancelled.
    """
    from blankly.exchanges.interfaces.paper_trade.paper_trade_interface import PaperTradeInterface

    cancel = PaperTradeInterface.cancel_order

    def cancel_order(self, symbol, order_id):
        kept = [
            order
            for order in self.paper_trade_orders
            if order["id"] == order_id and order["status"] == "pending"
        ]
        answer = cancel(self, symbol, order_id)
        if not hasattr(self, "_cancelled_orders"):
            self._cancelled_orders = []
        self._cancelled_orders.extend(kept)
        return answer

    PaperTradeInterface.cancel_order = cancel_order
    _watch_futures()


def _watch_futures():
    from blankly.exchanges.interfaces.paper_trade.futures.futures_paper_trade_interface import (
        FuturesPaperTradeInterface,
    )

    kind = FuturesPaperTradeInterface
    place, execute, cancel = kind._place_order, kind.execute_orders, kind.cancel_order

    def told(self):
        """All orders by number, and those of them that are still open."""
        if not hasattr(self, "_told_orders"):
            self._told_orders, self._open_orders = {}, {}
        return self._told_orders, self._open_orders

    def _place_order(self, type, symbol, side, size, limit_price=0, *rest, **keywords):
        now = self.time()
        order = place(self, type, symbol, side, size, limit_price, *rest, **keywords)
        known, unsettled = told(self)
        entry = _futures_order(order, now)
        known[order.id] = unsettled[order.id] = entry
        _settle(self, unsettled, now)
        return order

    def execute_orders(self):
        execute(self)
        _settle(self, told(self)[1], self.time())

    def cancel_order(self, symbol, order_id):
        answer = cancel(self, symbol, order_id)
        entry = told(self)[1].pop(order_id, None)
        if entry is not None:
            entry.update(status="canceled", canceled_at=self.time())
        return answer

    # the library draws five digits: among a few hundred orders one takes the place of another
    kind.gen_order_id = staticmethod(itertools.count(10_000).__next__)
    kind._place_order = _place_order
    kind.execute_orders = execute_orders
    kind.cancel_order = cancel_order


def _settle(interface, unsettled, now):
    for number in [number for number in unsettled if number in interface._executed_orders]:
        entry, order = unsettled.pop(number), interface._executed_orders[number]
        price = order.limit_price or interface.get_price(order.symbol)
        entry.update(
            status="done",
            price=price,
            time=now,
            executed_at=now,
            fee=float(price) * float(order.size) * float(interface.get_taker_fee()),
        )


def _futures_order(order, now):
    quote = (order.symbol.split("-") + ["USD"])[1]
    return {
        "id": str(order.id),
        "symbol": order.symbol,
        "quote_asset": quote,
        "side": str(getattr(order.side, "value", order.side)),
        "type": str(getattr(order.type, "value", order.type)),
        "size": order.size,
        "price": order.limit_price or None,
        "status": "pending",
        "created_at": now,
        "time": now,
        "executed_at": None,
        "canceled_at": None,
        "fee": None,
    }
