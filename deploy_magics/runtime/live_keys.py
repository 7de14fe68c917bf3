"""Exchange keys out of the run's variables: they are in no package and on no disk.

``KEYS_JSON`` holds what would be in keys.json; or one variable for each key, named by exchange:
``ALPACA_API_KEY``, ``ALPACA_API_SECRET``, ``ALPACA_SANDBOX``. A keys.json that came with the model
is not read.
"""

import json
import os

from .tracebacks import Explained

NAMES = ("API_KEY", "API_SECRET", "API_PASS", "PERSONAL_ACCESS_TOKEN", "ACCOUNT_ID", "SANDBOX")
EXCHANGES = (
    "alpaca",
    "binance",
    "coinbase_advanced",
    "coinbase_pro",
    "ftx",
    "kucoin",
    "oanda",
    "okx",
)


class Portfolios(dict):
    """The one set of keys of an exchange, by whatever name the model asks for it."""

    def __missing__(self, _):
        return next(iter(self.values()))


def from_variables(environment):
    """keys.json as the variables have it."""
    if environment.get("KEYS_JSON"):
        try:
            return dict(json.loads(environment["KEYS_JSON"]))
        except (ValueError, TypeError):
            raise Explained("The variable KEYS_JSON is not what a keys.json holds.") from None
    found = {}
    for exchange in EXCHANGES:
        keys = {}
        for name in NAMES:
            value = environment.get("%s_%s" % (exchange.upper(), name))
            if value is not None:
                key = "sandbox" if name == "SANDBOX" else name
                keys[key] = value.lower() in ("1", "true", "yes") if key == "sandbox" else value
        if keys:
            keys.setdefault("sandbox", False)
            found[exchange] = Portfolios(variables=keys)
    return found


def install():
    from blankly.exchanges.auth import auth_constructor, utils

    keys = from_variables(os.environ)
    construct = auth_constructor.AuthConstructor.__init__

    def __init__(self, keys_file, portfolio_name, exchange, needed_keys):
        refuse_without(keys, portfolio_name, exchange, needed_keys)
        construct(self, keys_file, portfolio_name, exchange, needed_keys)

    auth_constructor.AuthConstructor.__init__ = __init__
    utils.load_json = lambda keys_file: keys


def refuse_without(keys, portfolio, exchange, needed):
    known = keys.get(exchange) or {}
    try:
        found = known[portfolio] if portfolio is not None else next(iter(known.values()))
    except (KeyError, StopIteration):
        found = {}
    missing = [name for name in needed if name not in found and name != "sandbox"]
    if missing:
        names = ["%s_%s" % (exchange.upper(), name.upper()) for name in missing]
        raise Explained(
            "The model trades on %s, whose keys are not there: set %s as secret variables"
            " (%%deploy_env set %s --secret), and start it again."
            % (exchange, " and ".join(names), names[0])
        )
