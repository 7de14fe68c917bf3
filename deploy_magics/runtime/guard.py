"""The guard of one run: starts the model's process, holds it to its limits, leaves nothing behind.

``guard.json`` in the run folder (all keys optional)::

    {"python": path, "command": [argv], "follow_parent": bool, "kind": "backtest" | "live" | …,
     "limits": {"seconds", "memory", "cpus", "output", "processes"}, "grace": seconds}

It writes ``guard.pid`` first and ``exit.json`` last. It ends the run when its limits are met, when
``control.jsonl`` says ``{"command": "stop"}``, on SIGTERM or SIGINT, and, told to follow its
parent, when the other end of its lifeline (standard input, or the zygote's socket) closes.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time

from . import tasks, tree
from .files import read_json, write_json
from .log import CappedLog
from .throttle import Throttle

TICK = 0.1
"""Seconds between two looks at the limits."""

GRACE = 10.0
"""Seconds a live model has to end itself once it is told to stop."""

DEFAULTS = {"output": 100_000_000, "processes": 256}
RESERVE = 1 << 14
FULL = 1 << 20
"""Bytes: kept free for the guard's last words; and less than this is no space at all."""

HEADROOM = 2 << 30
"""Address space allowed beyond the memory limit: code and stacks, which nobody counts."""


def spawn(command, limits):
    """Starts ``command`` as a session of its own; (process id, end of the pipe of its output)."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
        start_new_session=True,
        preexec_fn=lambda: restrain(limits),
    )
    os.close(writer)
    process.returncode = 0  # the guard waits for its children itself
    return process.pid, reader


def restrain(limits):
    """Called in the model's process before anything of the model runs."""
    tree.die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limits.get("memory"):
        most = int(limits["memory"]) + HEADROOM
        try:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        except (ValueError, OSError):
            pass
    try:  # when the machine runs out of memory, the model is the one to go
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    cpus = limits.get("cpus")
    if cpus and hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[: max(1, int(cpus + 0.999))])


