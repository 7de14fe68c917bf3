"""Runs a UbiOps package in its own process and interpreter: standard library, Python 3.7 syntax.

``python deployment_process.py FOLDER`` reads ``job.json`` there and writes ``result.json``.

* ``{"mode": "check"}`` imports the package and says which methods its ``Deployment`` has;
* ``{"mode": "request", "data": …}`` makes one and answers with what its ``request`` returns
  (``requests`` where the data is a list and there is such a method).
"""

import importlib.util
import inspect
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any


class Refused(Exception):
    """The package is not one that can be run; says why in one line."""


def load(job: dict) -> Any:
    """The class ``Deployment`` of the package."""
    package, script = job["package"], job["script"]
    os.chdir(package)
    sys.path.insert(0, package)
    path = Path(package, script)
    spec = importlib.util.spec_from_file_location(path.stem, str(path))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = getattr(module, "Deployment", None)
    if not inspect.isclass(found):
        raise Refused(f"{script} does not contain a class named 'Deployment'")
    return found


def methods(found: Any) -> dict:
    """Which of the two methods the class has.

    Raises:
        Refused: neither of them.
    """
    has = {
        "has_request": callable(getattr(found, "request", None)),
        "has_requests": callable(getattr(found, "requests", None)),
    }
    if not any(has.values()):
        raise Refused("The class 'Deployment' has neither a 'request' nor a 'requests' method")
    return has


def call(function: Any, *values: Any) -> Any:
    """Call with as many of the values as the function takes."""
    parameters = list(inspect.signature(function).parameters.values())
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return function(*values)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return function(*values[: sum(each.kind in kinds for each in parameters)])


def construct(found: Any, job: dict) -> Any:
    """An instance; ``__init__`` may take base_directory and context, one of them, or none."""
    known = {"base_directory": job["package"], "context": job.get("context", {})}
    if found.__init__ is object.__init__:
        return found()
    parameters = list(inspect.signature(found).parameters.values())
    named = {each.name: known[each.name] for each in parameters if each.name in known}
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        named = known
    return found(**named)


def answer(job: dict) -> dict:
    found = load(job)
    has = methods(found)
    if job["mode"] == "check":
        return dict(has)
    instance, data, context = construct(found, job), job["data"], job.get("context", {})
    if isinstance(data, list) and has["has_requests"]:
        output = call(instance.requests, data, context)
    elif not has["has_request"]:
        raise Refused("The class 'Deployment' has no 'request' method")
    elif isinstance(data, list):
        output = [call(instance.request, each, context) for each in data]
    else:
        output = call(instance.request, data, context)
    json.dumps(output, allow_nan=False)  # what is no JSON fails here, by name
    return {"output": output}


def main(folder: str) -> int:
    job = json.loads(Path(folder, "job.json").read_text(encoding="utf-8"))
    try:
        result = answer(job)
    except Refused as error:
        result = {"error": str(error)}
    except BaseException as error:
        traceback.print_exc()
        last = traceback.format_exception_only(type(error), error)[-1].strip()
        result = {"error": last, "traceback": traceback.format_exc()}
    temporary = Path(folder, "result.json.tmp")
    temporary.write_text(json.dumps(result), encoding="utf-8")
    temporary.replace(Path(folder, "result.json"))
    sys.stdout.flush()
    return 1 if "error" in result else 0


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stderr.flush()
    os._exit(code)  # threads that the package left behind do not keep it alive
