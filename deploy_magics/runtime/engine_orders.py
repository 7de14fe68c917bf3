"""Orders found by their number, and only the open ones looked at on each bar.

What a fill or a cancel does is the library's own: its functions are given the few orders that are
concerned in place of all that were ever made.
"""


class OrderBook(list):
    """The list that the library appends its orders to, with an index beside it."""

    def __init__(self, orders=()):
        super().__init__()
        self.by_id = {}
        self.pending = {}
        for order in orders:
            self.append(order)

    def append(self, order):
        super().append(order)
        self.by_id.setdefault(order["id"], order)
        if order["status"] == "pending":
            self.pending[order["id"]] = order

    def forget(self, order):
        self.by_id.pop(order["id"], None)
        self.pending.pop(order["id"], None)
        for index in range(len(self) - 1, -1, -1):
            if self[index] is order:
                del self[index]
                return


def book_of(interface):
    book = interface.paper_trade_orders
    if type(book) is not OrderBook:
        book = interface.paper_trade_orders = OrderBook(book)
    return book


def triggers(order, price):
    """Whether the library would fill this order at ``price``; it does so itself then."""
    kind, limit = order["type"], order["price"]
    if kind not in ("limit", "stop_loss"):
        return False
    if order["side"] == "buy":
        return limit > price
    if order["side"] == "sell":
        return limit < price if kind == "limit" else price <= limit
    return False


def install():
    from blankly.exchanges.interfaces.paper_trade.paper_trade_interface import PaperTradeInterface

    init = PaperTradeInterface.__init__
    evaluate = PaperTradeInterface.evaluate_limits
    cancel = PaperTradeInterface.cancel_order

    def with_book(self, *arguments, **keywords):
        init(self, *arguments, **keywords)
        self.paper_trade_orders = OrderBook()

    def evaluate_limits(self):
        book = book_of(self)
        if not self.backtesting:
            return evaluate(self)
        if not book.pending:
            return None
        prices = self.frame["prices"]
        for order in book.pending.values():
            price = prices.get(order["symbol"])
            if price is None or triggers(order, price):
                break
        else:
            return None
        self.paper_trade_orders = list(book.pending.values())
        try:
            evaluate(self)
        finally:
            self.paper_trade_orders = book
            for number in [n for n, order in book.pending.items() if order["status"] != "pending"]:
                del book.pending[number]
        return None

    def cancel_order(self, symbol, order_id):
        book = book_of(self)
        order = book.pending.get(order_id)
        self.paper_trade_orders = [] if order is None else [order]
        try:
            answer = cancel(self, symbol, order_id)
        finally:
            self.paper_trade_orders = book
        book.forget(order)
        return answer

    def get_open_orders(self, symbol=None):
        return list(book_of(self).pending.values())

    def get_order(self, symbol, order_id):
        return book_of(self).by_id.get(order_id)

    PaperTradeInterface.__init__ = with_book
    PaperTradeInterface.evaluate_limits = evaluate_limits
    PaperTradeInterface.cancel_order = cancel_order
    PaperTradeInterface.get_open_orders = get_open_orders
    PaperTradeInterface.get_order = get_order
