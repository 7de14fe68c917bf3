"""JustForFund's dialect: the two documented endpoints, storage, and a subscriber's read."""

import pytest
from starlette.testclient import TestClient

from deploy_magics.server.app import create_app
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings

GOOD = {
    "algorithm_id": 1,
    "ticker_symbol": "AAPL",
    "order_type": "market",
    "portfolio_ratio_investment": 0.01,
    "side": "buy",
    "time_in_force": "day",
}


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    opened = Services.open(Settings(data_dir=tmp_path_factory.mktemp("data")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def http(services):
    with TestClient(create_app(services.settings, services), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def app_keys(services):
    """A function that makes an account's app and answers its two headers; new in every test."""
    accounts = {}
    number = services.accounts.count()

    def make(account="ada", app="app", scopes=("read", "deploy", "trade")):
        if account not in accounts:
            accounts[account] = principal(services.accounts.create(f"{account}{number}"))
        text, row = services.tokens.create(accounts[account], app, scopes)
        return {"API-KEY": row.id, "API-SECRET": text}

    return make


def test_the_documented_example_of_a_resource(http, app_keys):
    data = {
        "Symbol": "LGND",
        "Market": "U.S. Nasdaq",
        "Retracement channels": {
            "90": {
                "current_price": 66.51000213623047,
                "fibonacci_levels": [82.04, 75.13, 70.86],
                "trend": "bullish",
            }
        },
    }
    keys = app_keys(app="fibonacci")
    sent = {"resource_id": 1, "resource_dict": data}
    answer = http.post("/api/v1/upload_resource", json=sent, headers=keys)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "success"
    (stored,) = http.get("/api/v1/resources", headers=keys).json()["resources"]
    assert stored["resource_dict"] == data
    assert (stored["resource_id"], stored["app"]) == (1, "fibonacci")
    assert stored["publisher"].startswith("ada")


def test_the_documented_example_of_a_signal_says_gtc(http, app_keys):
    keys = app_keys()
    sent = GOOD | {"time_in_force": "gtc"}
    answer = http.post("/api/v1/create_trading_signal", json=sent, headers=keys)
    assert answer.status_code == 200, answer.text
    assert "day" in answer.json()["remark"]
    (stored,) = http.get("/api/v1/signals", headers=keys).json()["signals"]
    assert {key: stored[key] for key in GOOD} == sent


def test_the_names_of_the_prose_are_taken_too(http, app_keys):
    keys = app_keys()
    sent = dict(GOOD)
    sent["symbol"] = sent.pop("ticker_symbol")
    sent["percentage_of_buying_power"] = sent.pop("portfolio_ratio_investment")
    answer = http.post("/api/v1/create_trading_signal", json=sent, headers=keys)
    assert answer.status_code == 200
    (stored,) = http.get("/api/v1/signals?algorithm_id=1", headers=keys).json()["signals"]
    assert {key: stored[key] for key in GOOD} == GOOD


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"algorithm_id": "one"}, "algorithm_id"),
        ({"algorithm_id": True}, "algorithm_id"),
        ({"algorithm_id": 2**31}, "algorithm_id"),
        ({"ticker_symbol": ""}, "ticker_symbol"),
        ({"ticker_symbol": "AA PL"}, "ticker_symbol"),
        ({"ticker_symbol": None}, "ticker_symbol"),
        ({"order_type": "limit"}, "market"),
        ({"portfolio_ratio_investment": 0}, "above 0"),
        ({"portfolio_ratio_investment": 1.5}, "above 0"),
        ({"portfolio_ratio_investment": "0.1"}, "above 0"),
        ({"portfolio_ratio_investment": -0.1}, "above 0"),
        ({"side": "hold"}, "'buy' or 'sell'"),
        ({"time_in_force": "ioc"}, "day"),
    ],
)
def test_a_signal_that_makes_no_sense_is_refused(http, app_keys, change, said):
    keys = app_keys()
    answer = http.post("/api/v1/create_trading_signal", json=GOOD | change, headers=keys)
    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert http.get("/api/v1/signals", headers=keys).json() == {"signals": []}


