"""A warm process: it has the library imported, and keeps a guard and its runner forked ahead.

``zygote LISTENER``: the number of a listening socket. Each connection carries one line of JSON,
``{"folder": …, "env": {…}}``, and then is the guard's lifeline. The spare guard takes the next
connection itself, and its runner, forked already, starts on the model at once: a fork of a process
of this size, and what it copies, takes longer than a short backtest's own work. This process runs
no model's code, and ends when its standard input closes; its spare ends with it, while the guards
that have taken a run go on and follow their own lifelines.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback

PATIENCE = 2.0
"""Seconds to wait for the end of a spare, which has nothing to do but to end."""

PAUSE = 0.5
"""Seconds after which another spare is made, unless a run waits for it or one has ended before."""


def main(listener):
    server = socket.socket(fileno=int(listener))
    wake, signalled = nonblocking_pipe()
    alive, held = os.pipe()  # a spare sees our end in the closing of ``held``
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up()
    signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    spare = None  # closes when the spare guard has taken a run
    guard = None
    while True:
        watched = [sys.stdin, wake, server if spare is None else spare]
        ready = select.select(watched, [], [], PAUSE if spare is None else None)[0]
        if wake in ready:
            os.read(wake, 4096)
            reap()
        if sys.stdin in ready and not os.read(sys.stdin.fileno(), 4096):
            clear_away(server.getsockname())
            os.close(held)
            if spare is not None:
                await_end(guard)
            return 0
        if spare is None:
            guard, spare = fork_guard(server, alive, [wake, signalled, held])
        elif spare in ready:
            os.close(spare)
            spare = None


def nonblocking_pipe():
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def clear_away(address):
    """Removes the socket and its folder: the process that made them may have been killed."""
    try:
        os.unlink(address)
        os.rmdir(os.path.dirname(address))
    except OSError:
        pass  # that process was quicker


def warm_up():
    """Imports what every run imports, and keeps the collector's hands off it."""
    from . import guard, kinds, runner

    assert guard
    try:
        runner.import_library()
        kinds.warm_up()
    except Exception:
        traceback.print_exc()  # each run will say so itself
    gc.collect()
    gc.freeze()


def await_end(pid):
    """Waits for the spare, so that nothing is left when this process has ended. One that takes a
    run in this very moment is not waited for."""
    deadline = time.monotonic() + PATIENCE
    try:
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.002)
    except ChildProcessError:
        pass


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def fork_guard(server, alive, ours):
    """A guard that waits for the next run; (its process id, the end of a pipe that closes when it
    has one)."""
    taken, free = os.pipe()
    pid = os.fork()
    if pid:
        os.close(free)
        return pid, taken
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        for descriptor in [taken, *ours]:
            os.close(descriptor)
        code = stand_by(server, alive, free)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def stand_by(server, alive, free):
    """In the guard: takes one run and sees it through. The runner is forked before."""
    from . import guard

    forked = fork_runner([server.fileno(), alive, free])
    if server not in select.select([server, alive], [], [])[0]:
        runner, _, orders = forked
        os.close(orders)
        os.waitpid(runner, 0)
        return 0
    connection, _ = server.accept()
    server.close()
    for descriptor in (alive, free):
        os.close(descriptor)
    request = json.loads(read_line(connection.fileno()))
    os.environ.clear()
    os.environ.update(request["env"])
    complaints = os.path.join(request["folder"], "guard.log")
    os.dup2(os.open(complaints, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    connection.setblocking(False)
    watch = guard.Guard(request["folder"], connection.fileno())
    order = json.dumps(dict(request, limits=watch.limits)).encode() + b"\n"
    watch.start = lambda: give(order, forked, connection.fileno())
    code = watch.run()
    connection.close()  # says so before the system has cleared this process away
    return code


def give(order, forked, connection):
    """Sets a runner to work; (process id, end of the pipe of its output)."""
    pid, output, orders = forked
    try:
        os.write(orders, order)
    except OSError:  # it was killed while it waited
        os.close(output)
        pid, output, orders = fork_runner([connection])
        os.write(orders, order)
    return pid, output


def fork_runner(others):
    """The model's process, with all that is imported; (process id, its output, its orders)."""
    output, printed = os.pipe()
    inbox, orders = os.pipe()
    pid = os.fork()
    if pid:
        os.close(printed)
        os.close(inbox)
        return pid, output, orders
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        for descriptor in [output, orders, *others]:
            os.close(descriptor)
        become_runner(inbox, printed)
    except EOFError:
        pass  # the guard has ended, or never had a run
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def become_runner(inbox, printed):
    """In the model's process: waits for its orders, and does not return."""
    from . import guard, runner

    order = json.loads(read_line(inbox))
    os.close(inbox)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    guard.restrain(order["limits"])
    forget_chance()
    runner.main(order["folder"])


def read_line(descriptor):
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            raise EOFError("the request was cut")
        data += piece
    return data.decode("utf-8")


def forget_chance():
    """Runs forked from one process must not draw the same random numbers."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()
