"""The account's history in columns: a few numbers a row in place of two dictionaries."""

from array import array

from .guards import pair_of

NAN = float("nan")


class AccountRows:
    """What ``value_account`` records, row by row.

    The value is summed in the library's order, asset after asset and the quote currency last, so
    that it comes to the same number to the last bit.
    """

    def __init__(self, controller, prices):
        self.controller = controller
        self.interface = controller.interface
        self.prices = prices
        self.quote = controller.quote_currency
        self.value_name = "Account Value (%s)" % self.quote
        self.initial = controller.traded_account_values
        self.times = array("d")
        self.values = array("d")
        self.amounts = {}
        self._plan = []
        self._known = -1
        self._slow = False

    @property
    def value(self):
        if self.values:
            return self.values[-1]
        return self.initial[-1].get(self.value_name) if self.initial else None

    def _prepare(self):
        """Who is in the account now, and which price values it."""
        assets = self.interface.traded_assets
        self._known = len(assets)
        stocks = self.interface.get_exchange_type() == "alpaca"
        self._slow = self.quote not in assets or any(name.endswith("PERP") for name in assets)
        self._plan = []
        for asset in dict.fromkeys(list(assets) + [self.quote]):
            column = self.amounts.get(asset)
            if column is None:
                column = self.amounts[asset] = array("d", [NAN]) * len(self.times)
            if asset != self.quote:
                pair = "%s-%s" % (asset, self.quote)
                if stocks:
                    pair = asset if asset in self.prices else pair_of(asset, self.prices) or asset
                self._plan.append((asset, pair, column.append))
        self._quote_append = self.amounts[self.quote].append
        self._accounts = self._accounts_of(self.interface)

    def _accounts_of(self, interface):
        return interface.local_account

    def add(self, now):
        if len(self.interface.traded_assets) != self._known:
            self._prepare()
        if self._slow:
            return self._add_slowly(now)
        accounts = self._accounts.local_account
        prices = self.prices
        total = 0
        try:
            held = []
            for asset, pair, _ in self._plan:
                account = accounts[asset]
                amount = account["available"] + account["hold"]
                held.append(amount)
                total += prices[pair] * amount
            account = accounts[self.quote]
        except KeyError:
            return self._add_slowly(now)  # the library says what is wrong
        for entry, amount in zip(self._plan, held):
            entry[2](amount)
        amount = account["available"] + account["hold"]
        self._quote_append(amount)
        self.values.append(total + amount)
        self.times.append(now)
        return None

    def _add_slowly(self, now):
        available, _ = self.controller.format_account_data(self.interface, now)
        for asset, column in self.amounts.items():
            column.append(available.get(asset, NAN))
        self.values.append(available[self.value_name])
        self.times.append(now)

    def columns(self):
        """All rows as a mapping of arrays, in the library's order of columns."""
        import numpy

        names = list(dict.fromkeys(name for row in self.initial for name in row))
        names += [name for name in self.amounts if name not in names]
        names += [name for name in ("time", self.value_name) if name not in names]
        found = {}
        for name in names:
            if name == "time":
                rows = self.times
            elif name == self.value_name:
                rows = self.values
            else:
                rows = self.amounts.get(name, array("d", [NAN]) * len(self.times))
            first = [float(row.get(name, NAN)) for row in self.initial]
            found[name] = numpy.concatenate((numpy.array(first, dtype=float), rows))
        return found
