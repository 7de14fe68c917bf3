"""``result.json`` and ``result.npz``: what a run leaves."""

import functools
import importlib
import io
import os
import platform
import sys

from .events import plain
from .files import write_atomic, write_json

PROTOCOL = 1


def write(run, calls):
    import numpy

    arrays, results = {}, []
    for index, result in enumerate(calls.results):
        for name, column in result.pop("arrays").items():
            arrays[name if index == 0 else "%d/%s" % (index, name)] = column
        results.append(result)
    outcome = dict(results[0]) if results else {"metrics": {}, "orders": []}
    outcome.update(
        protocol=PROTOCOL,
        engine=run.job.get("engine", "fast"),
        versions=versions(),
        imports=imports(run.model),
        notes=list(dict.fromkeys(calls.arguments.notes)),
        timings=timings(run, calls),
        strategies=results[1:],
        screeners=[screener.formatted_results for screener in calls.screeners],
        exchanges=calls.exchanges,
    )
    buffer = io.BytesIO()
    numpy.savez(buffer, **arrays)
    write_atomic(os.path.join(run.folder, "result.npz"), buffer.getbuffer())
    write_json(os.path.join(run.folder, "result.json"), plain(outcome))


def timings(run, calls):
    """Seconds by phase; ``callback``, of ``run``, is what the model's own code took (the fast
    engine measures some of the calls, the plain one none)."""
    found = dict(run.timings, **calls.timings)
    found["callback"] = getattr(calls.engine, "callback_seconds", None)
    found["bars"] = sum(result["bars"] for result in calls.results)
    return found


@functools.lru_cache(maxsize=None)
def versions():
    found = {"python": platform.python_version()}
    for name in ("blankly", "numpy", "pandas"):
        version = getattr(importlib.import_module(name), "__version__", None)
        found[name] = version or distribution_version(name)
    return found


def distribution_version(name):
    try:
        from importlib.metadata import version
    except ImportError:  # Python 3.7
        return None
    return version(name)


def imports(folder):
    """Top-level modules that the model's own files import, of those that were imported."""
    import ast

    named = set()
    for parent, _, files in os.walk(folder):
        for file in files:
            if file.endswith(".py"):
                try:
                    with open(os.path.join(parent, file), "rb") as source:
                        tree = ast.parse(source.read())
                except (OSError, SyntaxError, ValueError):
                    continue
                for node in ast.walk(tree):
                    if isinstance(node, ast.Import):
                        named.update(alias.name.split(".")[0] for alias in node.names)
                    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                        named.add(node.module.split(".")[0])
    return sorted(name for name in named if name in sys.modules)
