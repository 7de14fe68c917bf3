"""The client over a transport that answers what real bots of both ages answered."""

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from deploy_magics.errors import (
    ConflictError,
    NotFoundError,
    NotSignedInError,
    RejectedError,
    ServiceError,
    UnreachableError,
)
from deploy_magics.platforms import freqtrade_shape as shape
from deploy_magics.platforms import freqtrade_tables as tables
from deploy_magics.platforms.freqtrade import FreqtradeClient
from deploy_magics.platforms.freqtrade_auth import TokenAuth, lifetime
from deploy_magics.platforms.session import Session, answer

RECORDED = json.loads((Path(__file__).parent / "freqtrade_answers.json").read_text())
AGES = ("2020.8", "2026.9")


def token(name, seconds=900):
    claims = json.dumps({"iat": 1000, "exp": 1000 + seconds, "n": name}).encode()
    return f"eyJhead.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.sign"


class FakeBot:
    """Answers recorded GETs; ``says`` overrides by (method, path)."""

    def __init__(self, age="2026.9", says=None):
        self.recorded = RECORDED[age]
        self.says = says or {}
        self.seen = []
        self.bad = set()

    def __call__(self, request):
        path = urlsplit(request.url).path.removeprefix("/api/v1/")
        self.seen.append((request.method, path, request))
        said = self.says.get((request.method, path))
        if said is not None:
            said = said.pop(0) if isinstance(said, list) else said
            if isinstance(said, Exception):
                raise said
            return answer(*said)
        if path == "token/login":
            return answer(200, {"access_token": token("a"), "refresh_token": token("r", 9999)})
        if path == "token/refresh":
            return answer(200, {"access_token": token("b")})
        if request.headers.get("Authorization") in self.bad:
            return answer(401, {"detail": "Could not validate credentials"})
        if request.method == "GET" and path in self.recorded:
            return answer(200, self.recorded[path])
        return answer(404, {"detail": "Not Found"})

    def calls(self):
        return [(method, path) for method, path, _ in self.seen]


def client(bot, **options):
    options = {"patience": 0, "sleep": lambda _: None, **options}
    return FreqtradeClient("http://127.0.0.1:8080", "ada", "pass-word", transport=bot, **options)


@pytest.mark.parametrize("age", AGES)
def test_both_ages_answer_in_one_shape(age):
    made = client(FakeBot(age))
    assert all(set(shape.TRADE_FIELDS) <= set(row) for row in made.status())
    row = made.status()[0]
    assert (row["base_currency"], row["quote_currency"]) == ("BTC", "USDT")
    assert row["profit_pct"] == pytest.approx(4.77, abs=0.01)
    assert (row["is_short"], row["has_open_orders"]) == (False, False)
    assert set(shape.CONFIG_FIELDS) <= set(made.show_config())
    assert (made.show_config()["version"], made.state()) == (age, "running")
    profit = made.profit()
    assert set(shape.PROFIT_FIELDS) <= set(profit)
    assert pd.Timestamp(profit["first_trade_date"]) > pd.Timestamp("2026-01-01")
    assert profit["profit_closed_percent_mean"] == pytest.approx(2.28)
    assert set(shape.BALANCE_FIELDS) <= set(made.balance())
    assert isinstance(made.count()["max"], int)
    assert {"profit_pct", "profit_ratio", "profit_abs"} <= set(made.performance()[0])


@pytest.mark.parametrize("age", AGES)
def test_both_ages_make_the_same_tables(age):
    made = client(FakeBot(age))
    opened, closed = tables.open_trades(made.status()), tables.trades(made.trades())
    assert opened.index.tolist()[:2] == [1, 2]
    for table, column in ((opened, "open_time"), (closed, "close_time")):
        assert str(table[column].dt.tz) == "UTC"
    for column in ("amount", "open_rate", "profit_abs", "profit_pct"):
        assert opened[column].dtype == "float64"
    assert closed["close_time"].is_monotonic_decreasing
    assert str(tables.periods(made.daily(1)).index.tz) == "UTC"
    assert tables.balance(made.balance()).loc["USDT", "free"] > 0
    assert tables.logs(made.logs()).index.tz is not None


def test_empty_answers_make_empty_tables_with_types():
    assert tables.trades([]).empty
    assert str(tables.trades([])["open_time"].dtype).endswith("UTC]")
    assert tables.locks({"locks": []}).empty
    assert tables.stats({"exit_reasons": {}}).empty


def test_money_as_text_is_read_as_numbers():
    raw = {"data": [{"date": "2020-08-04", "abs_profit": "1.50000000"}]}
    raw["data"][0] |= {"fiat_value": "0.000", "trade_count": "3 trades"}
    row = shape.periods(raw)["data"][0]
    assert (row["abs_profit"], row["fiat_value"], row["trade_count"]) == (1.5, 0.0, 3)


def test_a_bot_of_2020_that_buys_no_more_is_paused():
    raw = {"forcebuy_enabled": True, "state": "running", "max_open_trades": 0, "dry_run": True}
    assert shape.config(raw)["state"] == "paused"
    assert shape.count({"current": 0, "max": float("inf"), "total_stake": 0})["max"] == -1


