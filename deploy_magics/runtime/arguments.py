"""The arguments of a backtest: what the user said wins over what the script says."""

import datetime

from .failures import date
from .tracebacks import Explained

SILENT = {
    "GUI_output": False,
    "show_progress_during_backtest": False,
    "continuous_caching": False,
}
"""Settings of the library that would open a browser, draw a bar into the log, or keep the given
prices beside the model: what they are for is done elsewhere."""

DEFAULT_CASH = 10_000


class Arguments:
    """``given``: ``to start_date end_date initial_values settings`` of the job."""

    def __init__(self, given, prices):
        self.given = {key: value for key, value in (given or {}).items() if value is not None}
        self.prices = prices
        self.notes = []

    def merged(self, to, initial_values, start_date, end_date, settings):
        """The library's keyword arguments, the settings among them under ``settings``."""
        given = self.given
        if given.get("to") is not None:
            to, start_date, end_date = given["to"], None, None
        elif given.get("start_date") is not None or given.get("end_date") is not None:
            to = None
            start_date = given.get("start_date", start_date)
            end_date = given.get("end_date", end_date)
        start_date, end_date, to = self.span(to, start_date, end_date)
        self._check(start_date, end_date)
        settings = dict(settings or {})
        settings.update(given.get("settings") or {})
        for name in ("maker_fee", "taker_fee"):
            settings.pop(name, None)
        settings.update(SILENT)
        self._choose_quote(settings)
        values = given.get("initial_values") or initial_values
        if values is None:
            values = {self._quote(settings): DEFAULT_CASH}
            self.notes.append(
                "No initial values were given: the run began with %d %s."
                % (DEFAULT_CASH, self._quote(settings))
            )
        return {
            "to": to,
            "start_date": start_date,
            "end_date": end_date,
            "initial_values": values,
            "settings": settings,
        }

    def _check(self, start, end):
        """Nothing lies in between: the library would speak of caches and downloads."""
        if self.prices and not (start < self.prices.end and end > self.prices.first):
            known = date(self.prices.first), date(self.prices.end)
            raise Explained(
                "The prices go from %s to %s: none lie between %s and %s."
                % (known + (date(start), date(end)))
            )

    def span(self, to, start_date, end_date):
        """(start, end, to). With given prices, ``to`` counts back from their end, and what is not
        said is all that there is."""
        if not self.prices:
            return start_date, end_date, to
        from blankly.utils.time_builder import time_interval_to_seconds

        end = epoch(end_date) if end_date is not None else self.prices.end
        if to is not None:
            return max(self.prices.first, end - time_interval_to_seconds(to)), end, None
        return epoch(start_date) if start_date is not None else self.prices.first, end, None

    @property
    def start(self):
        """Where a backtest will begin as far as the user has said."""
        given = self.given
        return self.span(given.get("to"), given.get("start_date"), given.get("end_date"))[0]

    @property
    def fees(self):
        settings = self.given.get("settings") or {}
        return float(settings.get("maker_fee") or 0), float(settings.get("taker_fee") or 0)

    def _quote(self, settings):
        from blankly.utils.utils import load_backtest_preferences

        known = load_backtest_preferences()["settings"]
        return settings.get("quote_account_value_in") or known["quote_account_value_in"]

    def _choose_quote(self, settings):
        """Prices in one currency only that nobody named: the account is valued in that one."""
        if not self.prices or settings.get("quote_account_value_in"):
            return
        quotes = self.prices.quotes
        if len(quotes) == 1 and self._quote(settings) not in self.prices.assets:
            settings["quote_account_value_in"] = quotes[0]
            self.notes.append("The account is valued in %s, the prices' own." % quotes[0])


def epoch(value):
    """Epoch seconds (UTC) of a number, a date or a text, read as the library reads it."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    import pandas

    stamp = pandas.to_datetime(value)
    if stamp.tzinfo is not None:
        stamp = stamp.tz_convert("UTC").tz_localize(None)
    return (stamp.to_pydatetime() - datetime.datetime(1970, 1, 1)).total_seconds()
