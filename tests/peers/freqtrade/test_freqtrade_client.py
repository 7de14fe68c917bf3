"""Our client against a real freqtrade 2026.9 that trades on a market of this machine."""

import datetime as dt
import json
import subprocess

import pytest

from deploy_magics.errors import (
    ConflictError,
    NotFoundError,
    NotSignedInError,
    RejectedError,
    UnreachableError,
)
from deploy_magics.platforms import freqtrade_tables as tables
from deploy_magics.platforms.freqtrade import FreqtradeClient


@pytest.fixture
def client(bot, peer):
    """A client of a bot that trades and holds nothing."""
    made = FreqtradeClient(bot.url, bot.user, bot.password, patience=60)
    made.start()
    peer.until(lambda: made.state() == "running", "the bot runs")
    if made.status():
        made.forceexit("all")
        peer.until(lambda: not made.status(), "all trades are closed")
    for lock in made.locks()["locks"]:
        made.unlock(lock["id"])
    for coin in bot.market.factor:
        bot.market.factor[coin] = 1.0
    return made


def test_both_kinds_of_credentials(bot):
    for auth in ("token", "basic"):
        client = FreqtradeClient(bot.url, bot.user, bot.password, auth=auth)
        assert client.version() == "2026.9"
        assert client.show_config()["bot_name"] == "offline"
        wrong = FreqtradeClient(bot.url, bot.user, "not it", auth=auth)
        assert wrong.ping()
        with pytest.raises(NotSignedInError, match="%bot connect"):
            wrong.count()


def test_an_expired_or_damaged_token_is_renewed(client):
    client.count()
    auth = client.wire.auth
    auth._access = auth._access[:-6] + "AAAAAA"  # what the bot says to an expired one too
    assert client.count()["current"] == 0
    auth._access, auth._refresh = "no token at all", "neither"
    assert client.count()["current"] == 0


def test_entering_watching_and_exiting(client, bot, peer):
    entered = client.forceenter("BTC/USDT", tag="gut", stake=300)
    assert entered["enter_tag"] == "gut"
    assert entered["stake_amount"] == pytest.approx(300, rel=0.01)
    with pytest.raises(RejectedError, match="already open"):
        client.forceenter("BTC/USDT")

    bot.market.move("BTC/USDT", 1.05)
    risen = peer.until(lambda: [t for t in client.status() if t["profit_pct"] > 3], "price moved")
    table = tables.open_trades(risen)
    assert table.loc[entered["trade_id"], "pair"] == "BTC/USDT"
    assert str(table["open_time"].dtype).endswith("UTC]")
    assert client.trade(entered["trade_id"])["profit_abs"] > 9

    assert "exit order" in client.forceexit(entered["trade_id"])
    peer.until(lambda: not client.status(), "the trade is closed")
    last = client.trades(1)[0]
    assert last["trade_id"] == entered["trade_id"]
    assert last["exit_reason"] == "force_exit"
    assert client.profit()["closed_trade_count"] >= 1
    assert tables.performance(client.performance())["count"].sum() >= 1
    assert "gut" in tables.performance(client.entries(), "enter_tag").index
    assert "force_exit" in tables.performance(client.exits(), "exit_reason").index
    assert "gut force_exit" in tables.performance(client.mix_tags(), "mix_tag").index
    assert "force_exit" in tables.stats(client.stats()).index


def test_part_of_a_trade_and_the_most_recent_first(client, peer):
    trade = client.forceenter("SOL/USDT")
    client.forceexit(trade["trade_id"], amount=trade["amount"] / 2, ordertype="market")
    peer.until(lambda: client.status()[0]["amount"] < trade["amount"] * 0.6, "half is sold")
    client.forceexit("all")
    peer.until(lambda: not client.status(), "the rest is sold")
    ends = [row["close_timestamp"] for row in client.trades()]
    assert ends == sorted(ends, reverse=True)
    assert len(client.trades(1)) == 1
    with pytest.raises(NotFoundError, match="no trade 999"):
        client.trade(999)


def test_an_order_that_is_not_filled_is_cancelled(client, peer):
    trade = client.forceenter("ETH/USDT", price=1000.0, ordertype="limit")
    assert trade["has_open_orders"]
    assert client.cancel_open_order(trade["trade_id"]) is None
    assert not client.status()


def test_deleting_a_trade(client):
    trade = client.forceenter("ETH/USDT")
    assert f"#{trade['trade_id']}" in client.delete_trade(trade["trade_id"])
    with pytest.raises(RejectedError, match="not found"):
        client.delete_trade(trade["trade_id"])


