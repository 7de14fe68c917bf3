"""Why a run had no result, as an error to raise."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy_magics.errors import (
    DiskFullError,
    LimitError,
    ModelFailedError,
    RunCancelledError,
    RunError,
)
from deploy_magics.executor.files import is_full
from deploy_magics.executor.process import Limits
from deploy_magics.executor.stream import EventReader, read_log

MAX_LOG = 100_000
"""Characters of the log that an error carries, the last ones."""

NO_PRICES = re.compile(r"Keys\.json file|'NoneType' object has no attribute 'data'")
"""What the library says of an exchange without keys, and of a keyless one without prices."""

LIMIT_TEXTS = {
    "time": "The run met its limit of {seconds:g} seconds.",
    "memory": "The run met its limit of memory{memory_text}.",
    "output": "The run printed more than its limit of {output:,} bytes.",
    "disk": "The disk was full.",
    "processes": "The run started more than {processes} processes.",
}


def check_end(folder: Path, exit: Mapping[str, Any], limits: Limits) -> None:
    """Raises why a run that is over has no result, where it has none."""
    if exit["reason"] != "ended":
        raise error_of(folder, exit, limits)
    if not (folder / "result.json").exists():
        raise with_logs(folder, without_result())


def not_started(error: OSError) -> RunError:
    """What the system answered when the run's files were written and its guard was started."""
    said = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename else ""
    if is_full(error):
        return DiskFullError(
            f"The disk is full{where}.", "Make room, or let TMPDIR name a folder that has some."
        )
    return RunError(f"The run cannot be started: {said}{where}.")


def error_of(folder: Path, exit: Mapping[str, Any], limits: Limits) -> RunError:
    """The error for a run whose ``exit.json`` gives another reason than its end."""
    reason = exit["reason"]
    if reason == "cancelled":
        return with_logs(folder, RunCancelledError(f"The run was stopped{how_far(folder)}."))
    if reason in LIMIT_TEXTS:
        memory = limits.memory
        text = LIMIT_TEXTS[reason].format(
            seconds=limits.seconds or 0,
            memory_text=f" of {memory / 1e6:,.0f} MB" if memory else "",
            output=limits.output,
            processes=limits.processes,
        )
        return with_logs(folder, LimitError(text.rstrip(".") + how_far(folder) + "."))
    for event in EventReader(folder).read():
        if event["event"] == "error":
            return with_logs(folder, _raised(event))
    if exit.get("signal") is None and exit.get("code") is None:
        return with_logs(folder, RunError("The run was killed from outside: its guard is gone."))
    how = f"signal {exit['signal']}" if exit.get("signal") else f"exit code {exit.get('code')}"
    return with_logs(folder, ModelFailedError(f"The model's process ended with {how}."))


def _raised(event: Mapping[str, Any]) -> ModelFailedError:
    if event.get("explained"):
        return ModelFailedError(event["message"])
    place = f" ({event['cell']}, line {event['line']})" if event.get("cell") else ""
    return ModelFailedError(
        f"The model raised {event['message']}{place}.", traceback=event["traceback"]
    )


def said_without_prices(error: RunError) -> RunError:
    """What a run that was given no prices fell over, where it is that."""
    if not (isinstance(error, ModelFailedError) and NO_PRICES.search(str(error))):
        return error
    told = ModelFailedError(
        "The model was given no prices.",
        "Give them with --data SYMBOL=file; the exchange is only asked with a keys.json of yours.",
        traceback=error.traceback,
    )
    told.logs = error.logs
    return told


def without_result() -> ModelFailedError:
    return ModelFailedError("The model ended its process before it had a result.")


def how_far(folder: Path) -> str:
    """At which simulated date the run was, as far as it said."""
    last = None
    for event in EventReader(folder).read():
        if event["event"] == "progress" and event.get("time") is not None:
            last = event
    if last is None:
        return ""
    moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime(last["time"]))
    return f" at simulated {moment} UTC, {last['done']} of {last['total']} bars"


def with_logs(folder: Path, error: RunError) -> RunError:
    error.logs = whole_log(folder)[-MAX_LOG:]
    return error


def whole_log(folder: Path, offset: int = 0) -> str:
    """All that was printed from ``offset`` (bytes) on."""
    text = ""
    while True:
        more, offset = read_log(folder, offset)
        if not more:
            return text
        text += more
