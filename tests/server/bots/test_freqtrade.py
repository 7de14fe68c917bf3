"""A live run as a freqtrade bot: our own client and freqtrade's wording, over its run folder."""

import json

import pytest
from starlette.testclient import TestClient

from deploy_magics.errors import ConflictError, NotSignedInError, RejectedError
from deploy_magics.platforms import freqtrade_shape as shape
from deploy_magics.platforms import freqtrade_tables as tables
from deploy_magics.platforms.freqtrade import FreqtradeClient
from deploy_magics.platforms.session import answer
from deploy_magics.server.app import create_app
from deploy_magics.server.dialects.freqtrade_trades import trades_of
from deploy_magics.server.dialects.freqtrade_view import View
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings
from deploy_magics.server.store.tables import Version

DAY = 86400.0
T0 = 1_500_000_000.0


def order(number, side, size, price, at, symbol="BTC-USD", **more):
    found = {"id": str(number), "symbol": symbol, "quote_asset": "USD", "side": side}
    return found | {"size": size, "price": price, "time": at, "status": "done", "fee": 1.0} | more


ORDERS = [
    order(1, "buy", 2.0, 100.0, T0),
    order(2, "sell", 1.0, 110.0, T0 + DAY),
    order(3, "sell", 1.0, 120.0, T0 + 2 * DAY),
    order(4, "buy", 1.0, 100.0, T0 + 2 * DAY + 60),
    order(5, "buy", 1.0, 90.0, T0 + 2 * DAY + 120, status="pending"),
]
ACCOUNT = [
    {"time": T0, "value": 1000.0, "values": {"USD": 1000.0}},
    {"time": T0 + DAY, "value": 950.0, "values": {"USD": 950.0}},
    {"time": T0 + 2 * DAY + 3600, "value": 1031.0, "values": {"USD": 921.0, "BTC": 1.0}},
]


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    opened = Services.open(Settings(data_dir=tmp_path_factory.mktemp("data")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def http(services):
    app = create_app(services.settings, services)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def ada(services):
    return principal(services.accounts.create("ada"))


@pytest.fixture
def run(services, ada):
    """A live run that a worker has taken, with orders and an account."""
    count = len(services.models.list(ada, ada.account_id))
    model = services.models.create(ada, ada.account_id, f"RSI Model {count}")
    version = services.versions.create(ada, model.id)
    with services.store.write() as session:
        session.get(Version, version.id).active_revision_id = "made by hand"
    version = services.versions.get(ada, version.id)
    made = services.runs.create(ada, "live", version, feed={"kind": "replay", "pace": 1})
    while services.queue.claim("worker", 60).id != made.id:
        pass  # one that an earlier test started again
    folder = services.settings.run_folder(made.id)
    folder.mkdir(parents=True)
    lines = [{"event": "order", **each} for each in ORDERS]
    lines += [{"event": "account", **each} for each in ACCOUNT]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "output.log").write_text("bought\nsold\n")
    return made


def bridge(http):
    """A transport of our client into the application."""

    def send(prepared):
        found = http.request(
            prepared.method,
            prepared.url.replace("http://bot", ""),
            content=prepared.body,
            headers={k: v for k, v in prepared.headers.items() if k != "Host"},
        )
        return answer(found.status_code, content=found.content, headers=found.headers)

    return send


@pytest.fixture
def client(services, http, ada, run):
    token, _ = services.tokens.create(ada, "bot")
    return FreqtradeClient(f"http://bot/bots/{run.id}", "any", token, transport=bridge(http))


def test_who_gets_in(services, http, ada, run):
    token, row = services.tokens.create(ada, "bot")
    place = f"http://bot/bots/{run.id}"
    for auth in ("token", "basic"):
        made = FreqtradeClient(place, "any", token, auth=auth, transport=bridge(http))
        assert made.ping()
        assert made.state() == "running"
        wrong = FreqtradeClient(place, "any", "dm_wrong", auth=auth, transport=bridge(http))
        with pytest.raises(NotSignedInError):
            wrong.count()
    signed = FreqtradeClient(place, "any", token, transport=bridge(http))
    signed.count()
    services.tokens.revoke(ada, row.id)
    with pytest.raises(NotSignedInError):  # the JWT ends with the token it was made from
        signed.count()
    eve = principal(services.accounts.create(f"eve {run.id}"))
    text, _ = services.tokens.create(eve, "bot")
    found = http.get(f"/bots/{run.id}/api/v1/status", auth=("any", text))
    assert found.status_code == 404
    signing = http.post(f"/bots/{run.id}/api/v1/token/login", auth=("any", text))
    assert signing.status_code == 404


def test_what_it_tells(client):
    config = client.show_config()
    assert set(shape.CONFIG_FIELDS) <= set(config)
    assert config["bot_name"].startswith("RSI Model")
    assert (config["dry_run"], config["stake_currency"]) == (True, "USD")
    assert "deploy_magics" in client.version()
    assert client.whitelist() == ["BTC/USD"]
    assert tables.logs(client.logs())["message"].tolist() == ["bought", "sold"]
    assert client.health()["last_process_ts"] > 0
    assert tables.locks(client.locks()).empty
    assert client.blacklist() == []


def test_its_money(client):
    (opened,) = client.status()
    assert (opened["trade_id"], opened["pair"], opened["amount"]) == (2, "BTC/USD", 1.0)
    assert opened["current_rate"] == pytest.approx(110.0)  # what the account is worth tells it
    assert opened["profit_abs"] == pytest.approx(9.0)
    (closed,) = client.trades()
    assert closed["profit_abs"] == pytest.approx(10 + 20 - 3)
    assert closed["close_rate"] == pytest.approx(115.0)
    assert client.trade(1)["trade_id"] == 1
    profit = client.profit()
    assert profit["profit_closed_coin"] == pytest.approx(27.0)
    assert profit["profit_all_coin"] == pytest.approx(36.0)
    assert profit["max_drawdown"] == pytest.approx(0.05)
    assert client.count() == {"current": 1, "max": -1, "total_stake": 100.0}
    balance = tables.balance(client.balance())
    assert balance.loc["BTC", "est_stake"] == pytest.approx(110.0)
    assert client.balance()["total_bot"] == 1031.0
    assert tables.performance(client.performance()).loc["BTC/USD", "profit_abs"] == 27.0
    assert tables.performance(client.entries(), "enter_tag")["count"].tolist() == [1]
    assert tables.performance(client.exits(), "exit_reason")["count"].tolist() == [1]
    assert tables.performance(client.mix_tags(), "mix_tag")["count"].tolist() == [1]
    assert client.stats()["exit_reasons"]["model"]["wins"] == 1
    assert tables.historic_balance(client.historic_balance())["total_quote"].tolist() == [
        1000.0,
        950.0,
        1031.0,
    ]
    for told in (client.daily(3), client.weekly(2), client.monthly(2)):
        assert tables.periods(told)["abs_profit"].sum() == pytest.approx(27.0)


def test_stopping_and_starting(services, client, run):
    assert client.start() == "already running"
    assert client.stop() == "stopping trader ..."
    assert client.stop() == "already stopped"
    assert client.state() == "stopped"
    with pytest.raises(ConflictError, match="stopped"):
        client.count()
    with pytest.raises(RejectedError, match="being stopped"):
        client.start()  # its process has not ended yet
    assert services.queue.finish(run.id, "worker", 1, "cancelled")
    assert client.start() == "starting trader ..."
    assert client.state() == "running"


def test_what_a_model_does_by_itself_is_refused(client):
    for ask in (
        lambda: client.forceexit(1),
        lambda: client.forceenter("BTC/USD"),
        client.stopentry,
        lambda: client.reload_config(wait=0),
        lambda: client.delete_trade(1),
    ):
        with pytest.raises(RejectedError, match="deployed model"):
            ask()


def test_errors_are_worded_as_a_bot_words_them(http, run):
    place = f"/bots/{run.id}/api/v1"
    assert http.get(f"{place}/ping").json() == {"status": "pong"}
    unsigned = http.get(f"{place}/count")
    assert (unsigned.status_code, unsigned.json()) == (401, {"detail": "Unauthorized"})


def test_trades_from_orders_that_overlap():
    made = trades_of(
        [
            order(1, "buy", 1.0, 10.0, 1.0, "A-USD", fee=0),
            order(2, "buy", 1.0, 20.0, 2.0, "A-USD", fee=0),
            order(3, "sell", 1.5, 30.0, 3.0, "A-USD", fee=0),
        ]
    )
    assert [(t.number, t.amount, t.left, t.profit) for t in made] == [
        (1, 1.0, 0.0, 20.0),
        (2, 1.0, 0.5, 5.0),
    ]
    assert [t.closed for t in made] == [3.0, None]


def test_nothing_happened_yet():
    view = View.of("model", False, [], {"time": None, "value": None, "values": {}, "history": []})
    assert view.profit()["trade_count"] == 0
    assert view.balance()["total"] == 0.0
    assert view.performance() == []
