"""Warm processes: one for each environment, gone with their owner."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from waiting import LONG, until

from deploy_magics.executor import warm
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.process import Limits


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    warm.close_all()
    yield
    warm.close_all()


def zygotes() -> list[warm.Zygote]:
    return list(warm._warm.values())


def test_an_environment_has_one_warm_process(blankly_environment: Environment) -> None:
    assert warm.why_not() is None
    assert warm.prepare(blankly_environment)
    assert warm.prepare(blankly_environment)
    assert len(zygotes()) == 1
    (only,) = zygotes()
    assert only.alive
    warm.close_all()
    assert not only.alive
    assert not only.folder.exists()


def test_another_environment_has_another_and_the_oldest_goes(
    blankly_environment: Environment,
) -> None:
    for number in range(4):
        warm.prepare(dataclasses.replace(blankly_environment, key=f"key{number}"))
    assert len(zygotes()) == warm.MOST
    assert list(warm._warm) == ["key2", "key3"]


def test_a_dead_one_is_replaced(blankly_environment: Environment) -> None:
    warm.prepare(blankly_environment)
    (first,) = zygotes()
    first.process.kill()
    first.process.wait()
    warm.prepare(blankly_environment)
    (second,) = zygotes()
    assert second is not first and second.alive


def test_where_there_is_no_fork_runs_start_cold(
    blankly_environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "fork")
    reason = warm.why_not()
    assert reason is not None and "cannot fork" in reason
    assert not warm.prepare(blankly_environment)
    assert warm.start(blankly_environment, tmp_path, Limits()) is None
    assert zygotes() == []


def test_it_ends_with_its_owner(blankly_environment: Environment, tmp_path: Path) -> None:
    script = """
import sys, time
from deploy_magics.executor import warm
from deploy_magics.executor.environment import ensure_environment
warm.prepare(ensure_environment(None, ("blankly==1.18.25b0", "numpy<2")))
(zygote,) = warm._warm.values()
import psutil
while len(psutil.Process(zygote.process.pid).children(recursive=True)) < 2:
    time.sleep(0.02)
print(zygote.process.pid, flush=True)
time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    try:
        zygote = psutil.Process(int(owner.stdout.readline()))
        everything = [zygote, *zygote.children(recursive=True)]
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    until(lambda: not any(map(alive, everything)), "the end of the warm process and its spare")


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def spare_of(zygote: warm.Zygote) -> list[psutil.Process]:
    """The guard that waits for a run, and its runner."""
    process = psutil.Process(zygote.process.pid)
    return until(lambda: (found := process.children(recursive=True)) and len(found) == 2 and found,
                 "a guard and a runner, forked ahead")  # fmt: skip


def printed(environment: Environment, folder: Path) -> str:
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "bot.py").write_text("import os\nprint('here', os.getpid())\n")
    (folder / "job.json").write_text('{"kind": "backtest", "model": "model"}')
    guarded = warm.start(environment, folder, Limits())
    assert guarded is not None and guarded.wait(LONG) is not None
    return (folder / "output.log").read_text().split("here ")[1].split()[0]


def test_the_spare_takes_the_next_run_and_another_follows(
    blankly_environment: Environment, tmp_path: Path
) -> None:
    warm.prepare(blankly_environment)
    (zygote,) = zygotes()
    _, runner = spare_of(zygote)
    assert printed(blankly_environment, tmp_path / "1") == str(runner.pid)
    _, another = spare_of(zygote)
    assert printed(blankly_environment, tmp_path / "2") == str(another.pid) != str(runner.pid)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_spare_that_was_killed_is_replaced(
    blankly_environment: Environment, tmp_path: Path, victim: int
) -> None:
    warm.prepare(blankly_environment)
    (zygote,) = zygotes()
    spare_of(zygote)[victim].kill()
    assert printed(blankly_environment, tmp_path / "run").isdigit()


def test_an_environment_without_the_library_says_so(
    blankly_environment: Environment, tmp_path: Path
) -> None:
    bare = dataclasses.replace(blankly_environment, python=Path(sys.executable), key="bare")
    folder = tmp_path / "run"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "bot.py").write_text("print(1)\n")
    (folder / "job.json").write_text('{"kind": "backtest", "model": "model"}')
    guarded = warm.start(bare, folder, Limits())
    assert guarded is not None
    ended = guarded.wait(LONG)
    assert ended is not None and ended["reason"] == "failed"
    assert "holds no blankly" in (folder / "events.jsonl").read_text()
