"""Which bot is meant, what is kept of it, and what is asked before money moves."""

import functools
import json
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest

from deploy_magics.actions import bot, bot_look, bot_names, bot_steer
from deploy_magics.errors import (
    CredentialsError,
    InteractionError,
    NotSignedInError,
    RunCancelledError,
    UsageError,
)
from deploy_magics.platforms.freqtrade import FreqtradeClient
from deploy_magics.platforms.session import answer

RECORDED = json.loads(
    (Path(__file__).parents[1] / "platforms" / "freqtrade_answers.json").read_text()
)
PASSWORD = "very-secret-words"


@pytest.fixture(autouse=True)
def sent(tmp_path, monkeypatch):
    """Every bot answers what one of today answered; the list has what was posted."""
    posted = []

    def serve(request):
        path = urlsplit(request.url).path.rpartition("/api/v1/")[2]
        if "wrong" in request.url or path == "token/login":
            return answer(401, {"detail": "Incorrect"})
        if request.method == "GET" and path in RECORDED["2026.9"]:
            return answer(200, RECORDED["2026.9"][path])
        posted.append((request.method, path, json.loads(request.body or "null")))
        return answer(200, {"status": "done", "result": "done", "result_msg": "done"})

    made = functools.partial(FreqtradeClient, transport=serve)
    monkeypatch.setattr(bot, "FreqtradeClient", made)
    monkeypatch.setattr(bot, "_clients", {})
    monkeypatch.setattr(bot, "_current", [])
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("BOT", PASSWORD)
    return posted


def connect(url="http://one:8080", **options):
    return bot.connect(url, token_env="BOT", auth="basic", **options)


def test_a_bot_is_kept_and_its_password_is_not_shown(tmp_path):
    said = connect(as_="alpha")
    assert "alpha: freqtrade 2026.9" in repr(said)
    kept = tmp_path / "home" / "credentials.json"
    if kept.exists() and PASSWORD in kept.read_text():  # where the machine has no keyring
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    shown = repr(said) + repr(vars(said)) + repr(bot.client()) + repr(bot.bots())
    assert PASSWORD not in shown
    bot._clients.clear()  # as in the next notebook
    assert bot_look.version() == "2026.9"


def test_a_refused_password_keeps_nothing():
    with pytest.raises(NotSignedInError):
        connect("http://wrong:8080")
    assert bot.addresses() == {}
    with pytest.raises(NotSignedInError, match="%bot connect"):
        bot.resolve(None)


def test_which_bot_is_meant():
    connect("http://one:8080", as_="one")
    assert bot.resolve(None) == "one"
    connect("http://two:8080", as_="two")
    assert bot.resolve(None) == "two"
    bot.use("one")
    assert bot.resolve(None) == "one"
    assert bot.resolve("two") == "two"
    bot._current.clear()  # a new kernel, and nothing said yet
    with pytest.raises(UsageError, match=r"Which bot.*one, two"):
        bot.resolve(None)
    with pytest.raises(UsageError, match="no bot 'three'"):
        bot.resolve("three")
    assert bot.bots().index.tolist() == ["one", "two"]
    bot.disconnect("two")
    assert bot.resolve(None) == "one"


def test_names_of_bots():
    connect("http://one:8080")
    connect("http://two:9090")
    assert list(bot.addresses()) == ["offline", "offline-9090"]  # their own names, made unlike
    connect("http://three:8080", as_="offline")  # a name that is given moves on
    assert bot.addresses()["offline"] == "http://three:8080"


def test_what_is_damaged_is_said(monkeypatch):
    connect(as_="alpha")
    bot._clients.clear()
    bot.credentials.save(bot.PLATFORM, "http://one:8080", "alpha", "not json")
    with pytest.raises(CredentialsError, match="%bot connect"):
        bot.client()


def test_how_to_connect():
    with pytest.raises(UsageError, match="--model"):
        bot.connect()
    with pytest.raises(UsageError, match="not a server's address"):
        connect("somewhere")
    with pytest.raises(UsageError, match="NO_SUCH"):
        bot.connect("http://one", token_env="NO_SUCH")
    with pytest.raises(InteractionError, match="--token-env"):
        bot.connect("http://one")


def test_what_costs_money_asks(sent, monkeypatch):
    connect(as_="alpha")
    calls = (
        lambda **options: bot_steer.forceexit("3", **options),
        lambda **options: bot_steer.forceexit("all", **options),
        lambda **options: bot_steer.delete_trade(3, **options),
        lambda **options: bot_steer.cancel_order(3, **options),
        lambda **options: bot_steer.forceenter("BTC/USDT", **options),
    )
    for call in calls:
        with pytest.raises(InteractionError, match="--yes"):
            call()
    monkeypatch.setattr("deploy_magics.display.ask.can_answer", lambda: True)
    questions = []
    monkeypatch.setattr("builtins.input", lambda text: questions.append(text) or "no")
    for call in calls:
        with pytest.raises(RunCancelledError, match="Nothing was done"):
            call()
    assert sent == []
    assert all("on alpha (dry run)?" in text for text in questions)
    for call in calls[:4]:
        call(yes=True)
    assert [path for _, path, _ in sent] == [
        "forceexit",
        "forceexit",
        "trades/3",
        "trades/3/open-order",
    ]
    with pytest.raises(UsageError, match="no trade"):
        bot_steer.forceexit("everything", yes=True)


def test_tables_and_said_words():
    connect(as_="alpha")
    assert repr(bot_steer.stop()) == "done"
    assert isinstance(bot_look.status(), pd.DataFrame)
    assert bot_look.profit()["closed_trade_count"] == 2
    assert bot_look.balance().attrs["stake"] == "USDT"
    with pytest.raises(UsageError, match="no time"):
        bot_steer.lock("BTC/USDT", "soon")
    assert bot_names.names_of("bot") == ["alpha"]
    assert "BTC/USDT" in bot_names.names_of("bot-pair")
    assert bot_names.names_of("bot-trade")[-1] == "all"
    assert bot_names.names_of("bot-strategy") == ["Quiet"]
