"""One real bot for each module that asks for one."""

from __future__ import annotations

import atexit
import sys
from pathlib import Path

import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell

from deploy_magics.actions import bot as actions_bot
from deploy_magics.magics.register import register, unregister

sys.path.insert(0, str(Path(__file__).parent))

import peer_bot


@pytest.fixture(scope="session")
def peer():
    """The module that starts bots."""
    return peer_bot


@pytest.fixture(scope="module")
def bot(tmp_path_factory):
    """A bot of today that trades by command only."""
    with peer_bot.Bot(tmp_path_factory.mktemp("bot")) as running:
        yield running


@pytest.fixture(scope="module")
def old_bot(tmp_path_factory):
    """A bot of August 2020."""
    with peer_bot.Bot(tmp_path_factory.mktemp("old_bot"), age=2020) as running:
        yield running


class RaisingShell(InteractiveShell):
    """A shell that raises what a cell raised, and keeps no history."""

    def run_cell(self, raw_cell, *args, **options):
        result = super().run_cell(raw_cell, *args, **options)
        result.raise_error()
        return result.result


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell with our magics, and a home of its own."""
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BOT_PASSWORD", peer_bot.PASSWORD)
    monkeypatch.setattr(actions_bot, "_clients", {})
    monkeypatch.setattr(actions_bot, "_current", [])
    monkeypatch.setattr(HistoryManager, "enabled", False)
    made = RaisingShell()
    register(made)
    yield made
    unregister(made)
    made.restore_sys_module_state()
    made.atexit_operations()
    atexit.unregister(made.atexit_operations)
