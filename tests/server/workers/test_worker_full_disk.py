"""The runs of a server whose disk is full: kept in the queue, run when there is room again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy_magics.server.settings import Settings
from deploy_magics.server.workers import job as job_module


@pytest.fixture
def settings(tmp_path: Path, place: str, small_disk: Any) -> Settings:
    folder = tmp_path if small_disk is None else small_disk.path
    return Settings(data_dir=folder / "data", database_url=place, key_file=tmp_path / "key")


@pytest.mark.parametrize(("kind", "space"), [("backtest", 48 << 10), ("live", 0)])
def test_a_run_waits_for_room(
    house: Any,
    worker: Any,
    wait_for: Any,
    small_disk: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    space: int,
) -> None:
    if small_disk is None:
        return
    monkeypatch.setattr(job_module, "RETRY_SECONDS", 0.1)
    feed = {"kind": "replay", "pace": 0} if kind == "live" else None
    run = house.run(house.deploy(), kind, feed=feed)
    small_disk.fill(leave=space)
    worker()

    def waits() -> bool:
        row = house.now(run)
        return row.attempts > 1 and "disk" in (row.error or "")

    wait_for(waits, "a second attempt")
    small_disk.clear()
    ended = house.await_state(run, "succeeded", "failed", "cancelled")
    assert (ended.state, ended.error) == ("succeeded", None)


def test_a_model_that_fills_the_disk_fails_for_it(house: Any, worker: Any, small_disk: Any) -> None:
    if small_disk is None:
        return
    place = str(small_disk.path / "large")
    fills = f"""
    with open({place!r}, "ab", 0) as file:
        while True:
            file.write(bytes(1 << 16))
"""
    worker()
    run = house.run(house.deploy(fills))
    ended = house.await_state(run, "succeeded", "failed", "cancelled")
    assert ended.state == "failed"
    assert "disk" in ended.error.lower()
