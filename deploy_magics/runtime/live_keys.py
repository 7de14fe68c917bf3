"""Exchange keys out of the run's variables: they are in no package and on no disk.

``KEYS_JSON`` holds what would be in keys.json; or one variable for each key, named by exchange:
``ALPACA_API_KEY``, ``ALPACA_API_SECRET``, ``ALPACA_SANDBOX``.
"""

import json
import os

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


def from_variables(environment):
    """keys.json as the variables have it; None where they have none."""
    if environment.get("KEYS_JSON"):
        return json.loads(environment["KEYS_JSON"])
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
            found[exchange] = {"variables": keys}
    return found or None


def install():
    from blankly.exchanges.auth import utils

    keys = from_variables(os.environ)
    load_json = utils.load_json

    def load(keys_file):
        return load_json(keys_file) if keys is None else keys

    utils.load_json = load
