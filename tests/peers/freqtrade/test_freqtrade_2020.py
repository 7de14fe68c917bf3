"""Our client and %bot against a real freqtrade of August 2020: every command of its API."""

import pytest

from deploy_magics.errors import (
    ConflictError,
    NotFoundError,
    NotSignedInError,
    RejectedError,
    UnreachableError,
)
from deploy_magics.platforms import freqtrade_shape as shape
from deploy_magics.platforms import freqtrade_tables as tables
from deploy_magics.platforms.freqtrade import FreqtradeClient


@pytest.fixture(scope="module")
def client(old_bot):
    return FreqtradeClient(old_bot.url, old_bot.user, old_bot.password, patience=60)


@pytest.fixture(scope="module")
def traded(client, old_bot, peer):
    """What became of two trades: as they were bought, as they rose, as they are closed."""
    bought = client.forceenter("BTC/USDT")
    client.forcebuy("SOL/USDT")
    count = client.count()
    with pytest.raises(RejectedError, match="already open"):
        client.forceenter("BTC/USDT")
    old_bot.market.move("BTC/USDT", 1.05)
    risen = peer.until(
        lambda: [row for row in client.status() if (row["profit_pct"] or 0) > 3], "price moved"
    )
    said = client.forceexit(bought["trade_id"]), client.forcesell("all")
    peer.until(lambda: not client.status(), "all is sold")
    return bought, count, risen[0], said


def test_what_it_tells_of_itself(client):
    assert client.ping()
    assert client.version() == "2020.8"
    config = client.show_config()
    assert set(shape.CONFIG_FIELDS) <= set(config)
    assert (config["version"], config["state"], config["trading_mode"]) == (
        "2020.8",
        "running",
        "spot",
    )
    assert config["force_entry_enable"] is True
    assert client.whitelist() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


def test_credentials(client, old_bot):
    basic = FreqtradeClient(old_bot.url, old_bot.user, old_bot.password, auth="basic")
    assert basic.version() == "2020.8"
    for auth in ("token", "basic"):
        wrong = FreqtradeClient(old_bot.url, old_bot.user, "not it", auth=auth)
        with pytest.raises(NotSignedInError):
            wrong.count()
    # it answers 422, and not 401, to a token that is damaged
    client.count()
    client.wire.auth._access = "no.token.at-all"
    client.wire.auth._refresh = "neither"
    assert client.count()["max"] == 3


def test_trading_with_todays_names(client, traded):
    bought, count, risen, said = traded
    assert (bought["base_currency"], bought["quote_currency"]) == ("BTC", "USDT")
    assert count == {"current": 2, "max": 3, "total_stake": pytest.approx(1000, rel=0.01)}
    assert set(shape.TRADE_FIELDS) <= set(risen)
    assert risen["profit_abs"] > 15
    assert not [key for key in risen if key.startswith(("sell_", "current_profit"))]
    assert "sell order" in said[0] and "all open trades" in said[1]
    with pytest.raises(RejectedError, match="Leave out entry_tag"):
        client.forceenter("ETH/USDT", tag="too new")
    closed = tables.trades(client.trades())
    assert set(closed["exit_reason"]) == {"force_sell"}
    assert closed["close_time"].is_monotonic_decreasing
    assert client.trade(bought["trade_id"])["profit_abs"] > 15
    assert len(client.trades(1)) == 1


def test_money_reads_as_today(client, traded):
    profit = client.profit()
    assert profit["profit_closed_percent"] is None  # it tells the mean only
    assert profit["profit_closed_percent_mean"] != 0
    assert profit["first_trade_date"][:2] == "20"
    assert tables.performance(client.performance()).loc["BTC/USDT", "profit_pct"] > 3
    assert client.balance()["total_bot"] > 10000
    days = tables.periods(client.daily(2))
    assert days["trade_count"].sum() >= 2
    assert tables.logs(client.logs(3)).shape == (3, 3)


def test_lists_and_deleting(client):
    with pytest.raises(RejectedError, match="already"):
        client.blacklist(["XRP/USDT"])
    assert "SOL/USDT" in client.blacklist(["SOL/USDT"])
    gone = client.forceenter("ETH/USDT")["trade_id"]
    assert "Deleted" in client.delete_trade(gone)
    with pytest.raises(RejectedError):
        client.delete_trade(gone)
    with pytest.raises(RejectedError, match="Edge is not enabled"):
        client.edge()


def test_what_came_later_is_said_to_be_unknown(client):
    for ask in (client.weekly, client.stats, client.locks, client.health):
        with pytest.raises(NotFoundError, match="does not know"):
            ask()
    with pytest.raises(UnreachableError, match="no messages"):
        client.messages(print, wait=60)


def test_stopping_and_starting(client, peer):
    assert "No more buy" in client.stopentry()
    assert client.state() == "paused"
    client.reload_config()
    assert client.state() == "running"
    client.stop()
    peer.until(lambda: client.state() == "stopped", "the bot is stopped")
    with pytest.raises(ConflictError, match="%bot start"):
        client.count()
    client.start()
    peer.until(lambda: client.state() == "running", "the bot runs again")
