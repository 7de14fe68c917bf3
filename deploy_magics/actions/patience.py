"""Going on asking while a server is away for a moment: it is restarted, or the laptop slept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..display import Progress
from ..errors import PlatformError, ServiceError, UnreachableError

Answer = TypeVar("Answer")
WAITS = 300.0  # seconds that a server may be away
PAUSE = 1.0
BUSY = frozenset({502, 503, 504})


def patiently(
    ask: Callable[[], Answer], line: Progress | None = None, *, waits: float = WAITS
) -> Answer:
    """What ``ask`` answers, asked again while nobody is there; for questions that change nothing.

    Raises:
        PlatformError: any other error at once, and this one after ``waits`` seconds.
    """
    deadline = time.monotonic() + waits
    while True:
        try:
            return ask()
        except (UnreachableError, ServiceError) as error:
            if not _away(error) or time.monotonic() > deadline:
                raise
            if line is not None:
                line.phase("the server is away, waiting for it")
            time.sleep(PAUSE)


def _away(error: PlatformError) -> bool:
    return isinstance(error, UnreachableError) or error.status in BUSY