@pytest.mark.parametrize("body", [{}, {"resource_id": 1}, {"resource_id": 1, "resource_dict": []}])
def test_a_resource_without_content_is_refused(http, app_keys, body):
    answer = http.post("/api/v1/upload_resource", json=body, headers=app_keys())
    assert answer.status_code == 422


def test_keys_belong_together(http, app_keys):
    one, two = app_keys(app="one"), app_keys(app="two")
    mixed = {"API-KEY": one["API-KEY"], "API-SECRET": two["API-SECRET"]}
    for headers in ({}, {"API-KEY": one["API-KEY"]}, mixed, one | {"API-SECRET": "dm_wrong"}):
        answer = http.post("/api/v1/create_trading_signal", json=GOOD, headers=headers)
        assert answer.status_code == 401
    assert http.get("/api/v1/me", headers=one).json()["app"] == "one"
    reader = app_keys(app="reader", scopes=("read",))
    refused = http.post("/api/v1/create_trading_signal", json=GOOD, headers=reader)
    assert refused.status_code == 403


def test_the_same_key_publishes_once(http, app_keys):
    keys = app_keys() | {"Idempotency-Key": "signal-1"}
    first = http.post("/api/v1/create_trading_signal", json=GOOD, headers=keys).json()
    again = http.post("/api/v1/create_trading_signal", json=GOOD, headers=keys).json()
    assert (again["id"], first["repeated"], again["repeated"]) == (first["id"], False, True)
    other = http.post("/api/v1/create_trading_signal", json=GOOD | {"side": "sell"}, headers=keys)
    assert other.status_code == 409
    assert len(http.get("/api/v1/signals", headers=keys).json()["signals"]) == 1


def test_what_is_declared_is_held_to(http, app_keys):
    keys = app_keys()
    fields = {"Symbol": "STRING", "Price": "FLOAT", "Levels": "ARRAY"}
    said = {"title": "Fibonacci", "fields": fields}
    assert http.put("/api/v1/resources/3", json=said, headers=keys).status_code == 200

    def publish(data):
        sent = {"resource_id": 3, "resource_dict": data}
        return http.post("/api/v1/upload_resource", json=sent, headers=keys)

    good = {"Symbol": "A", "Price": 1, "Levels": [1.0]}
    assert publish(good).status_code == 200
    for bad, word in (
        ({"Symbol": "A", "Price": 1}, "lacks 'Levels'"),
        (good | {"More": 1}, "no key 'More'"),
        (good | {"Price": "1"}, "FLOAT"),
        (good | {"Price": True}, "FLOAT"),
    ):
        assert word in publish(bad).json()["error"]
    (channel,) = http.get("/api/v1/channels/resources", headers=keys).json()["channels"]
    assert (channel["title"], channel["fields"], channel["published"]) == ("Fibonacci", fields, 1)


def test_a_subscriber_reads_and_nobody_else(http, app_keys):
    ada, bob = app_keys("ada"), app_keys("bob")
    for price in (1, 2, 3):
        sent = {"resource_id": 7, "resource_dict": {"price": price}}
        http.post("/api/v1/upload_resource", json=sent, headers=ada)
    assert http.get("/api/v1/resources", headers=bob).json() == {"resources": []}
    name = http.get("/api/v1/me", headers=ada).json()["account"]
    place = f"/api/v1/subscriptions/resources/{name}/7"
    assert http.post(place, headers=bob).status_code == 200
    read = http.get(f"/api/v1/resources?publisher={name}", headers=bob).json()["resources"]
    assert [each["resource_dict"]["price"] for each in read] == [1, 2, 3]
    rest = f"/api/v1/resources?resource_id=7&after={read[0]['id']}&limit=1"
    (second,) = http.get(rest, headers=bob).json()["resources"]
    assert second["resource_dict"] == {"price": 2}

    assert http.delete(place, headers=bob).status_code == 200
    assert http.get("/api/v1/resources", headers=bob).json() == {"resources": []}
    assert http.delete(place, headers=bob).status_code == 404

    http.put("/api/v1/resources/7", json={"open": False}, headers=ada)
    assert http.post(place, headers=bob).status_code == 404
