"""%bot watch in JupyterLab, over a real freqtrade bot: seen, steered, lost and found again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

PEERS = Path(__file__).parents[1] / "peers" / "freqtrade"


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bot that trades by command only, on an exchange of this machine."""
    monkeypatch.syspath_prepend(PEERS)
    import peer_bot

    with peer_bot.Bot(tmp_path, name="alpha") as running:
        yield running
    for name in ("peer_bot", "peer_market"):
        sys.modules.pop(name)


@pytest.fixture
def lab(shared_lab: Any) -> Any:
    return shared_lab


def test_a_bot_is_watched_and_steered(page: Page, lab: Any, screen: Any, bot: Any) -> None:
    cells = (
        f"import os; os.environ['BOT'] = {bot.password!r}\n%load_ext deploy_magics",
        f"%bot connect {bot.url} --token-env BOT --as alpha",
        "watched = get_ipython().run_line_magic('bot', 'watch')\nwatched",
        "%bot forceenter BTC/USDT --yes",
        "print('the kernel is', 'free')",
    )
    screen.open(lab.notebook("bot.ipynb", *cells))
    screen.await_kernel()
    screen.command("notebook:run-all-cells")
    view = page.get_by_role("region", name="Bot alpha")
    expect(page.locator(".jp-OutputArea-output", has_text="the kernel is free")).to_be_visible()
    expect(view).to_contain_text("websocket")
    expect(view).to_contain_text("running")
    trades = view.get_by_role("table", name="Open trades")
    expect(trades.get_by_role("cell", name="BTC/USDT")).to_be_visible()
    view.scroll_into_view_if_needed()
    screen.shot("bot-watch")
    screen.axe(".dm-bots")
    expect(screen.panel).not_to_contain_text("token")  # a bot is nothing to deploy to

    view.get_by_role("button", name="Exit trade 1").click()
    view.get_by_role("button", name="Sure? Exit trade 1").click()
    closed = view.get_by_role("table", name="Closed trades")
    expect(closed.get_by_role("cell", name="force_exit")).to_be_visible()
    expect(view).to_contain_text("No open trades.")
    view.get_by_role("button", name="Stop entry").click()
    expect(view.locator(".dm-state")).to_have_text("paused")
    screen.shot("bot-closed")

    bot.stop(kill=True)
    expect(view.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(view.get_by_role("button", name="Stop entry")).to_be_disabled()
    expect(closed.get_by_role("cell", name="force_exit")).to_be_visible()  # what was seen stays
    screen.shot("bot-away")
    bot.start()
    expect(view.locator(".dm-state")).to_have_text("running")
    expect(view.get_by_role("alert")).to_have_count(0)
