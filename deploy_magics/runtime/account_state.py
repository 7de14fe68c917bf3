"""What a live paper account would lose with its process: kept beside the run, taken up again."""

import threading
import time

from .events import plain
from .files import read_json, write_json

SAVE_SECONDS = 0.2


class AccountState:
    """``state.json``: for each strategy the simulated time, its balances and its open orders."""

    def __init__(self, path):
        self.path = path
        self.kept = (read_json(path) or {}).get("strategies", {})
        self.fresh = {}
        self._lock = threading.Lock()
        self._next = 0.0

    @property
    def time(self):
        """The latest moment that an earlier attempt reached; None for a first one."""
        moments = [entry["time"] for entry in self.kept.values()]
        return max(moments) if moments else None

    def save(self, number, now, interface):
        with self._lock:
            self.fresh[str(number)] = dict(time=now, **held_by(interface))
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + SAVE_SECONDS
                write_json(self.path, plain({"strategies": self.fresh}))

    def restore(self, number, interface):
        """Gives a paper account the balances and open orders it had."""
        entry = self.kept.get(str(number))
        if entry is None or "accounts" not in entry:
            return
        accounts = interface.local_account.local_account
        for name, account in entry["accounts"].items():
            accounts[name] = type(accounts)(account)  # one whose fields are attributes too
        for order in entry["orders"]:
            interface.paper_trade_orders.append(order)


def held_by(interface):
    """Nothing of a futures account: it has only replays, which go over their bars again."""
    if not hasattr(interface, "local_account"):
        return {}
    accounts = interface.local_account.local_account
    orders = list(interface.paper_trade_orders)
    return {
        "accounts": {name: dict(account) for name, account in list(accounts.items())},
        "orders": [dict(order) for order in orders if order["status"] == "pending"],
    }
