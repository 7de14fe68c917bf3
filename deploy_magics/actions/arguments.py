"""The arguments of ``.backtest()`` as options: what is said by name, then what ``--args`` says."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ..errors import UsageError
from ..model.settings import backtest_json

SPAN = ("to", "start_date", "end_date")
NAMED = ("to", "start_date", "end_date", "initial_values")
_HELP = {
    "use_price": "which column of the prices is the price: close, open, high, low",
    "smooth_prices": "interpolate prices between bars",
    "show_tickers_with_zero_delta": "keep symbols that never moved in the result",
    "save_initial_account_value": "the account's value before the first bar is in its history",
    "resample_account_value_for_metrics": "the step of the metrics: 1d, 1h, …, or null",
    "quote_account_value_in": "the currency of the account's value",
    "ignore_user_exceptions": "a callback that raises is counted and passed over",
    "risk_free_return_rate": "yearly, for sharpe and sortino",
    "benchmark_symbol": "what to compare with",
    "maker_fee": "fee of a limit order, as a fraction",
    "taker_fee": "fee of a market order, as a fraction",
}
_OURS = {"GUI_output", "show_progress_during_backtest", "cache_location", "continuous_caching"}
_TO = re.compile(r"^\d+(\.\d+)?\s*(y|M|mo|w|d|h|m|s)[a-z]*$|^\d+$", re.IGNORECASE)


def known_settings() -> Mapping[str, tuple[type, str]]:
    """The settings of backtest.json that can be given by name."""
    defaults: Mapping[str, Any] = backtest_json()["settings"]
    names = [name for name in [*defaults, "maker_fee", "taker_fee"] if name not in _OURS]
    return {name: (_kind(defaults.get(name)), _HELP.get(name, "")) for name in names}


def backtest_args(
    *,
    to: str | None = None,
    start_date: str | float | None = None,
    end_date: str | float | None = None,
    initial_values: Mapping[str, float] | None = None,
    args: str | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the job's ``args`` hold: the named ones, and ``settings``.

    What is given by name wins over ``args``; UsageError for a name that nobody knows.
    """
    result: dict[str, Any] = {}
    gathered: dict[str, Any] = {}
    for name, value in _read(args).items():
        if name == "settings" and isinstance(value, Mapping):
            gathered.update(value)
        elif name in NAMED:
            result[name] = value
        else:
            gathered[name] = value
    named = {"to": to, "start_date": start_date, "end_date": end_date}
    named["initial_values"] = dict(initial_values) if initial_values else None  # type: ignore[assignment]
    result.update({name: value for name, value in named.items() if value is not None})
    gathered.update(settings or {})
    if gathered:
        result["settings"] = {_known(name): value for name, value in gathered.items()}
    _check(result)
    return result


def carried(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a second run: those of the last one, except what is said anew.

    The span (to, start, end) goes as one: who says one of them says all of it.
    """
    kept = dict(before)
    if any(name in said for name in SPAN):
        kept = {name: value for name, value in kept.items() if name not in SPAN}
    merged = {**kept, **said}
    if "settings" in before and "settings" in said:
        merged["settings"] = {**before["settings"], **said["settings"]}
    return merged


def _read(args: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if args is None or isinstance(args, Mapping):
        return args or {}
    try:
        value = json.loads(args)
    except ValueError as error:
        raise UsageError(f"--args takes JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UsageError("--args takes a JSON object.")
    return value


def _known(name: str) -> str:
    known = [*known_settings(), *_OURS]
    if name in known:
        return name
    close = difflib.get_close_matches(name, [*known, *NAMED], n=1, cutoff=0.6)
    hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(sorted(known))}."
    raise UsageError(f"A backtest has no setting {name!r}.", hint)


def _check(result: dict[str, Any]) -> None:
    """Dates and spans that the library would stumble over later."""
    for name in ("start_date", "end_date"):
        value = result.get(name)
        if isinstance(value, (date, datetime)):
            result[name] = value.isoformat()
        elif isinstance(value, str):
            result[name] = _date(name, value)
    if result.get("to") is not None and not _TO.match(str(result["to"])):
        raise UsageError(f"--to cannot be {result['to']!r}.", "Say how far back, like 1y, 6M, 30d.")
    start, end = result.get("start_date"), result.get("end_date")
    if isinstance(start, str) and isinstance(end, str) and _moment(start) >= _moment(end):
        raise UsageError("The start is not before the end.", "Check --start-date and --end-date.")
    values = result.get("initial_values")
    if values is not None and (
        not isinstance(values, Mapping)
        or not all(isinstance(value, (int, float)) and value >= 0 for value in values.values())
    ):
        raise UsageError("--initial-values takes amounts by symbol.", "Like USD=10000.")


def _date(name: str, text: str) -> str | float:
    """A date as the library takes it: ISO text, or epoch seconds."""
    if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        return float(text) / (1000 if len(text.split(".")[0]) > 11 else 1)
    try:
        _moment(text)
    except ValueError:
        pass
    else:
        return text
    found = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    if found:  # the library's own way: month/day/year
        return f"{found[3]}-{int(found[1]):02}-{int(found[2]):02}"
    flag = "--" + name.replace("_", "-")
    raise UsageError(f"{flag} cannot be {text!r}.", "Say it like 2017-05-01.")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)


def _kind(default: Any) -> type:
    return type(default) if isinstance(default, (bool, float)) else str
