"""Live runs as a user has them: the commands, a real server, its worker process, an exchange."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keyring
import psutil
import pytest
from keyring.backends import fail

from deploy_magics.actions import deploy as deploying
from deploy_magics.actions import embedded, names, session, workspace
from deploy_magics.actions.bot import connect
from deploy_magics.actions.deploy import deploy
from deploy_magics.actions.login import login
from deploy_magics.actions.logs import logs
from deploy_magics.actions.status import start, status, stop
from deploy_magics.actions.ubiops_env import env_list, env_set
from deploy_magics.errors import InteractionError, ModelFailedError
from deploy_magics.widgets.bot import watch

HERE = Path(__file__).parent

TRADES = """
import blankly

def price_event(price, symbol, state):
    print("price", price, flush=True)
    if not state.variables.get("traded"):
        state.variables["traded"] = True
        if state.interface.account["BTC"].available == 0:
            state.interface.market_order(symbol, "buy", 1)
            state.interface.limit_order(symbol, "sell", price + 2, 0.5)
            state.interface.stop_loss_order(symbol, 10, 0.1)

def init(symbol, state):
    state.variables["first"] = state.interface.get_price(symbol)

strategy = blankly.Strategy(blankly.CoinbasePro())
strategy.add_price_event(price_event, "BTC-USD", 1, init=init)
strategy.start()
"""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


kraken = load(HERE.parents[1] / "executor" / "kraken_stand_in.py")
alpaca = load(HERE.parents[1] / "executor" / "alpaca_stand_in.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server on this machine that we are signed in to; the working folder."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("road")
        monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(folder / "home"))
        monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)
        for name in ("DEPLOY_MAGICS_TOKEN", "DEPLOY_MAGICS_SERVER", "DEPLOY_MAGICS_NOTEBOOK"):
            monkeypatch.delenv(name, raising=False)
        (folder / "work").mkdir()
        monkeypatch.chdir(folder / "work")
        workspace.detach()
        names.forget()
        try:
            login()
            yield folder / "work"
        finally:
            embedded.stop()
            workspace.detach()
            names.forget()


@pytest.fixture
def exchange(server: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An exchange on this machine, to which ``--exchange kraken`` leads."""
    opened = kraken.StandIn()
    choose = deploying.choose_feed

    def choose_feed(*arguments: Any, **options: Any) -> Any:
        feed, prices = choose(*arguments, **options)
        here = {"url": opened.url, "watch": 0.3, "options": {"enableRateLimit": False}}
        return {**feed, **here}, prices

    monkeypatch.setattr(deploying, "choose_feed", choose_feed)
    yield opened
    opened.close()


def bot(server: Path, source: str) -> str:
    (server / "bot.py").write_text(source)
    return "bot.py"


def guard_of(run_id: str) -> psutil.Process:
    found = embedded.running()
    assert found is not None
    return psutil.Process(
        json.loads((Path(found.data_dir) / "runs" / run_id / "guard.pid").read_text())["pid"]
    )


def test_paper_on_live_prices_from_deploy_to_start_again(
    server: Path, exchange: Any, wait_for: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = deploy(
        bot(server, TRADES), name="Paper", exchange="kraken", initial_values={"USD": 5000}
    )
    assert deployed.state == "running" and "live prices of kraken" in repr(deployed)
    follower = threading.Thread(target=logs, kwargs={"run": deployed.run_id, "follow": True})
    follower.start()

    def orders() -> dict[str, str]:
        table = deployed.orders()
        return dict(zip(table["type"], table["status"], strict=True)) if len(table) else {}

    wanted = {"market": "done", "limit": "done", "stop_loss": "pending"}
    wait_for(lambda: orders() == wanted, "the fills")
    wait_for(lambda: "0.496 BTC" in repr(status("Paper")), "what it holds")
    shown = repr(status("Paper"))
    assert "account" in shown and "orders" in shown and "running" in shown
    account = session.client().account(deployed.run_id)
    assert account["values"]["BTC"] == pytest.approx(0.496) and account["history"]

    assert "Paper: deploy_magics" in repr(connect(model="Paper"))
    watched = watch(["Paper"])
    try:
        wait_for(lambda: "websocket" in repr(watched) and "BTC/USD" in repr(watched), "its bot")
        assert stop("Paper").state == "cancelled"
        wait_for(lambda: "Paper: stopped" in repr(watched), "its end, seen as a bot's")
    finally:
        watched.stop()
    follower.join(60)
    printed = capsys.readouterr().out
    assert "price 100" in printed and "The run has ended: cancelled." in printed

    assert start("Paper").state == "running"
    seen = exchange.tickers
    wait_for(lambda: exchange.tickers > seen + 3, "the second attempt")
    assert repr(status("Paper")).count("0.496 BTC") == 1
    assert len(deployed.orders()) == 3
    assert stop("Paper").state == "cancelled"


def test_neither_a_killed_server_nor_an_exchange_that_is_away_ends_a_run(
    server: Path, exchange: Any, wait_for: Callable[..., Any]
) -> None:
    deployed = deploy(bot(server, TRADES), name="Lasting", exchange="kraken")
    wait_for(lambda: len(deployed.orders()) == 3, "the orders")
    guard, first = guard_of(deployed.run_id), embedded.running()
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: embedded.running() is None, "the end of the server")
    seen = exchange.tickers
    wait_for(lambda: exchange.tickers > seen + 3, "prices while there is no server")

    second = embedded.ensure_running()
    assert second.pid != first.pid
    wait_for(lambda: exchange.tickers > seen + 6, "prices afterwards")
    again = wait_for(lambda: status("Lasting"), "the run")
    assert (again.run_id, again.state, again.run.attempts) == (deployed.run_id, "running", 1)
    assert guard.is_running()
    log = session.client().logs(deployed.run_id).text
    assert log.count("price") >= 6

    exchange.away = True  # an exchange that goes away for a while ends nothing either
    wait_for(lambda: "ExchangeNotAvailable" in repr(status("Lasting")), "the problem")
    exchange.away = False
    seen = exchange.tickers
    wait_for(lambda: exchange.tickers > seen + 3, "prices when it is back")
    found = stop("Lasting")
    assert (found.state, found.run.attempts) == ("cancelled", 1)
    wait_for(lambda: not guard.is_running() or guard.status() == "zombie", "the guard's end")


