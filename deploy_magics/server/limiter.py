"""How often somebody may be wrong: a moving window for each key, in memory."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy_magics.errors import NotSignedInError, RateLimitError

_MOST_KEYS = 10_000


class Limiter:
    """At most ``attempts`` failures of a key in ``seconds``; a success counts for nothing."""

    def __init__(
        self, *, attempts: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._attempts = attempts
        self._seconds = seconds
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def attempt(self, *keys: str) -> Iterator[None]:
        """Counts first and takes back upon success, so that many at once do not slip through.

        Raises:
            RateLimitError: one of the keys has failed too often; ``retry_after`` says how long.
        """
        now = self._clock()
        with self._lock:
            for key in keys:
                self._check(key, now)
            for key in keys:
                self._failures.setdefault(key, deque()).append(now)
                self._failures.move_to_end(key)
            while len(self._failures) > _MOST_KEYS:
                self._failures.popitem(last=False)
        try:
            yield
        except NotSignedInError:
            raise
        except BaseException:
            self._take_back(keys, now)
            raise
        self._take_back(keys, now)

    def _check(self, key: str, now: float) -> None:
        times = self._failures.get(key)
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if times is not None and not times:
            del self._failures[key]
        if times and len(times) >= self._attempts:
            wait = max(1, math.ceil(times[0] + self._seconds - now))
            error = RateLimitError("Too many attempts.", f"Wait {wait} s.", status=429)
            error.retry_after = wait
            raise error

    def _take_back(self, keys: tuple[str, ...], at: float) -> None:
        with self._lock:
            for key in keys:
                times = self._failures.get(key)
                if times and at in times:
                    times.remove(at)
