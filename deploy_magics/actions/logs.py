"""A run's log: the last of it, or followed as it grows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial

from ..display import escape, mode
from ..display.table import clean
from ..errors import UsageError
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import END_STATES
from .find import find_run
from .kinds import ModelName, RunId, VersionNumber
from .patience import patiently
from .session import client

TAIL = 200
WAITS = 20.0  # seconds that the server may hold a call until there is more


@dataclass(frozen=True, repr=False)
class Logs:
    """What a run printed; ``.text`` is all of it that was asked for."""

    text: str
    run_id: str
    state: str
    left_out: int = 0

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        head = f"… {self.left_out} lines before; --tail 0 shows all\n" if self.left_out else ""
        return head + (clean(self.text.rstrip("\n")) or f"Nothing printed yet ({self.state}).")

    def _repr_html_(self) -> str:
        return (
            "<pre style='max-height:30em;overflow:auto;margin:0'>" + escape(repr(self)) + "</pre>"
        )


def logs(
    name: ModelName = None,
    *,
    version: VersionNumber = None,
    run: RunId = None,
    follow: bool = False,
    tail: int = TAIL,
    search: str | None = None,
) -> Logs | None:
    """Show what a run printed.

    Args:
        name: the model; left out, the one deployed last.
        version: one version's run.
        run: a run by its id.
        follow: print what comes until the run ends; Ctrl-C ends the following and not the run.
        tail: so many lines from the end; 0 for all.
        search: only lines that hold this text.
    """
    if tail < 0:
        raise UsageError("--tail counts lines from the end.", "0 shows all.")
    here = client()
    found = find_run(here, name, version, run)
    if follow:
        _follow(here, found.id, search)
        return None
    text, state = _whole(here, found.id)
    lines = [line for line in text.splitlines() if search is None or search in line]
    shown = lines[-tail:] if tail else lines
    left_out = len(lines) - len(shown)
    return Logs("\n".join(shown) + ("\n" if shown else ""), found.id, state, left_out)


def _whole(here: BlanklyClient, run_id: str) -> tuple[str, str]:
    """All of a log so far, and the run's state."""
    parts: list[str] = []
    offset, state = 0, ""
    while True:
        part = here.logs(run_id, offset)
        state = part.state or state
        if not part.text or part.offset <= offset:
            return "".join(parts), state
        parts.append(part.text)
        offset = part.offset


def _follow(here: BlanklyClient, run_id: str, search: str | None) -> None:
    rest, state, offset = "", "", 0
    try:
        while state not in END_STATES:
            part = patiently(partial(here.logs, run_id, offset, WAITS))
            *lines, rest = (rest + part.text).split("\n")
            for line in lines:
                _print(line, search)
            if not part.text or part.state not in END_STATES:
                state = part.state  # all that an ended run printed is read first
            offset = part.offset
    except KeyboardInterrupt:
        print("Following has ended; the run goes on.")
        return
    if rest:
        _print(rest, search)
    print(f"The run has ended: {state}.")


def _print(line: str, search: str | None) -> None:
    if (search is None or search in line) and mode() != "silent":
        print(clean(line))
        sys.stdout.flush()
