"""Account look-ups that copy what is looked up, and no more; decimals counted once."""

import copy
import functools


def install():
    from blankly.exchanges.interfaces.paper_trade.local_account.trade_local import LocalAccount
    from blankly.exchanges.interfaces.paper_trade.paper_trade_interface import PaperTradeInterface
    from blankly.utils import utils

    utils.count_decimals = functools.lru_cache(maxsize=4096, typed=True)(utils.count_decimals)
    utils.isolate_specific = isolate_specific
    accounts = utils.AttributeDict

    def copied(account):
        """Balances are numbers: a shallow copy is a whole one."""
        if len(account) == 2:
            return type(account)(account)
        return copy.deepcopy(account)

    def get_accounts(self):
        return accounts((asset, copied(account)) for asset, account in self.local_account.items())

    def get_account(self, asset_id):
        return accounts(copied(self.local_account[asset_id]))

    LocalAccount.get_accounts = get_accounts
    LocalAccount.get_account = get_account
    looked_up = PaperTradeInterface.get_account

    def interface_account(self, symbol=None):
        local = self.local_account
        if symbol is None:
            return local.get_accounts()
        account = local.local_account.get(symbol.split("-")[0])
        if account is None:
            return looked_up(self, symbol)  # which says what is wrong
        return accounts(copied(account))

    PaperTradeInterface.get_account = interface_account


def isolate_specific(needed, compare_dictionary):
    """The keys that ``needed`` names, in its types; the others below ``exchange_specific``."""
    casts = dict(needed)
    specific = compare_dictionary.get("exchange_specific", {})
    found = {}
    for key, value in compare_dictionary.items():
        if key == "exchange_specific":
            continue
        if key in casts:
            found[key] = value if value is None else casts[key](value)
        else:
            specific[key] = value
    for key in specific:
        found.pop(key, None)
    found["exchange_specific"] = specific
    return found
