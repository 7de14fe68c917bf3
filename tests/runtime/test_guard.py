"""The guard by itself, over commands that are no models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy_magics.executor.endings import whole_log
from deploy_magics.executor.process import Guarded, Limits, attach, start_guarded
from deploy_magics.executor.stream import read_log
from deploy_magics.runtime import guard as guard_module
from deploy_magics.runtime import tasks, throttle, tree
from deploy_magics.runtime.guard import Guard

LONG = 120.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Guarded]]:
    started: list[Guarded] = []

    def begin(source: str, **options: Any) -> Guarded:
        folder = tmp_path / f"run{len(started)}"
        guarded = start_guarded(folder, [sys.executable, "-S", "-c", source], **options)
        started.append(guarded)
        return guarded

    yield begin
    for guarded in started:
        guarded.cancel()
        assert guarded.wait(LONG) is not None


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(what)


def log(guarded: Guarded) -> bytes:
    path = guarded.folder / "output.log"
    return path.read_bytes() if path.exists() else b""


@pytest.mark.parametrize(
    ("source", "ended"),
    [
        ("print('fine')", {"reason": "ended", "code": 0, "signal": None}),
        ("raise SystemExit(7)", {"reason": "failed", "code": 7, "signal": None}),
        (
            "import os; os.kill(os.getpid(), 9)",
            {"reason": "killed", "code": None, "signal": 9},
        ),
    ],
)
def test_how_it_ended_is_written_last(
    start: Callable[..., Guarded], source: str, ended: dict[str, Any]
) -> None:
    guarded = start(source)
    verdict = guarded.wait(LONG)
    assert verdict is not None
    assert {name: verdict[name] for name in ended} == ended
    assert guarded.exit == verdict
    assert attach(guarded.folder).exit == verdict
    assert not (guarded.folder / "reserve").exists()


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    guarded = start_guarded(tmp_path / "run", ["/nowhere/at/all"])
    verdict = guarded.wait(LONG)
    assert verdict is not None and (verdict["reason"], verdict["code"]) == ("failed", 127)
    assert b"cannot be started" in log(guarded)


def test_both_streams_in_order_and_any_bytes(start: Callable[..., Guarded]) -> None:
    guarded = start(
        "import os\nos.write(1, b'one\\n')\nos.write(2, b'two\\xff\\n')\nos.write(1, b'three')\n"
    )
    guarded.wait(LONG)
    assert log(guarded) == b"one\ntwo\xff\nthree"


def test_its_words_are_kept_when_it_is_stopped(start: Callable[..., Guarded]) -> None:
    guarded = start("import time\nprint('x' * 5000, flush=True)\ntime.sleep(600)")
    until(lambda: len(log(guarded)) == 5001, "the words")
    (guarded.folder / "control.jsonl").write_text('not json\n{"command": "stop"}\n')
    verdict = guarded.wait(LONG)
    assert verdict is not None and verdict["reason"] == "cancelled"


def test_a_signal_stops_it(start: Callable[..., Guarded]) -> None:
    guarded = start("import time\nprint('on', flush=True)\ntime.sleep(600)", follow_parent=False)
    until(lambda: b"on" in log(guarded), "the start")
    other = attach(guarded.folder)
    assert other.poll() is None
    other.cancel()
    verdict = other.wait(LONG)
    assert verdict is not None and verdict["reason"] == "cancelled"
    assert guarded.wait(LONG) == verdict


def test_a_fork_bomb_is_ended_to_the_last_process(start: Callable[..., Guarded]) -> None:
    """It forks as fast as it can; the kernel's ceiling holds it until the guard looks."""
    source = (
        "import os, time\n"
        "began = time.monotonic()\n"
        "print('bomb', flush=True)\n"
        "time.sleep(0.2)\n"
        "while time.monotonic() - began < 60:\n"
        "    try:\n"
        "        os.fork()\n"
        "    except OSError:\n"
        "        print('refused', flush=True)\n"
    )
    guarded = start(source, limits=Limits(processes=8))
    verdict = guarded.wait(LONG)
    assert verdict is not None and verdict["reason"] == "processes"
    for process in psutil.process_iter(["cmdline"]):
        assert source not in (process.info["cmdline"] or [])
    assert not any(Path(root, f"deploy-magics-{pid_of(guarded)}").exists() for root in tasks.ROOTS)


def test_a_ceiling_of_the_kernel_on_processes_and_threads(start: Callable[..., Guarded]) -> None:
    """Root has a group of its own, anybody else a limit of its user."""
    guarded = start(
        "import os, resource, time\nprint('on', flush=True)\ntime.sleep(600)\n",
        limits=Limits(processes=10),
        follow_parent=False,
    )
    until(lambda: b"on" in log(guarded), "the start")
    (model,) = until(lambda: tree.descendants(pid_of(guarded)), "the model")
    if os.getuid():
        found = until(lambda: psutil.Process(model).rlimit(psutil.RLIMIT_NPROC)[0], "a limit")
        assert found <= 160 + tasks.OTHERS
        return
    for root in filter(makes_groups, tasks.ROOTS):
        place = Path(root, f"deploy-magics-{pid_of(guarded)}")
        until(partial(holds, place / "cgroup.procs", str(model)), "the group")
        assert (place / "pids.max").read_text() == "160\n"
        break


def holds(path: Path, word: str) -> bool:
    return path.exists() and word in path.read_text().split()


