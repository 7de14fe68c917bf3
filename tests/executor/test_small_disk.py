"""A disk that is full, before a run or by it: one line says so, and nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy_magics.executor.environment import Environment

SCRIPT = Path(__file__).with_name("small_disk.py")
NAMESPACES = [["unshare", "-m"], ["unshare", "-Urm"]]


def ways_to_mount(place: Path) -> list[list[str]]:
    """What to put before a command that mounts; empty where this process may not."""
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(place)]
    return [way for way in NAMESPACES if not subprocess.run([*way, *mount]).returncode]


def run(room: str, place: Path, *cases: str, way: list[str] | None = None) -> dict[str, Any]:
    command = [*(way or []), sys.executable, str(SCRIPT), room, str(place), *cases]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return found


def test_a_full_disk(blankly_environment: Environment, tmp_path: Path) -> None:
    full = [
        "the script fills it",
        "the script fills it and goes on",
        "a callback fills it",
        "it is full of prints",
        "it was full before",
    ]
    for way in ways_to_mount(tmp_path)[:1]:
        found = run("disk", tmp_path, *full, "there is room again", way=way)
        assert found.pop("there is room again")["result"] == 1000
        for case in full:
            assert found[case]["error"] in ("LimitError", "DiskFullError"), found
            assert found[case]["said"].startswith(("The disk was full", "The disk is full")), found
            assert found[case]["left behind"] < 100_000, found


def test_a_quota(blankly_environment: Environment, tmp_path: Path) -> None:
    (found,) = run("quota", tmp_path, "the script fills it").values()
    assert found["error"] == "ModelFailedError"
    assert "File too large (bot.py, line 2)" in found["said"]
