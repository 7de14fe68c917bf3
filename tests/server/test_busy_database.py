"""A database that somebody else holds: a short wait, then 503 and when to come back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from deploy_magics.server.settings import Settings
from deploy_magics.server.store import database


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    defaults = database.Store.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "busy_seconds", 0.3)
    return settings


@contextmanager
def held(url: str) -> Iterator[None]:
    """As a backup, or an operator's own session, would hold it."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=60)) as other:
            other.isolation_level = None
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE projects, models, versions, runs IN EXCLUSIVE MODE")
        yield
        connection.rollback()


def test_writes_are_asked_to_come_back_and_reads_go_on(
    me: Any, database_url: str, small_zip: bytes, deployed: dict[str, Any]
) -> None:
    def attempts() -> list[Any]:
        files = [("model", ("model.zip", small_zip, "application/zip"))]
        return [
            me.call("POST", "/project/create", data={"name": "busy"}),
            me.call("POST", "/model/backtest", data={"name": "busy"}, files=files),
            me.call("POST", f"/run/{deployed['runId']}/stop"),
        ]

    with held(database_url):
        for answer in attempts():
            assert answer.status_code == 503, answer.text
            assert answer.headers["Retry-After"] == "2"
            assert "busy" in answer.json()["error"]
        assert len(me.get("/overview")["projects"]) == 1
    assert [answer.status_code for answer in attempts()] == [200, 200, 200]
