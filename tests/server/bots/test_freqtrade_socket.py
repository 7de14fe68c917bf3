"""A live run's bot over its websocket: who gets in, what is told, when it ends."""

import json

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from deploy_magics.platforms.freqtrade_stream import KINDS
from deploy_magics.server.app import create_app
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings
from deploy_magics.server.store.tables import Version

T0 = 1_500_000_000.0


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    opened = Services.open(Settings(data_dir=tmp_path_factory.mktemp("data")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def http(services):
    app = create_app(services.settings, services)
    with TestClient(app, base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.fixture(scope="module")
def ada(services):
    return principal(services.accounts.create("ada"))


@pytest.fixture
def run(services, ada):
    count = len(services.models.list(ada, ada.account_id))
    model = services.models.create(ada, ada.account_id, f"Model {count}")
    version = services.versions.create(ada, model.id)
    with services.store.write() as session:
        session.get(Version, version.id).active_revision_id = "made by hand"
    made = services.runs.create(
        ada, "live", services.versions.get(ada, version.id), feed={"kind": "replay", "pace": 1}
    )
    services.settings.run_folder(made.id).mkdir(parents=True)
    return made


def write(services, run, number, side, status="done", price=100.0, size=1.0):
    event = {"event": "order", "id": str(number), "symbol": "BTC-USD", "quote_asset": "USD"}
    event |= {"side": side, "size": size, "price": price, "time": T0 + number, "fee": 0.0}
    event |= {"status": status, "type": "limit"}
    with (services.settings.run_folder(run.id) / "events.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")


def signed_in(services, http, who, run):
    """An access token of a sign-in, and the token that it was made from."""
    text, row = services.tokens.create(who, "bot")
    place = f"/bots/{run.id}/api/v1/token/login"
    answer = http.post(place, auth=("any", text))
    return answer.json().get("access_token", ""), text, row


def at(http, run, token):
    return http.websocket_connect(f"ws://127.0.0.1/bots/{run.id}/api/v1/message/ws?token={token}")


def test_what_happens_is_told(services, http, ada, run):
    write(services, run, 1, "buy")
    token, _, _ = signed_in(services, http, ada, run)
    with at(http, run, token) as socket:
        socket.send_text("no json")
        socket.send_json({"type": "subscribe", "data": [*KINDS, "unknown"]})
        socket.send_json({"type": "whitelist"})
        assert socket.receive_json() == {"type": "whitelist", "data": ["BTC/USD"]}

        write(services, run, 2, "sell", status="pending", price=120.0)
        told = socket.receive_json()
        assert (told["type"], told["pair"], told["limit"]) == ("exit", "BTC/USD", 120.0)
        write(services, run, 2, "sell", price=120.0, size=0.5)
        told = socket.receive_json()
        assert (told["type"], told["sub_trade"], told["amount"]) == ("exit_fill", True, 0.5)
        write(services, run, 3, "sell", price=120.0, size=0.5)
        told = socket.receive_json()
        assert (told["type"], told["trade_id"], told["profit_abs"]) == ("exit_fill", 1, 20.0)
        assert told["sub_trade"] is False
        write(services, run, 4, "buy")
        told = socket.receive_json()
        assert (told["type"], told["trade_id"], told["is_open"]) == ("entry_fill", 2, True)

        services.runs.stop(ada, run.id)
        assert socket.receive_json() == {"type": "status", "status": "stopped"}


def test_only_what_was_subscribed_to_is_told(services, http, ada, run):
    token, _, _ = signed_in(services, http, ada, run)
    with at(http, run, token) as socket:
        socket.send_json({"type": "subscribe", "data": ["exit_fill"]})
        socket.send_json({"type": "whitelist"})
        assert socket.receive_json()["data"] == []
        write(services, run, 1, "buy")
        write(services, run, 2, "sell", price=90.0)
        told = socket.receive_json()
        assert (told["type"], told["profit_abs"]) == ("exit_fill", -10.0)


def test_who_gets_in_and_for_how_long(services, http, ada, run):
    eve = principal(services.accounts.create(f"eve {run.id}"))
    hers, _ = services.tokens.create(eve, "bot")
    id_token = services.tokens.id_token(services.tokens.by_token(hers), kind="freqtrade")
    token, refresh, row = signed_in(services, http, ada, run)
    other_kind = services.tokens.id_token(services.tokens.by_token(refresh))
    for wrong in ("", "nonsense", refresh, id_token, other_kind):
        with pytest.raises(WebSocketDisconnect), at(http, run, wrong):
            pass
    with at(http, run, token) as socket:
        services.tokens.revoke(ada, row.id)
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_json()
    assert ended.value.code == 1008
