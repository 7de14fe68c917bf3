"""The processes below this one: counted, measured, and ended without exception.

On Linux this process becomes a *child subreaper*, so whatever a model forks away, with a session
of its own or without a parent, is still found below it. Elsewhere ``ps`` is asked, and a process
that has lost its parent is not found.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform.startswith("linux")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def _prctl(option, value):
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def become_subreaper():
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent():
    """SIGKILL for this process when the *thread* that started it ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _children(pid):
    """Direct children by the kernel's own list; raises OSError where it keeps none."""
    found = []
    folder = "/proc/%d/task" % pid
    for task in os.listdir(folder):
        with open("%s/%s/children" % (folder, task)) as file:
            found.extend(int(child) for child in file.read().split())
    return found


def _parents():
    """Every process and its parent."""
    if LINUX:
        table = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open("/proc/%s/stat" % name, "rb") as file:
                        # the command may hold spaces and brackets: the fields follow the last one
                        fields = file.read().rsplit(b")", 1)[1].split()
                except OSError:
                    continue
                table[int(name)] = int(fields[1])
        return table
    listing = subprocess.run(["ps", "-axo", "pid=,ppid="], stdout=subprocess.PIPE).stdout
    return dict(tuple(map(int, line.split())) for line in listing.splitlines() if line.strip())


def descendants(root):
    """Process ids below ``root``, the dead that nobody has waited for included."""
    if LINUX and os.path.exists("/proc/self/task/%d/children" % os.getpid()):
        found, queue = [], [root]
        while queue:
            try:
                below = _children(queue.pop())
            except OSError:
                continue
            found.extend(below)
            queue.extend(below)
        return found
    below = {}
    for child, parent in _parents().items():
        below.setdefault(parent, []).append(child)
    found, queue = [], [root]
    while queue:
        fresh = below.get(queue.pop(), [])
        found.extend(fresh)
        queue.extend(fresh)
    return found


def memory(pids):
    """Bytes of memory that these processes hold, what they share with files not counted."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/statm" % pid) as file:
                fields = file.read().split()
        except OSError:
            continue
        total += max(0, int(fields[1]) - int(fields[2])) * PAGE
    return total


def start_time(pid):
    """When the kernel started ``pid``, in ticks since boot: with the id it names a process for
    good. None where there is no such process, or no way to know."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def reap():
    """Waits for every dead child; their statuses by process id."""
    statuses = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return statuses
        if pid == 0:
            return statuses
        statuses[pid] = status


def end_all(root, seconds=30.0):
    """Ends everything below ``root`` and waits until nothing is left; the statuses reaped.

    Stopped first, until no new ones appear: a process that forks faster than it is killed would
    otherwise get away. Each of the two takes at most ``seconds``.
    """
    statuses = {}
    deadline = time.monotonic() + seconds
    stopped = set()
    while True:
        fresh = [pid for pid in descendants(root) if pid not in stopped]
        if not fresh or time.monotonic() > deadline:
            break
        send(fresh, signal.SIGSTOP)
        stopped.update(fresh)
    deadline = time.monotonic() + seconds
    while True:
        left = descendants(root)
        if not left or time.monotonic() > deadline:
            return statuses
        send(left, signal.SIGKILL)
        statuses.update(reap())
        if left:
            time.sleep(0.002)