class Guard:
    def __init__(self, folder, lifeline=None, start=None):
        self.folder = os.path.abspath(folder)
        self.config = read_json(self._path("guard.json"), {}) or {}
        given = self.config.get("limits") or {}
        self.limits = dict(DEFAULTS, **{k: v for k, v in given.items() if v is not None})
        self.live = self.config.get("kind") == "live"
        self.lifeline = lifeline
        self.start = start or self._start
        self.reason = None
        self.status = None
        share = self.limits.get("cpus")
        self.throttle = Throttle(share) if share and share < 1 else None
        self._control = 0
        self._stop_at = None

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _start(self):
        here = os.path.dirname(os.path.abspath(__file__))
        python = self.config.get("python") or sys.executable
        command = self.config.get("command") or [python, here, "runner", self.folder]
        return spawn(command, self.limits)

    def run(self):
        """Until nothing of the run is left; the exit status of the guard itself."""
        tree.become_subreaper()
        pid = os.getpid()
        write_json(
            self._path("guard.pid"),
            {"pid": pid, "start_time": tree.start_time(pid), "boot_id": boot_id()},
        )
        self._reserve()
        wake, signalled = os.pipe()
        for end in (wake, signalled):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())
        log = CappedLog(self.folder, self.limits["output"], rotate=self.live)
        kills = oom_kills()
        try:
            self.runner, self.output = self.start()
        except OSError as error:
            log.write(b"The model's process cannot be started: %s\n" % str(error).encode())
            log.close()
            self.status = 0x7F00  # what a shell says of a command that it cannot run
            self._leave(self._verdict(False))
            return 1
        self.began = time.monotonic()
        tasks.confine(self.runner, self.limits["processes"])
        try:
            self._watch(wake, log)
        finally:
            statuses = tree.end_all(pid)
            tasks.release(pid)
            self.status = self.status if self.status is not None else statuses.get(self.runner)
            self._drain(log, last=True)
            log.close()
            self._leave(self._verdict(oom_kills() > kills))
        return 0

    def _reserve(self):
        """Room for the last words, should the disk be full by then."""
        try:
            with open(self._path("reserve"), "wb") as file:
                file.write(bytes(RESERVE))
        except OSError:
            pass

    def _leave(self, verdict):
        try:
            os.unlink(self._path("reserve"))
        except OSError:
            pass
        write_json(self._path("exit.json"), verdict)

    def _watch(self, wake, log):
        while self.status is None and (self.reason is None or self._stop_at):
            watched = [self.output, wake] + ([self.lifeline] if self.lifeline is not None else [])
            ready = select.select([fd for fd in watched if fd is not None], [], [], TICK)[0]
            if wake in ready:
                os.read(wake, 4096)
            if self.output in ready:
                self._drain(log)
            if self.lifeline is not None and self.lifeline in ready:
                if not self._alive():
                    self.reason = "cancelled"
                    self._stop_at = None
                    continue
            self.status = tree.reap().get(self.runner)
            if self.status is None:
                self._check(log)

    def _alive(self):
        """Whether the parent still holds its end of the lifeline."""
        try:
            return bool(os.read(self.lifeline, 4096))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _drain(self, log, last=False):
        """Takes what the model printed: one pipe full, or (at the end) all that is there."""
        while self.output is not None:
            if last and not select.select([self.output], [], [], 0)[0]:
                return
            data = os.read(self.output, 1 << 16)
            if not data:
                os.close(self.output)
                self.output = None
            log.write(data)
            if not last:
                return

    def _check(self, log):
        now = time.monotonic()
        if log.full:
            return self._end("output")
        seconds = self.limits.get("seconds")
        if seconds and now - self.began > seconds:
            return self._end("time")
        below = tree.descendants(os.getpid())
        if len(below) > self.limits["processes"]:
            return self._end("processes")
        if self.limits.get("memory") and tree.memory(below) > self.limits["memory"]:
            return self._end("memory")
        if self.throttle is not None and self.reason is None:
            self.throttle.check(below)
        if self._told_to_stop():
            self.stop()
        if self._stop_at is not None and now > self._stop_at:
            self._stop_at = None
        return None

    def _end(self, reason):
        if self.reason is None:
            self.reason = reason
        self._stop_at = None

    def stop(self):
        """Ends a backtest at once; asks a live model first."""
        if self.reason is not None:
            return
        self.reason = "cancelled"
        if self.live:
            if self.throttle is not None:
                self.throttle.release()
            self._stop_at = time.monotonic() + float(self.config.get("grace", GRACE))
            tree.send([self.runner], signal.SIGTERM)

    def _told_to_stop(self):
        try:
            size = os.path.getsize(self._path("control.jsonl"))
        except OSError:
            return False
        if size == self._control:
            return False
        self._control = size
        with open(self._path("control.jsonl"), encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    command = json.loads(line).get("command")
                except (ValueError, AttributeError):
                    continue
                if command == "stop":
                    return True
        return False

    def _verdict(self, out_of_memory):
        status = 0 if self.status is None else self.status
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        reason = self.reason
        if reason is None:
            if number is not None:
                reason = "memory" if number == signal.SIGKILL and out_of_memory else "killed"
            else:
                reason = "ended" if code == 0 else "failed"
            if reason != "ended" and self._disk_is_full():
                reason = "disk"
        return {"reason": reason, "code": code, "signal": number, "ended_at": time.time()}

    def _disk_is_full(self):
        space = os.statvfs(self.folder)
        return space.f_bavail * space.f_frsize < FULL


def boot_id():
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return None


def oom_kills():
    """How many processes the kernel has killed since boot for want of memory."""
    try:
        with open("/proc/vmstat") as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def main(folder):
    lifeline = None
    if (read_json(os.path.join(folder, "guard.json"), {}) or {}).get("follow_parent"):
        lifeline = sys.stdin.fileno()
    return Guard(folder, lifeline).run()
