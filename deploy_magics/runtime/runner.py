"""Runs one model: ``runner RUN_FOLDER``, in the model's interpreter, under a guard.

Reads ``job.json``, tells what happens in ``events.jsonl``, leaves ``result.json`` and
``result.npz``. Ends with 0 when the model did its work, with 1 when it raised.
"""

import atexit
import os
import sys
import time
import types
import warnings

from . import blankly_external
from .events import Events
from .failures import Failures
from .files import read_json
from .tracebacks import Explained, Origins

FAILED = 1


class Run:
    """The state of this run, shared by its parts."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.job = read_json(os.path.join(self.folder, "job.json"))
        self.events = Events(os.path.join(self.folder, "events.jsonl"))
        self.timings = {}
        model = self.job["model"]
        self.model = model if os.path.isabs(model) else os.path.join(self.folder, model)
        self.failures = Failures(self.events, Origins(self.model, self.job.get("lines")))

    def phase(self, name):
        self.events.emit("phase", name=name)

    def timed(self, name, since):
        self.timings[name] = time.perf_counter() - since


def main(folder):
    sys.stdout, sys.stderr = line_by_line(1), line_by_line(2)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
    run = Run(folder)
    if run.job.get("kind") == "batch":
        from . import batch

        leave(batch.main(folder))
    run.events.emit("started", pid=os.getpid())
    try:
        code = work(run)
    except SystemExit as error:  # the model's own
        code = error.code if isinstance(error.code, int) else (0 if error.code is None else FAILED)
        if code:
            run.failures.fatal(error)
    except BaseException as error:
        run.failures.fatal(error)
        code = FAILED
    leave(code)


def line_by_line(descriptor):
    """What the model prints is to be read as it comes, and no character may end it."""
    return open(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def leave(code):
    """Ends the process without waiting for threads that the model forgot."""
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def work(run):
    kind = run.job.get("kind", "backtest")
    if kind == "backtest":
        os.environ["BACKTESTING"] = "1"
    run.phase("importing")
    began = time.perf_counter()
    import_library()
    run.timed("import", began)
    run.phase("loading")
    from . import kinds

    runner = kinds.prepare(run, kind)
    execute(run)
    runner.finish()
    if run.failures.error is not None:
        return FAILED
    run.events.emit("finished")
    return 0


def import_library():
    """The library, with our reporter in the seam that it has for one."""
    sys.modules.setdefault("blankly_external", blankly_external)
    # what the library's authors should hear of newer packages is nothing to its users
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"blankly\.")
    try:
        import blankly
    except ModuleNotFoundError as error:
        if error.name != "blankly":
            raise
        raise Explained(
            "The model's environment holds no blankly: name it in the requirements."
        ) from None
    return blankly


def execute(run):
    """The model's main script, as ``__main__``, in its working directory."""
    script = run.job.get("main_script", "./bot.py")
    base = os.path.join(run.model, run.job.get("working_directory") or ".")
    path = os.path.normpath(os.path.join(base, script))
    os.chdir(base)
    sys.path.insert(0, os.path.dirname(path))
    sys.argv = [path]
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__builtins__ = __builtins__
    sys.modules["__main__"] = module
    with open(path, "rb") as file:
        source = file.read()
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except SystemExit as error:
        if error.code not in (None, 0):
            raise
    except Exception as error:
        run.failures.fatal(error)
        raise
