"""The view of bots, fed by recorded answers."""

import json
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from deploy_magics.actions.bot_feed import BotReader, Feed, Snapshot
from deploy_magics.platforms.freqtrade import FreqtradeClient
from deploy_magics.platforms.session import answer
from deploy_magics.widgets.bot import BotWatch
from deploy_magics.widgets.bot_text import one_bot, page, sparkline

RECORDED = json.loads(
    (Path(__file__).parents[1] / "platforms" / "freqtrade_answers.json").read_text()
)


class RecordedBot:
    """Answers as a bot did; ``away`` makes it unreachable."""

    def __init__(self, age="2020.8"):
        self.answers = dict(RECORDED[age])
        self.away = False
        self.posted = []

    def __call__(self, request):
        if self.away:
            raise requests.ConnectionError("gone")
        path = urlsplit(request.url).path.removeprefix("/api/v1/")
        if request.method == "POST":
            self.posted.append((path, request.body))
            return answer(200, {"status": f"did {path}", "result": f"did {path}"})
        if path not in self.answers:
            return answer(404, {"detail": "Not Found"})
        return answer(200, self.answers[path])


def client(bot):
    return FreqtradeClient(
        "http://bot", "ada", "pw", auth="basic", transport=bot, patience=0, sleep=lambda _: None
    )


def until(check, what):
    end = time.monotonic() + 60
    while not check():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture
def watched():
    """A view of one recorded bot, and that bot."""
    bot = RecordedBot()
    view = BotWatch({"beta": client(bot)}, every=0.05)
    yield view, bot
    view.close()


@pytest.mark.parametrize("age", ["2020.8", "2026.9"])
def test_a_snapshot_has_all_that_is_shown(age):
    read = BotReader(client(RecordedBot(age)), "beta").read()
    assert (read.state, read.stake, read.version) == ("running", "USDT", f"freqtrade {age}")
    assert [row["pair"] for row in read.trades[:2]] == ["BTC/USDT", "SOL/USDT"]
    assert read.trades[0]["percent"] == pytest.approx(4.77, abs=0.01)
    assert {row["pair"] for row in read.closed} == {"BTC/USDT", "SOL/USDT"}
    assert read.curve[-1][1] == pytest.approx(read.profit)
    assert [time for time, _ in read.curve] == sorted(time for time, _ in read.curve)
    assert read.balance > 9000
    assert read.speaks == (age == "2026.9")
    json.dumps(read.curve)


def test_a_bot_that_is_away_keeps_what_was_seen():
    bot = RecordedBot()
    reader = BotReader(client(bot), "beta")
    before = reader.read()
    bot.away = True
    after = reader.read()
    assert after.state == "away"
    assert "cannot be reached" in after.problem
    assert (after.trades, after.profit) == (before.trades, before.profit)
    bot.away = False
    assert reader.read().problem == ""


def test_a_stopped_bot_tells_less_and_is_shown():
    bot = RecordedBot()
    bot.answers["show_config"] = bot.answers["show_config"] | {"state": "stopped"}
    for path in ("profit", "count", "status", "trades", "balance"):
        del bot.answers[path]

    def stopped(request):
        path = urlsplit(request.url).path.removeprefix("/api/v1/")
        if path in ("trades", "profit"):
            return answer(502, {"error": "Error querying _x: trader is not running"})
        return bot(request)

    read = BotReader(client(stopped), "beta").read()
    assert (read.state, read.problem) == ("stopped", "")


def test_the_view_follows_and_its_text_says_it(watched):
    view, bot = watched
    until(lambda: view.bots[0]["state"] == "running", "the bot is seen")
    assert "BTC/USDT" in repr(view) and "polling" in repr(view)
    bot.away = True
    until(lambda: view.bots[0]["state"] == "away", "its absence is seen")
    assert "cannot be reached" in repr(view)


def test_buttons_do_what_is_allowed_and_nothing_else(watched):
    view, bot = watched
    until(lambda: view.bots[0]["state"] == "running", "the bot is seen")
    view._on_button(view, {"bot": "beta", "do": "stop"}, None)
    until(lambda: view.notes.get("beta") == "did stop", "the answer is shown")
    view._on_button(view, {"bot": "beta", "do": "exit", "trade": 2}, None)
    until(lambda: view.notes.get("beta") == "did forceexit", "the answer is shown")
    view._on_button(view, {"bot": "beta", "do": "exit", "trade": "all; rm"}, None)
    until(lambda: "no trade" in view.notes["beta"], "the refusal is shown")
    for message in ({"bot": "beta", "do": "__init__"}, {"bot": "other", "do": "stop"}, {}):
        view._on_button(view, message, None)
    assert [path for path, _ in bot.posted] == ["stop", "forceexit"]


def test_it_ends_without_a_trace(watched):
    view, _ = watched
    view.stop()
    assert not [t for t in threading.enumerate() if t.name == "watch beta"]
    assert view.ended
    assert "no longer read" in repr(view)
    view.stop()


def test_a_feed_ends_while_nobody_answers():
    asked = threading.Event()
    goes_on = threading.Event()

    def hangs(request):
        asked.set()
        goes_on.wait(60)
        raise requests.ConnectionError("gone")

    feed = Feed(client(hangs), "beta", lambda snapshot: None, every=0.05)
    feed.start()
    assert asked.wait(60)
    goes_on.set()
    feed.close()
    assert not feed._thread.is_alive()


def test_text_of_a_bot():
    row = {"id": 1, "pair": "A/B", "side": "long", "amount": 1.5, "profit": None, "percent": None}
    snapshot = Snapshot(
        "beta", "http://bot", at=1.0, state="running", stake="USDT", profit=-1.5, slots=(1, -1)
    )
    assert "open 1\n" in one_bot(snapshot) + "\n"
    text = page([snapshot, Snapshot("other", "http://x", trades=({**row, "pending": True},))])
    assert "beta: running" in text and "profit -1.50 USDT" in text
    assert "other: away" in text and "order open" in text and "?" in text
    assert sparkline([0, 1, 2, 3]) == "▁▃▅█"
    assert len(sparkline(list(range(1000)))) <= 60
    assert sparkline([1, 1]) == "▁▁"
