"""Runs uv: with no configuration but the operator's, no secrets around it, and a deadline."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy_magics.errors import EnvironmentError_
from deploy_magics.executor.interpreters import uv_program

# what a build may see of this process's variables: places, certificates, proxies, uv's own
KEPT = re.compile(
    r"PATH|HOME|USERPROFILE|TMPDIR|TEMP|TMP|LANG|LC_ALL|SYSTEMROOT|APPDATA|LOCALAPPDATA|XDG_\w+"
    r"|SSL_CERT_(FILE|DIR)|(HTTPS?|ALL|NO)_PROXY|UV_(?!.*(PASSWORD|TOKEN|USERNAME))\w+",
    re.IGNORECASE,
)
# alpaca-trade-api pins a msgpack without wheels for Python 3.11 and newer; its successors serve it
OVERRIDES = {"msgpack": "msgpack>=1.0.3,<2"}
NETWORK = re.compile(
    r"dns error|error sending request|failed to fetch|could not connect|timed out|connection",
    re.IGNORECASE,
)


def make_folder(folder: Path, python: Path) -> None:
    """An empty environment that may be renamed."""
    command = ["venv", "--no-config", "--no-project", "--relocatable", "--quiet"]
    code, said = _run([*command, "--python", str(python), str(folder)], folder.parent, 60.0)
    if code != 0:
        raise EnvironmentError_(f"No environment could be made: {_cause(said)}.")


def install(
    folder: Path,
    version: str,
    requirements: Sequence[str],
    buildable: Sequence[str],
    say: Callable[[str], None],
    deadline: float,
) -> None:
    """Install into a new folder; offline from uv's cache where the network is away."""
    if not requirements:
        return
    named = {canonicalize_name(Requirement(line).name) for line in requirements}
    wanted, overrides = folder / "requirements.txt", folder / "overrides.txt"
    wanted.write_text("\n".join(requirements) + "\n", "utf-8")
    pinned_too_old = tuple(map(int, version.split(".")[:2])) >= (3, 11)
    loosened = [line for name, line in OVERRIDES.items() if pinned_too_old and name not in named]
    overrides.write_text("\n".join(loosened), "utf-8")
    command = ["pip", "install", "--no-config", "--compile-bytecode", "--link-mode", "copy"]
    command += ["--only-binary", ":all:"]
    for name in buildable:
        command += ["--no-binary", name]
    command += ["--python", str(folder), "-r", str(wanted), "--override", str(overrides)]
    say(f"Python {version}: installing {_names(requirements)}")
    code, said = _run(command, folder, deadline - time.monotonic(), say)
    if code != 0 and NETWORK.search(said):
        say("the network is away: trying uv's cache")
        code, said = _run([*command, "--offline"], folder, deadline - time.monotonic(), say)
        if code != 0:
            raise EnvironmentError_(
                f"The packages {_names(requirements)} are not in the cache of this machine "
                "and their registry cannot be reached.",
                "Connect once, or use --env kernel.",
            )
    if code != 0:
        raise _refusal(requirements, said)


def _refusal(requirements: Sequence[str], said: str) -> EnvironmentError_:
    unbuilt = re.search(r"Wheels are required for `([^`]+)`", said)
    if unbuilt:
        name = unbuilt.group(1)
        return EnvironmentError_(
            f"'{name}' has no wheel for this Python, and building it would run its own code.",
            f"Name another version or python_version, or allow it: DEPLOY_MAGICS_BUILD={name}.",
        )
    return EnvironmentError_(
        f"The packages {_names(requirements)} cannot be installed: {_cause(said)}.",
        "Change requirements.txt, or use --env kernel.",
    )


def _run(
    arguments: Sequence[str],
    folder: Path,
    seconds: float,
    say: Callable[[str], None] | None = None,
) -> tuple[int, str]:
    """uv's exit code and what it said; its process never outlives this call."""
    environment = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
    process = subprocess.Popen(
        [uv_program(), *arguments, "--color", "never", "--no-progress"],
        cwd=folder,
        env={**environment, "VIRTUAL_ENV": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    late = threading.Timer(max(seconds, 1.0), process.kill)
    late.daemon = True
    late.start()
    lines: list[str] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line.rstrip())
            if say and re.match(r"(Resolved|Prepared|Installed|Bytecode) ", line):
                say(line.strip())
        code = process.wait()
    finally:
        overdue = not late.is_alive()
        late.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()
    if overdue:
        raise EnvironmentError_(
            f"The packages could not be installed in {seconds:.0f} seconds.",
            "Try again: what was fetched is kept.",
        )
    return code, "\n".join(lines)


def _cause(said: str) -> str:
    """The deepest cause that uv names, on one line."""
    text = re.sub(r"\s+", " ", said).strip()
    text = re.sub(r"^.*?error: ", "", text)
    text = re.split(r" hint: ", text)[0].rstrip(". ")
    return text if len(text) <= 300 else f"{text[:297]}…"


def _names(requirements: Sequence[str]) -> str:
    shown = ", ".join(requirements[:4])
    return shown if len(requirements) <= 4 else f"{shown} and {len(requirements) - 4} more"