def test_a_start_that_fails_is_tried_again_and_the_user_sees_it(
    server: Path, exchange: Any, wait_for: Callable[..., Any]
) -> None:
    exchange.away = True
    deployed = deploy(bot(server, TRADES), name="Retried", exchange="kraken")

    def waiting() -> Any:
        found = status("Retried")
        return found if found.run.restarts and found.run.next_try else None

    shown = wait_for(waiting, "another try")
    assert shown.state == "queued" and "ExchangeNotAvailable" in shown.run.error
    text = repr(shown)
    assert "restarts" in text and "last error" in text and "next try" in text
    exchange.away = False
    wait_for(lambda: len(deployed.orders()) == 3, "the orders")
    assert status("Retried").state == "running"
    stop("Retried")


@pytest.mark.parametrize(
    ("made", "exchange_name", "said"),
    [
        ("blankly.FuturesStrategy(blankly.BinanceFutures())", "kraken", "no paper account for fut"),
        ("blankly.Strategy(blankly.CoinbasePro())", "krakn", "Did you mean kraken"),
    ],
)
def test_what_no_other_try_would_mend_fails_at_once(
    server: Path, exchange: Any, made: str, exchange_name: str, said: str
) -> None:
    source = TRADES.replace("blankly.Strategy(blankly.CoinbasePro())", made)
    with pytest.raises(ModelFailedError, match=said) as caught:
        deploy(bot(server, source), name=said[:12], exchange=exchange_name)
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)
    assert status(said[:12]).run.attempts == 1


REAL = """
import blankly

def price_event(price, symbol, state):
    print("price", price, flush=True)
    if not state.interface.account[symbol].available:
        state.interface.market_order(symbol, "buy", 2)

strategy = blankly.Strategy(blankly.Alpaca())
strategy.add_price_event(price_event, "AAPL", 1)
strategy.start()
"""
KEY, SECRET = "canary-key-8301", "canary-secret-8302"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Any]:
    opened = alpaca.StandIn(tmp_path)
    yield opened
    opened.close()


def test_real_orders_go_to_the_models_own_exchange_with_keys_from_secrets(
    server: Path, broker: Any, wait_for: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bot(server, REAL)
    (server / "keys.json").write_text('{"alpaca": {"p": {"API_KEY": "a", "API_SECRET": "b"}}}')
    with pytest.raises(InteractionError, match="--yes"):
        deploy(path, name="Real", live=True)
    assert all(run.feed != {"kind": "exchange"} for run in session.client().runs(limit=100))

    with pytest.raises(ModelFailedError, match="ALPACA_API_KEY and ALPACA_API_SECRET") as caught:
        deploy(path, name="Real", live=True, yes=True, include=["keys.json"])
    assert "%deploy_env set ALPACA_API_KEY --secret" in str(caught.value)
    assert not broker.hosts  # the keys.json of the package is not looked at

    monkeypatch.setenv("K", KEY)
    monkeypatch.setenv("S", SECRET)
    env_set("ALPACA_API_KEY", secret=True, value_env="K", deployment="Real")
    env_set("ALPACA_API_SECRET", secret=True, value_env="S", deployment="Real")
    for name, value in broker.variables.items():
        env_set(name, value, deployment="Real")
    running = start("Real")
    assert "real orders" in repr(running)
    wait_for(lambda: list(running.orders().get("status", ())) == ["filled"], "the order")
    assert list(running.orders()["price"]) == [100.0]
    wait_for(lambda: "2 AAPL, 700 USD" in repr(status("Real")), "what it holds")
    assert broker.hosts == {"api.alpaca.markets:443", "data.alpaca.markets:443"}
    assert broker.keys == {(KEY, SECRET)} and len(broker.orders) == 1

    assert stop("Real").state == "cancelled"
    shown = repr(env_list(deployment="Real")) + repr(status("Real")) + logs("Real").text
    assert "price 100.0" in shown and "canary" not in shown
    home = server.parent / "home"
    holding = [p for p in home.rglob("*") if p.is_file() and b"canary-" in p.read_bytes()]
    assert holding == []
    folder = home / "server" / "runs" / running.run_id
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
