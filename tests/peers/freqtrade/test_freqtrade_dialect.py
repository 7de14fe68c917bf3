"""A live run on our server, steered by freqtrade's own client and watched by %bot."""

import json
import subprocess
import threading

import pytest
import uvicorn

from deploy_magics.server.app import create_app
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings
from deploy_magics.server.store.tables import Version

ORDERS = [("buy", 100.0, 1.5e9), ("sell", 110.0, 1.5e9 + 3600), ("buy", 105.0, 1.5e9 + 7200)]


@pytest.fixture(scope="module")
def served(peer, tmp_path_factory):
    """A server with a live run that has traded: the run's address as a bot, and a token."""
    services = Services.open(Settings(data_dir=tmp_path_factory.mktemp("data")))
    who = principal(services.accounts.create("ada"))
    model = services.models.create(who, who.account_id, "Paper")
    version = services.versions.create(who, model.id)
    with services.store.write() as session:
        session.get(Version, version.id).active_revision_id = "made by hand"
    version = services.versions.get(who, version.id)
    run = services.runs.create(who, "live", version, feed={"kind": "replay"})
    services.queue.claim("worker", 600)
    folder = services.settings.run_folder(run.id)
    folder.mkdir(parents=True)
    events = [
        {"event": "order", "id": str(n), "symbol": "BTC-USD", "quote_asset": "USD", "side": side}
        | {"size": 1.0, "price": price, "time": at, "status": "done", "fee": 0.0}
        for n, (side, price, at) in enumerate(ORDERS)
    ]
    values = {"USD": 905.0, "BTC": 1.0}
    events.append({"event": "account", "time": 1.5e9, "value": 1000.0, "values": {"USD": 1000.0}})
    events.append({"event": "account", "time": 1.5e9 + 9e3, "value": 1015.0, "values": values})
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    config = uvicorn.Config(create_app(services.settings, services), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    peer.until(lambda: server.started, "the server listens")
    port = server.servers[0].sockets[0].getsockname()[1]
    token, _ = services.tokens.create(who, "bot")
    yield f"http://127.0.0.1:{port}/bots/{run.id}", token
    server.should_exit = True
    thread.join(60)
    services.close()


THEIRS = """
import json, sys
from freqtrade_client import FtRestClient
url, token, command, *words = sys.argv[1:]
print(json.dumps(getattr(FtRestClient(url, "any", token), command)(*words)))
"""


@pytest.fixture
def theirs(served, peer):
    """freqtrade's own client with our server as its bot: what a command answers."""
    python = peer.interpreter("client_2026")

    def run(*words):
        done = subprocess.run(
            [python, "-c", THEIRS, *served, *words], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_freqtrades_own_client_steers_a_deployed_model(theirs):
    assert theirs("ping") == {"status": "pong"}
    assert "deploy_magics" in theirs("version")["version"]
    assert theirs("count")["current"] == 1
    (opened,) = theirs("status")
    assert (opened["pair"], opened["current_rate"]) == ("BTC/USD", 110.0)
    assert theirs("trades")["trades"][0]["profit_abs"] == 10.0
    assert theirs("profit")["profit_all_coin"] == 15.0
    assert theirs("daily", "2")["stake_currency"] == "USD"
    assert theirs("balance")["total"] == 1015.0
    assert "deployed model" in theirs("forceexit", "1")["error"]
    assert theirs("stop") == {"status": "stopping trader ..."}
    assert theirs("stop") == {"status": "already stopped"}


def test_bot_and_its_watch_speak_with_it_too(shell, served, peer, monkeypatch):
    address, token = served
    monkeypatch.setenv("BOT_PASSWORD", token)
    said = shell.run_cell(f"%bot connect {address} --token-env BOT_PASSWORD --as paper")
    assert "strategy Paper" in repr(said)
    assert shell.run_cell("%bot trades").loc[1, "profit_abs"] == 10.0
    watched = shell.run_cell("%bot watch")
    try:
        peer.until(lambda: "BTC/USD" in repr(watched), "the trade is seen")
        peer.until(lambda: "websocket" in repr(watched), "its messages come")
    finally:
        watched.stop()
