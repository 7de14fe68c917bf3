"""The events of a run: one JSON object a line, in the order in which they happened."""

import json
import math
import os
import threading
import time

PROGRESS_SECONDS = 0.1
"""The shortest time between two progress events."""


def plain(value):
    """``value`` in the types of JSON: NumPy scalars unpacked, NaN and infinities as None."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return plain(value.item())
    if hasattr(value, "value") and hasattr(value, "name"):  # an enum
        return plain(value.value)
    return str(value)


class Events:
    """Appends to ``events.jsonl``; each line is one write, so that a reader never sees half.

    ``next_progress``: before that moment (monotonic) a progress event would not be written.
    """

    def __init__(self, path):
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self.next_progress = 0.0

    def emit(self, event, **fields):
        record = {"event": event, "at": round(time.time(), 3)}
        record.update(plain(fields))
        line = json.dumps(record, allow_nan=False).encode("utf-8") + b"\n"
        with self._lock:
            try:
                os.write(self._descriptor, line)
            except OSError:  # the disk is full: what the run leaves will say so
                pass

    def progress(self, done, total, sim_time, equity, force=False):
        """At most ten a second, unless forced."""
        now = time.monotonic()
        if force or now >= self.next_progress:
            self.next_progress = now + PROGRESS_SECONDS
            self.emit("progress", done=done, total=total, time=sim_time, equity=equity)
