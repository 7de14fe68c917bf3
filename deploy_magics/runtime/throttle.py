"""A share of one core: processes that have used more than theirs are stopped for a moment."""

import os
import signal
import time

from . import tree

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
CREDIT = 1.0
"""Seconds of processor time that an idle run may save up."""


def used(pids):
    """Processor seconds that these processes have used."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid, "rb") as file:
                fields = file.read().rsplit(b")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


class Throttle:
    """Called now and then with the run's processes; keeps them to ``share`` of a core."""

    def __init__(self, share, send=tree.send, measure=used):
        self.share = share
        self.stopped = []
        self._send = send
        self._measure = measure
        self._credit = CREDIT
        self._used = 0.0
        self._at = time.monotonic()

    def check(self, pids):
        now, spent = time.monotonic(), self._measure(pids)
        self._credit += self.share * (now - self._at) - max(0.0, spent - self._used)
        self._credit = min(CREDIT, self._credit)
        self._used, self._at = spent, now
        if self._credit < 0 and not self.stopped:
            self.stopped = list(pids)
            self._send(self.stopped, signal.SIGSTOP)
        elif self._credit >= 0:
            self.release()

    def release(self):
        """Lets everything run: before a signal that it is to hear."""
        stopped, self.stopped = self.stopped, []
        self._send(stopped, signal.SIGCONT)
