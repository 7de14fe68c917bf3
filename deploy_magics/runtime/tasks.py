"""A ceiling on the tasks (processes and threads) of a run, kept by the kernel: a fork bomb forks
faster than a guard can look.

For root, whom RLIMIT_NPROC does not bind, it is a control group of pids, where this process may
make one; for anybody else RLIMIT_NPROC, which counts all that the user runs.
"""

import os
import resource

ROOTS = ("/sys/fs/cgroup/pids", "/sys/fs/cgroup")
NAME = "deploy-magics-%d"
EACH = 16
"""Tasks for each process that a run may have: numeric libraries start a thread for each core."""
OTHERS = 8192
"""Tasks that a user may have beside the run."""


def confine(pid, processes):
    """Puts the run's first process under the ceiling; called by its guard.

    Not by the process itself: to enter a group takes some milliseconds, in which it may go on.
    """
    most = EACH * int(processes)
    if os.getuid():
        _limit(pid, most + OTHERS)
        return
    for root in ROOTS:
        place = os.path.join(root, NAME % os.getpid())
        try:
            os.mkdir(place)
            _write(place, "pids.max", most)
            _write(place, "cgroup.procs", pid)
            return
        except OSError:
            _remove(place)


def release(guard):
    """Removes the group of this guard's run, which has ended, and those that killed guards left."""
    if os.getuid():
        return
    for root in ROOTS:
        _remove(os.path.join(root, NAME % guard))
        try:
            names = os.listdir(root)
        except OSError:
            continue
        for name in names:
            start, _, number = name.rpartition("-")
            if start == NAME[:-3] and number.isdigit() and not os.path.exists("/proc/" + number):
                _remove(os.path.join(root, name))


def _limit(pid, most):
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_NPROC)
        if hard == resource.RLIM_INFINITY or hard > most:
            resource.prlimit(pid, resource.RLIMIT_NPROC, (most, most))
    except (AttributeError, ValueError, OSError):
        pass  # not on this system


def _write(place, name, value):
    descriptor = os.open(os.path.join(place, name), os.O_WRONLY)
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)


def _remove(place):
    try:
        os.rmdir(place)
    except OSError:
        pass
