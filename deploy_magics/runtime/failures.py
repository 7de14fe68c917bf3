"""What the model's code raised: in a callback, counted and survived; elsewhere, the end."""

import datetime
import sys
import time

from .tracebacks import Failure

AGAIN = 1.0
"""Seconds between two reports of the same callback's error."""


class Failures:
    def __init__(self, events, origins):
        self.events = events
        self.origins = origins
        self.error = None
        self.clock = lambda: None
        self.orders = list
        self.simulated = "simulated "
        self._places = {}
        self._told = {}

    def callback(self, error=None):
        """The library swallows what a callback raises: it is told the first time and counted."""
        error = error or sys.exc_info()[1]
        trace = error.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        place = (type(error), trace.tb_frame.f_code, trace.tb_lineno)
        entry = self._places.get(place)
        if entry is None:
            failure = Failure(error, self.origins)
            entry = self._places[place] = {
                "count": 0,
                "message": failure.message,
                "traceback": failure.text,
                "cell": failure.cell,
                "line": failure.line,
                "time": self.clock(),
            }
            print(failure.text, end="", file=sys.stderr)
            moment = self.simulated + date(entry["time"])
            print("(reported once, at %s)" % moment, file=sys.stderr)
        entry["count"] += 1
        now = time.monotonic()
        if now - self._told.get(place, -AGAIN) >= AGAIN:
            self._told[place] = now
            self.events.emit("callback_error", **entry)

    @property
    def callbacks(self):
        return list(self._places.values())

    def fatal(self, error):
        """The first error that ended the run is the one that is told."""
        if self.error is not None:
            return
        self.error = error
        failure = Failure(error, self.origins)
        try:
            now, orders = self.clock(), self.orders()
        except Exception:  # the library's own state may be what broke
            now, orders = None, []
        text = failure.text
        if now is not None:
            moment = self.simulated + date(now)
            text += "At %s, after %d orders.\n" % (moment, len(orders))
            for order in orders[-3:]:
                text += "  %(side)s %(size)s %(symbol)s at %(price)s (%(status)s)\n" % order
        print(text, end="", file=sys.stderr)
        self.events.emit(
            "error",
            message=failure.message,
            traceback=text,
            cell=failure.cell,
            line=failure.line,
            time=now,
            explained=failure.explained,
            last_orders=orders[-10:],
        )


def date(value):
    if value is None:
        return "time unknown"
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=float(value))
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