def test_tokens_are_fetched_once_and_renewed_before_and_upon_their_end():
    bot = FakeBot()
    now = [0.0]
    auth = TokenAuth(Session("http://bot/api/v1", transport=bot), "ada", "pw", clock=lambda: now[0])
    session = Session("http://bot/api/v1", auth=auth, transport=bot)
    session.get("count")
    session.get("count")
    assert bot.calls() == [("POST", "token/login"), ("GET", "count"), ("GET", "count")]
    now[0] = 900 - 60  # a minute before its end
    session.get("count")
    assert bot.calls()[3:] == [("POST", "token/refresh"), ("GET", "count")]
    assert bot.seen[-1][2].headers["Authorization"] == f"Bearer {token('b')}"
    bot.bad = {f"Bearer {token('b')}"}
    bot.says[("POST", "token/refresh")] = (401, {"detail": "Could not validate credentials"})
    session.get("count")  # the token is refused, so is the refresh token: signed in anew
    assert bot.calls()[5:] == [
        ("GET", "count"),
        ("POST", "token/refresh"),
        ("POST", "token/login"),
        ("GET", "count"),
    ]
    assert lifetime("not a token") == 900


def test_neither_password_nor_token_is_shown():
    bot = FakeBot(says={("POST", "token/login"): (401, {"detail": "Incorrect"})})
    made = client(bot)
    with pytest.raises(NotSignedInError) as caught:
        made.count()
    shown = f"{caught.value} {made!r} {made.wire.auth!r} {made.wire.session!r}"
    assert "pass-word" not in shown and token("a") not in shown


def test_a_damaged_token_of_2020_is_renewed():
    says = {("GET", "count"): [(422, {"msg": "Not enough segments"}), (200, {"max": 3.0})]}
    assert client(FakeBot("2020.8", says)).count() == {"max": 3}


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (502, {"error": "Error querying _count: trader is not running"}, ConflictError, "stopped"),
        (502, {"error": "Error querying /api/v1/x: invalid argument"}, RejectedError, "Invalid"),
        (
            502,
            {"error": "Error querying _forcebuy: Forcebuy not enabled."},
            RejectedError,
            "force_entry_enable",
        ),
        (503, {"detail": "Bot is not in the correct state."}, ConflictError, "webserver"),
        (404, {"detail": "Not Found"}, NotFoundError, "does not know"),
        (404, {"status": "error", "reason": "There's no API call"}, NotFoundError, "not know"),
        (404, {"detail": "Trade not found."}, NotFoundError, "Trade not found"),
        (422, {"detail": [{"loc": ["query", "n"], "msg": "Bad"}]}, RejectedError, "N: Bad"),
        (401, {"error": "Unauthorized"}, NotSignedInError, "%bot connect"),
        (500, None, ServiceError, "Is this a freqtrade bot"),
    ],
)
def test_every_way_of_saying_no_is_one_of_our_errors(status, body, kind, said):
    bot = FakeBot(says={("GET", "health"): (status, body)})
    with pytest.raises(kind, match=said):
        client(bot, auth="basic").health()
    assert len(bot.calls()) == 1  # a refusal is not asked for twice


def test_new_names_fall_back_to_old_ones():
    said = {"result": "Created sell order for trade 1."}
    bot = FakeBot("2020.8", {("POST", "forcesell"): (200, said)})
    assert client(bot).forceexit(1, ordertype="market") == said["result"]
    assert bot.calls()[-2:] == [("POST", "forceexit"), ("POST", "forcesell")]
    assert json.loads(bot.seen[-1][2].body) == {"tradeid": "1", "ordertype": "market"}


def test_no_trade_came_of_it():
    said = {"status": "Error entering long trade for pair X/Y."}
    with pytest.raises(RejectedError, match="Error entering"):
        client(FakeBot(says={("POST", "forceenter"): (200, said)})).forceenter("X/Y")


def test_all_trades_are_paged_and_never_twice():
    rows = [{"trade_id": n, "pair": "A/B", "close_timestamp": n} for n in range(1200)]

    def serve(request):
        if "/trades" not in request.url:
            return FakeBot()(request)
        query = parse_qs(urlsplit(request.url).query)
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        # one trade closes between the pages: each later page moves by one
        moved = rows[::-1] if offset == 0 else [rows[0], *rows[::-1]]
        page = moved[offset : offset + limit]
        return answer(200, {"trades": page, "trades_count": len(page), "total_trades": 1200})

    got = [row["trade_id"] for row in client(serve).trades()]
    assert len(got) == len(set(got))
    assert got == sorted(got, reverse=True)
    assert set(range(1, 1200)) <= set(got)


def refused():
    reason = NewConnectionError(None, "refused")
    return requests.ConnectionError(MaxRetryError(None, "/", reason))


def test_a_bot_that_reloads_is_called_again_whatever_the_call():
    bot = FakeBot(says={("POST", "stop"): [refused(), refused(), (200, {"status": "stopping"})]})
    assert client(bot, patience=30).stop() == "stopping"


def test_a_call_that_broke_off_is_not_made_again():
    bot = FakeBot(says={("POST", "forceenter"): [requests.ConnectionError("reset"), None]})
    with pytest.raises(UnreachableError):
        client(bot, patience=30).forceenter("BTC/USDT")
    assert bot.calls().count(("POST", "forceenter")) == 1


def test_logs_hold_no_tokens_and_no_colours():
    line = f'"\x1b[31m\x1b[1mGET /api/v1/message/ws?token={token("a")} HTTP/1.1\x1b[0m" 404'
    raw = {"log_count": 1, "logs": [["2026", 1.0, "werkzeug", "INFO", f"{line} {token('b')}"]]}
    found = client(FakeBot(says={("GET", "logs"): (200, raw)})).logs()["logs"][0][4]
    assert found == '"GET /api/v1/message/ws?token=*** HTTP/1.1" 404 ***'
