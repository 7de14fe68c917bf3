"""%bot, its watch and its backtests, with a real freqtrade 2026.9."""

import pytest

from deploy_magics.errors import (
    InteractionError,
    NotSignedInError,
    RejectedError,
    RunCancelledError,
    UsageError,
)


@pytest.fixture
def run(shell, bot):
    """%bot, connected."""
    shell.run_cell(f"%bot connect {bot.url} --token-env BOT_PASSWORD --as alpha")
    return lambda line: shell.run_cell(f"%bot {line}")


def test_connecting(shell, bot, monkeypatch):
    said = shell.run_cell(f"%bot connect {bot.url} --token-env BOT_PASSWORD --as alpha")
    assert repr(said) == (f"alpha: freqtrade 2026.9 at {bot.url}, strategy Quiet, running, dry run")
    assert shell.run_cell("%bot bots").loc["alpha", "state"] == "running"
    shell.run_cell("%bot disconnect")
    with pytest.raises(NotSignedInError, match="%bot connect"):
        shell.run_cell("%bot status")
    with pytest.raises(InteractionError, match="--token-env"):
        shell.run_cell(f"%bot connect {bot.url}")
    monkeypatch.setenv("BOT_PASSWORD", "wrong")
    with pytest.raises(NotSignedInError, match="refuses"):
        shell.run_cell(f"%bot connect {bot.url} --token-env BOT_PASSWORD")
    with pytest.raises(UsageError, match="NO_SUCH"):
        shell.run_cell(f"%bot connect {bot.url} --token-env NO_SUCH")


def test_the_password_is_shown_nowhere(shell, bot, run, peer, capsys):
    run("show_config")
    connection = shell.run_cell("import deploy_magics.actions.bot as b; b.client()")
    out = capsys.readouterr()
    assert peer.PASSWORD not in out.out + out.err + repr(connection) + repr(vars(connection))


def test_what_costs_money_asks(run, monkeypatch):
    with pytest.raises(InteractionError, match="Say --yes"):
        run("forceenter BTC/USDT")
    monkeypatch.setattr("deploy_magics.display.ask.can_answer", lambda: True)
    asked = []
    monkeypatch.setattr("builtins.input", lambda prompt: asked.append(prompt) or "n")
    with pytest.raises(RunCancelledError, match="Nothing was done"):
        run("forceenter BTC/USDT 100")
    assert asked == ["Enter long BTC/USDT at 100.0 on alpha (dry run)? [y/N] "]
    assert run("status").empty


def test_a_trade_from_entry_to_exit(run, bot, peer):
    entered = run("forceenter BTC/USDT --tag gut --stake 200 --yes")
    bot.market.move("BTC/USDT", 1.04)
    peer.until(lambda: run("status")["profit_pct"].max() > 2, "price moved")
    assert run("count")["current"] >= 1
    with pytest.raises(RejectedError, match="refuses"):
        run("forceexit 999 --yes")
    run(f"forceexit {entered['trade_id']} --yes")
    peer.until(lambda: run("status").empty, "the trade is closed")
    assert run("trades 1").loc[entered["trade_id"], "exit_reason"] == "force_exit"
    assert run("profit")["closed_trade_count"] >= 1
    assert run("daily 2")["trade_count"].sum() >= 1
    assert "gut" in run("entries").index
    assert "BTC/USDT" in run("locks")["pair"].tolist()  # the bot locks what was forced out
    assert "BTC/USDT" not in run("unlock BTC/USDT")["pair"].tolist()
    assert run("candles BTC/USDT --limit 3").shape[0] == 3
    assert "deleted" in run(f"delete_trade {entered['trade_id']} --yes").lower()


def test_completion_knows_bots_trades_and_pairs(shell, run):
    def offered(text):
        return shell.Completer.complete(text)[1]

    assert {"status", "start", "stopentry"} <= set(offered("%bot st"))
    assert "BTC/USDT" in offered("%bot forceenter B")
    assert "alpha" in offered("%bot status --bot a")


def test_watching_steers_and_does_not_block(run, bot, peer):
    watched = run("watch")
    try:
        feed = watched.feeds["alpha"]
        peer.until(lambda: feed.snapshot.state == "running", "the bot is seen")
        peer.until(lambda: "websocket" in repr(watched), "its messages come")
        run("forceenter ETH/USDT --yes")
        peer.until(lambda: feed.snapshot.trades, "the trade is seen")
        trade = feed.snapshot.trades[0]["id"]
        assert "ETH/USDT" in repr(watched)

        watched._on_button(watched, {"bot": "alpha", "do": "exit", "trade": trade}, None)
        peer.until(lambda: feed.snapshot.closed, "the trade is closed by the button")
        assert "exit order" in watched.notes["alpha"]
        watched._on_button(watched, {"bot": "alpha", "do": "stopentry"}, None)
        peer.until(lambda: feed.snapshot.state == "paused", "no more entries")
        watched._on_button(watched, {"bot": "alpha", "do": "rm -rf"}, None)
        watched._on_button(watched, {"bot": "alpha", "do": "start"}, None)
        peer.until(lambda: feed.snapshot.state == "running", "started again")

        bot.stop(kill=True)
        peer.until(lambda: feed.snapshot.state == "away", "its end is seen")
        assert "cannot be reached" in repr(watched)
        bot.start()
        peer.until(lambda: feed.snapshot.state == "running", "it is found again")
    finally:
        watched.stop()
    assert not feed._thread.is_alive()
    assert "no longer read" in repr(watched)