def makes_groups(root: str) -> bool:
    """Whether this process may make groups of pids there."""
    place = Path(root, f"deploy-magics-test-{os.getpid()}")
    try:
        place.mkdir()
        return (place / "pids.max").exists()
    except OSError:
        return False
    finally:
        if place.exists():
            place.rmdir()


def pid_of(guarded: Guarded) -> int:
    return int(json.loads((guarded.folder / "guard.pid").read_text())["pid"])


@pytest.mark.parametrize("changed", ["start_time", "boot_id"])
def test_another_process_of_that_number_is_left_alone(tmp_path: Path, changed: str) -> None:
    """After a restart of the machine the number in ``guard.pid`` may be anybody's."""
    with subprocess.Popen(["sleep", "600"]) as other:
        record = {
            "pid": other.pid,
            "start_time": tree.start_time(other.pid),
            "boot_id": guard_module.boot_id(),
        }
        folder = tmp_path / "run"
        folder.mkdir()
        (folder / "guard.pid").write_text(json.dumps(record))
        assert attach(folder).poll() is None  # it is this one, as far as can be known
        record[changed] = 1 if changed == "start_time" else "another"
        (folder / "guard.pid").write_text(json.dumps(record))
        found = attach(folder)
        verdict = found.poll()
        assert verdict is not None and verdict["reason"] == "killed"
        found.cancel()
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("kind", ["backtest", "live"])
@pytest.mark.parametrize("line", [b"x" * 65535 + b"\n", bytes(65536)], ids=["lines", "one line"])
def test_a_flood_of_output_leaves_a_small_log(
    start: Callable[..., Guarded], kind: str, line: bytes
) -> None:
    """128 MiB, in lines or as one of zeros, from a model that then says a last word."""
    source = (
        "import os\n"
        f"piece = {line[:1]!r} * {len(line) - 1} + {line[-1:]!r}\n"
        "for _ in range(1 << 11):\n"
        "    os.write(1, piece)\n"
        "os.write(1, b'last word')\n"
    )
    guarded = start(source, limits=Limits(output=1_000_000), kind=kind)
    verdict = guarded.wait(LONG)
    assert verdict is not None
    sizes = [path.stat().st_size for path in guarded.folder.glob("output.log*")]
    assert sum(sizes) < 1_200_000
    if kind == "backtest":
        assert verdict["reason"] == "output"
        assert "output limit" in whole_log(guarded.folder)
        return
    assert verdict["reason"] == "ended"
    tail = (1 << 27) - 20
    assert whole_log(guarded.folder, tail).endswith("last word")
    assert read_log(guarded.folder, (1 << 27) + 9) == ("", (1 << 27) + 9)


def test_a_part_of_a_core(start: Callable[..., Guarded]) -> None:
    source = (
        "import time\n"
        "began, used = time.monotonic(), time.process_time\n"
        "while time.monotonic() - began < 6: pass\n"
        "print(used())\n"
    )
    guarded = start(source, limits=Limits(cpus=0.2))
    assert guarded.wait(LONG) is not None
    # a fifth of six seconds and the credit it began with; whole cores would be near six
    assert float(log(guarded)) < 4.0


def test_the_throttle_counts_credit() -> None:
    sent: list[tuple[list[int], int]] = []
    spent = [0.0]
    valve = throttle.Throttle(
        0.5, send=lambda pids, number: sent.append((list(pids), number)), measure=lambda _: spent[0]
    )
    valve.check([1, 2])
    assert not valve.stopped
    spent[0] = 50.0
    valve.check([1, 2])
    assert valve.stopped == [1, 2] and sent[-1] == ([1, 2], signal.SIGSTOP)
    valve._credit = 1.0
    valve.check([1, 2])
    assert not valve.stopped and sent[-1] == ([1, 2], signal.SIGCONT)


def test_a_full_disk_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Guard(str(tmp_path))
    watch.status = 1 << 8
    assert watch._verdict(False)["reason"] == "failed"
    monkeypatch.setattr(guard_module, "FULL", 1 << 62)
    assert watch._verdict(False)["reason"] == "disk"
    watch.status = 0
    assert watch._verdict(False)["reason"] == "ended"


def test_the_kernels_own_kill_is_told_from_ours(tmp_path: Path) -> None:
    watch = Guard(str(tmp_path))
    watch.status = int(signal.SIGKILL)
    assert watch._verdict(False)["reason"] == "killed"
    assert watch._verdict(True)["reason"] == "memory"


def test_a_process_is_named_by_its_start_too() -> None:
    mine = tree.start_time(os.getpid())
    assert mine is not None and tree.start_time(os.getpid()) == mine
    assert tree.start_time(2**22 + 1) is None
    assert os.getpid() in tree.descendants(os.getppid())
    assert tree.memory([os.getpid()]) > 1_000_000


def test_descendants_without_the_kernels_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> list[int]:
        raise OSError("no lists")

    monkeypatch.setattr(tree.os.path, "exists", lambda path: False)
    assert os.getpid() in tree.descendants(os.getppid())


def test_guard_json_holds_no_variables(start: Callable[..., Guarded]) -> None:
    guarded = start("import os; print(os.environ['SECRET'])", env={"SECRET": "canary"})
    guarded.wait(LONG)
    assert log(guarded) == b"canary\n"
    config = json.loads((guarded.folder / "guard.json").read_text())
    assert "canary" not in json.dumps(config)
