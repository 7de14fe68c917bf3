"""A backtest sent to a cluster, which here is a thread that runs what a worker would."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import deploy_magics
from deploy_magics.actions import clustered
from deploy_magics.errors import ModelFailedError, RunCancelledError, RunError
from deploy_magics.executor import cluster, cluster_worker

DATA = Path(__file__).parents[2] / "notebooks" / "data" / "EUR-USD_1h.csv"
BOT = """
import blankly

def price_event(price, symbol, state):
    state.interface.market_order(symbol, side="buy", size=1)

strategy = blankly.Strategy(blankly.Alpaca())
strategy.add_price_event(price_event, symbol="EUR-USD", resolution="1d")
"""


class Future:
    status = "pending"
    _result: Any = None

    def done(self) -> bool:
        return self.status not in ("pending",)

    def result(self) -> Any:
        return self._result

    def exception(self) -> Exception:
        return ValueError("no disk")


class Client:
    def __init__(self, status: str = "finished") -> None:
        self.status = status
        self.cancelled: list[Any] = []

    def cancel(self, futures: list[Any], force: bool = False) -> None:
        self.cancelled += futures


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, fresh: Path) -> Client:
    made = Client()

    @contextlib.contextmanager
    def connected(address: str) -> Iterator[Client]:
        assert address == "tcp://there:1"
        yield made

    def submit(client: Client, package: Any, args: Any) -> Future:
        future = Future()

        def work() -> None:
            if client.status == "finished":
                future._result = cluster_worker.run_files(package, args)
            future.status = client.status

        if client.status != "forever":
            threading.Thread(target=work, daemon=True).start()
        return future

    monkeypatch.setattr(cluster, "connected", connected)
    monkeypatch.setattr(cluster, "send", lambda client, package: package)
    monkeypatch.setattr(cluster, "submit_backtest", submit)
    (fresh / "bot.py").write_text(BOT)
    (fresh / "broken.py").write_text(BOT + "raise KeyError('a day off')\n")
    return made


def run(program: str) -> Any:
    data = {"EUR-USD": str(DATA)}
    return deploy_magics.backtest(program, on="tcp://there:1", data=data, to="1M", fresh=True)


def test_the_result_is_the_one_from_here(client: Client) -> None:
    there = run("bot.py")
    here = deploy_magics.backtest("bot.py", data={"EUR-USD": str(DATA)}, to="1M", fresh=True)
    assert there.metrics == here.metrics and there.history.equals(here.history)


def test_a_model_that_fails_there(client: Client) -> None:
    with pytest.raises(ModelFailedError, match="a day off"):
        run("broken.py")


@pytest.mark.parametrize(("status", "said"), [("error", "no disk"), ("lost", "gave it up")])
def test_a_cluster_that_fails(client: Client, status: str, said: str) -> None:
    client.status = status
    with pytest.raises(RunError, match=said):
        run("bot.py")


def test_an_interrupt_cancels_it_there(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    client.status = "forever"
    monkeypatch.setattr(clustered.time, "sleep", interrupt)
    with pytest.raises(RunCancelledError, match="cancelled"):
        run("bot.py")
    assert len(client.cancelled) == 1
