"""settings.json and backtest.json: without them the library does not run or does not backtest."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

SETTINGS_NAME = "settings.json"
BACKTEST_NAME = "backtest.json"

# The library asks for each of these keys and fills in what is missing, with a line of output each.
_SETTINGS: dict[str, Any] = {
    "settings": {
        "use_sandbox_websockets": False,
        "websocket_buffer_size": 10000,
        "test_connectivity_on_auth": True,
        "auto_truncate": False,
        "global_shorting": False,
        "simulate_margin": True,
        "coinbase_pro": {"cash": "USD"},
        "binance": {"cash": "USDT", "binance_tld": "us"},
        "binance_futures": {"cash": "USDT", "margin_type": "USDT-M"},
        "alpaca": {
            "websocket_stream": "iex",
            "cash": "USD",
            "enable_shorting": True,
            "use_yfinance": False,
        },
        "oanda": {"cash": "USD"},
        "okx": {"cash": "USDT"},
        "keyless": {"cash": "USD"},
        "kucoin": {"cash": "USDT"},
        "ftx": {"cash": "USD", "ftx_tld": "us"},
        "ftx_futures": {"cash": "USD", "ftx_tld": "com"},
        "paper": {"price_source": "api"},
    }
}

# GUI_output opens a browser window: of no use where a model runs.
_BACKTEST: dict[str, Any] = {
    "price_data": {"assets": []},
    "settings": {
        "use_price": "close",
        "smooth_prices": False,
        "GUI_output": False,
        "show_tickers_with_zero_delta": False,
        "save_initial_account_value": True,
        "show_progress_during_backtest": True,
        "cache_location": "./price_caches",
        "continuous_caching": True,
        "resample_account_value_for_metrics": "1d",
        "quote_account_value_in": "USD",
        "ignore_user_exceptions": True,
        "risk_free_return_rate": 0.0,
        "benchmark_symbol": None,
    },
}


def settings_json(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The library's defaults with ``changes`` laid over, key by key at every depth."""
    return _overlay(_SETTINGS, changes or {})


def backtest_json(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As ``settings_json``, for a backtest."""
    return _overlay(_BACKTEST, changes or {})


def _overlay(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(base))
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), dict):
            result[key] = _overlay(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result
