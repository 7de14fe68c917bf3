"""A futures account stepped as a spot one: its own check of margins, its own way to be valued."""

from .engine_loop import Stepper
from .engine_rows import AccountRows

NONE = {"available": 0, "hold": 0}


def is_futures(interface):
    from blankly.exchanges.interfaces.paper_trade.futures.futures_paper_trade_interface import (
        FuturesPaperTradeInterface,
    )

    return type(interface) is FuturesPaperTradeInterface


class FuturesRows(AccountRows):
    """A contract is valued by its amount, long or short."""

    def _prepare(self):
        super()._prepare()
        self._slow = self.quote not in self.interface.traded_assets
        quotes = self.interface._quote_map
        plan = []
        for asset, pair, append in self._plan:
            contract = asset.endswith("PERP")
            if contract and asset in quotes:
                pair = "%s-%s" % (asset.split("-")[0], quotes[asset])
            plan.append((asset, pair, append, contract))
        self._plan = plan

    def _accounts_of(self, interface):
        return interface.paper_account

    def add(self, now):
        if len(self.interface.traded_assets) != self._known:
            self._prepare()
        if self._slow:
            return self._add_slowly(now)
        look_up, prices = self._accounts.get, self.prices
        total = 0
        held = []
        try:
            for asset, pair, _, contract in self._plan:
                account = look_up(asset, NONE)
                amount = account["available"] + account["hold"]
                held.append(amount)
                total += prices[pair] * (abs(amount) if contract else amount)
        except KeyError:
            return self._add_slowly(now)  # the library says what is wrong
        for entry, amount in zip(self._plan, held):
            entry[2](amount)
        account = look_up(self.quote, NONE)
        amount = account["available"] + account["hold"]
        self._quote_append(amount)
        self.values.append(total + amount)
        self.times.append(now)
        return None


class FuturesStepper(Stepper):
    rows_of = FuturesRows

    def sleep(self, seconds):
        interface = self.interface
        if interface.paper_positions or interface._placed_orders:
            interface.evaluate_limits()
        self.advance(seconds)


def install():
    from blankly.exchanges.interfaces.paper_trade.futures.futures_paper_trade_interface import (
        FuturesPaperTradeInterface,
    )

    looked_up = FuturesPaperTradeInterface.get_account

    def get_account(self, symbol=None):
        """Balances are numbers: to copy each account is to copy them all."""
        accounts = self.paper_account
        if not symbol:
            copied = accounts.copy()
            for asset, account in accounts.items():
                copied[asset] = dict(account)
            return copied
        account = accounts.get(symbol)
        return dict(account) if account is not None else looked_up(self, symbol)

    FuturesPaperTradeInterface.get_account = get_account