def test_locks_and_lists(client):
    until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=1)
    locked = tables.locks(client.lock("BTC/USDT", until, reason="news"))
    assert locked["reason"].tolist() == ["news"]
    assert locked["lock_end_time"].iloc[0] >= until - dt.timedelta(seconds=1)
    assert client.unlock("BTC/USDT")["lock_count"] == 0
    assert client.whitelist() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert "ADA/USDT" in client.blacklist(["ADA/USDT"])
    with pytest.raises(RejectedError, match="already"):
        client.blacklist(["ADA/USDT"])
    assert "ADA/USDT" not in client.blacklist_remove(["ADA/USDT"])


def test_money_and_market_as_tables(client):
    assert tables.balance(client.balance()).loc["USDT", "balance"] > 9000
    for answer in (client.daily(3), client.weekly(2), client.monthly(2)):
        frame = tables.periods(answer)
        assert frame.index.is_monotonic_increasing
        assert frame["abs_profit"].dtype == "float64"
    candles = tables.candles(client.pair_candles("BTC/USDT", "1h", 5))
    assert len(candles) == 5
    assert candles["rsi"].between(0, 100).all()
    assert list(tables.candles(client.pair_candles("BTC/USDT", "1h", 5, ["rsi"])))[-1] == "rsi"
    assert tables.logs(client.logs(5)).shape == (5, 3)
    assert client.health()["last_process_ts"] > 0
    assert client.plot_config()["subplots"]["RSI"]
    assert client.markets(base="BTC")["BTC/USDT"]["active"]
    assert client.historic_balance()["columns"]
    assert client.sysinfo()["cpu_count"]
    assert "class Quiet" in client.strategy("Quiet")["code"]
    assert set(client.profit_all()) >= {"all"}


def test_pausing_stopping_and_what_a_stopped_bot_refuses(client, peer):
    assert "no more entries" in client.stopentry()
    assert client.state() == "paused"
    client.start()
    peer.until(lambda: client.state() == "running", "entries are allowed again")
    assert client.stop() == "stopping trader ..."
    peer.until(lambda: client.state() == "stopped", "the bot is stopped")
    with pytest.raises(ConflictError, match="%bot start"):
        client.count()
    assert client.start() == "starting trader ..."


def test_refusals_are_errors(client):
    with pytest.raises(NotFoundError, match="does not know"):
        client.edge()
    with pytest.raises(ConflictError, match="webserver"):
        client.strategies()
    with pytest.raises(RejectedError, match="imescale"):
        client.daily(0)


def test_reloading_its_configuration_takes_the_api_away_for_a_while(client, bot, peer):
    bot.config["max_open_trades"] = 5
    bot.write_config()
    client.reload_config()
    assert client.count()["max"] == 5
    client.reload_config(wait=0)
    assert client.show_config()["max_open_trades"] == 5  # asked while it is away
    peer.until(lambda: client.state() == "running", "the bot is back")


def test_messages_come_as_they_happen_and_again_after_a_reload(client, peer):
    heard = []
    stream = client.messages(lambda kind, data: heard.append((kind, data)), wait=60)
    try:
        client.forceenter("ETH/USDT")
        peer.until(lambda: "entry_fill" in [kind for kind, _ in heard], "the entry is told")
        assert dict(heard)["entry_fill"]["pair"] == "ETH/USDT"
        client.reload_config()
        peer.until(lambda: stream.connected, "connected again")
    finally:
        stream.close()
    assert not stream.connected


def test_what_freqtrades_own_client_does_ours_sees(client, bot, peer, tmp_path):
    config = {"api_server": {"listen_ip_address": "127.0.0.1", "listen_port": bot.port}}
    config["api_server"] |= {"username": bot.user, "password": bot.password}
    (tmp_path / "rest.json").write_text(json.dumps(config))
    program = [peer.interpreter("client_2026").replace("/bin/python", "/bin/freqtrade-client")]
    for words in (["forceenter", "BTC/USDT", "long", "enter_tag=theirs"], ["status"]):
        done = subprocess.run(
            [*program, "-c", str(tmp_path / "rest.json"), *words],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert "BTC" in done.stdout
    assert client.status()[0]["enter_tag"] == "theirs"


def test_a_bot_that_dies_and_comes_back(client, bot, peer):
    bot.stop(kill=True)
    hasty = FreqtradeClient(bot.url, bot.user, bot.password, patience=0.5)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        hasty.count()
    bot.start()
    assert client.version() == "2026.9"
    peer.until(lambda: hasty.state() == "running", "the bot runs")
