"""A warm process: it has the library imported, and forks a guard and its runner for each run.

``zygote LISTENER``: the number of a listening socket. Each connection carries one line of JSON,
``{"folder": …, "env": {…}}``, and then is the guard's lifeline. It runs no model's code itself, and
ends when its standard input closes; the guards it has forked go on and follow their own lifelines.
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


def main(listener):
    server = socket.socket(fileno=int(listener))
    wake, signalled = os.pipe()
    for end in (wake, signalled):
        os.set_blocking(end, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up()
    signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready = select.select([server, sys.stdin, wake], [], [])[0]
        if wake in ready:
            os.read(wake, 4096)
            reap()
        if sys.stdin in ready and not os.read(sys.stdin.fileno(), 4096):
            clear_away(server.getsockname())
            return 0
        if server in ready:
            connection, _ = server.accept()
            if os.fork() == 0:
                become_guard(connection, [server.fileno(), wake, signalled])
            connection.close()


def clear_away(address):
    """Removes the socket and its folder: the process that made them may have been killed."""
    try:
        os.unlink(address)
        os.rmdir(os.path.dirname(address))
    except OSError:
        pass  # that process was quicker


def warm_up():
    """Imports what every run imports, and keeps the collector's hands off it."""
    from . import kinds, runner

    try:
        runner.import_library()
        kinds.warm_up()
    except Exception:
        traceback.print_exc()  # each run will say so itself
    gc.collect()
    gc.freeze()


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def become_guard(connection, others):
    """In the child: the guard of one run; does not return."""
    from . import guard

    code = 1
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        for descriptor in others:
            os.close(descriptor)
        request = read_line(connection)
        os.environ.clear()
        os.environ.update(request["env"])
        time.tzset()
        complaints = os.path.join(request["folder"], "guard.log")
        descriptor = os.open(complaints, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 2)
        connection.setblocking(False)
        watch = guard.Guard(request["folder"], connection.fileno())
        watch.start = lambda: fork_runner(watch, connection)
        code = watch.run()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def read_line(connection):
    data = b""
    while not data.endswith(b"\n"):
        piece = connection.recv(1 << 16)
        if not piece:
            raise EOFError("the request was cut")
        data += piece
    return json.loads(data.decode("utf-8"))


def fork_runner(watch, connection):
    """The model's process, forked from this one with all that is imported."""
    from . import guard

    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        connection.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        guard.restrain(watch.limits)
        forget_chance()
        from . import runner

        runner.main(watch.folder)  # ends the process itself
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def forget_chance():
    """Runs forked from one process must not draw the same random numbers."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()
