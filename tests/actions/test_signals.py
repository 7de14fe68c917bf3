"""%signal and %resource against our own server, and what a break in a batch leaves."""

import json
import threading
import time

import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn
from urllib3.exceptions import MaxRetryError, NewConnectionError

from deploy_magics.actions import signals, signals_batch
from deploy_magics.errors import (
    InteractionError,
    NotSignedInError,
    RejectedError,
    UnreachableError,
    UsageError,
)
from deploy_magics.platforms.justforfund import JustForFundClient
from deploy_magics.platforms.session import answer
from deploy_magics.server.app import create_app
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings

TABLE = pd.DataFrame(
    {
        "symbol": ["AAPL", "MSFT", "LGND", "TSLA"],
        "side": ["buy", "sell", "buy", "buy"],
        "ratio": np.array([0.1, 0.2, 0.3, 0.4]),
    }
)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A server in a thread: its address, and a function that makes an app's key and secret."""
    services = Services.open(Settings(data_dir=tmp_path_factory.mktemp("data")))
    config = uvicorn.Config(
        create_app(services.settings, services), port=0, log_level="error", lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    numbers = iter(range(1000))

    def keys():
        who = principal(services.accounts.create(f"ada{next(numbers)}"))
        text, row = services.tokens.create(who, "app")
        return row.id, text

    yield f"http://127.0.0.1:{port}", keys
    server.should_exit = True
    thread.join(60)
    services.close()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr(signals, "_current", [])
    return tmp_path


@pytest.fixture
def connected(service, monkeypatch):
    """Signed in to the server with an app of an account of its own."""
    address, keys = service
    key, secret = keys()
    monkeypatch.setenv("KEY", key)
    monkeypatch.setenv("SECRET", secret)
    return signals.connect(address, key_env="KEY", secret_env="SECRET")


def test_connecting_checks_first_and_keeps_the_secret_to_itself(service, monkeypatch, capsys):
    address, keys = service
    key, secret = keys()
    with pytest.raises(NotSignedInError, match="%signal connect"):
        signals.client()
    monkeypatch.setenv("KEY", key)
    with pytest.raises(InteractionError, match="--secret-env"):
        signals.connect(address, key_env="KEY")
    monkeypatch.setenv("SECRET", "dm_wrong")
    with pytest.raises(NotSignedInError, match="refuses"):
        signals.connect(address, key_env="KEY", secret_env="SECRET")
    monkeypatch.setenv("SECRET", secret)
    said = signals.connect(address, key_env="KEY", secret_env="SECRET", as_="mine")
    assert "mine" in repr(said)
    shown = repr(said) + repr(signals.client()) + "".join(capsys.readouterr())
    assert secret not in shown


def test_publishing_and_reading(connected):
    said = signals.buy("aapl", algorithm=1, ratio=0.01)
    assert repr(said).startswith("Published: buy AAPL for 0.01")
    signals.sell("MSFT", algorithm=2, ratio=1.0, time_in_force="gtc", whole_shares=True)
    signals.publish(7, {"x": np.float64(1.5)})
    assert signals.signals()["ticker_symbol"].tolist() == ["AAPL", "MSFT"]
    assert signals.signals(2)["side"].tolist() == ["sell"]
    table = signals.resources(7)
    assert table["resource_dict"].tolist() == [{"x": 1.5}]
    assert str(table["created_at"].dtype).endswith("UTC]")
    assert signals.resources(7, after=int(table.index[0])).empty
    with pytest.raises(UsageError, match="above 0"):
        signals.buy("AAPL", algorithm=1, ratio=5)


def test_what_a_resource_can_be(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert signals.resource_of(frame) == {"a": [1, 2], "b": ["x", None]}
    dated = frame.set_index(pd.to_datetime(["2026-01-01", "2026-01-02"]).rename("day"))
    assert signals.resource_of(dated)["day"][0] == "2026-01-01T00:00:00"
    assert signals.resource_of(frame["a"]) == {"a": [1, 2]}
    (tmp_path / "r.json").write_text('{"k": [1]}')
    assert signals.resource_of(tmp_path / "r.json") == {"k": [1]}
    frame.to_csv(tmp_path / "r.csv", index=False)
    assert signals.resource_of(str(tmp_path / "r.csv"))["a"] == [1, 2]
    for wrong in ({}, [1], 5, "no such name", tmp_path / "none.json"):
        with pytest.raises(UsageError):
            signals.resource_of(wrong)


def test_a_batch_is_sent_once(connected):
    report = signals_batch.batch(TABLE, algorithm=1)
    assert report["state"].tolist() == ["sent"] * 4
    again = signals_batch.batch(TABLE, algorithm=1)
    assert again["state"].tolist() == ["sent"] * 4
    assert len(signals.signals()) == 4
    signals_batch.batch(TABLE, algorithm=1, name="second")
    assert len(signals.signals()) == 8


def test_no_row_is_sent_when_one_makes_no_sense(connected):
    wrong = TABLE.assign(ratio=[0.1, 0.2, 3.0, 0.4])
    with pytest.raises(UsageError, match="Row 2: The ratio"):
        signals_batch.batch(wrong, algorithm=1)
    with pytest.raises(UsageError, match="no rows"):
        signals_batch.batch(TABLE.iloc[:0], algorithm=1)
    assert signals.signals().empty


class Flaky:
    """A service that answers as told, one answer a call."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []

    def __call__(self, request):
        self.sent.append(json.loads(request.body)["ticker_symbol"])
        said = self.answers.pop(0) if self.answers else (200, {"id": len(self.sent)})
        if isinstance(said, Exception):
            raise said
        return answer(*said)


@pytest.fixture
def batch(monkeypatch):
    """A function that sends TABLE to a service that is a function, as to the real one."""

    def run(service, server="https://justfor.fund", yes=True):
        client = JustForFundClient(server, "key", "secret", transport=service)
        monkeypatch.setattr(signals_batch, "client", lambda: client)
        return signals_batch.batch(TABLE, algorithm=1, yes=yes)

    return run


def refused():
    return requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "no")))


def test_what_never_left_is_sent_the_next_time(batch):
    first = Flaky((200, {}), refused())
    with pytest.raises(UnreachableError):
        batch(first)
    second = Flaky()
    assert batch(second)["state"].tolist() == ["sent"] * 4
    assert (first.sent, second.sent) == (["AAPL", "MSFT"], ["MSFT", "LGND", "TSLA"])


def test_what_broke_off_is_not_sent_again_to_the_service(batch):
    with pytest.raises(UnreachableError):
        batch(Flaky((200, {}), requests.ConnectionError("reset")))
    second = Flaky()
    report = batch(second)
    assert report["state"].tolist() == ["sent", "unknown", "sent", "sent"]
    assert second.sent == ["LGND", "TSLA"]
    third = Flaky()
    batch(third)
    assert third.sent == []


def test_what_broke_off_is_sent_again_to_a_server_that_knows_keys(batch):
    ours = "http://127.0.0.1:9"
    with pytest.raises(UnreachableError):
        batch(Flaky(*[requests.ConnectionError("reset")] * 9), ours)
    assert batch(Flaky(), ours)["state"].tolist() == ["sent"] * 4


def test_a_refused_row_does_not_stop_the_others(batch):
    report = batch(Flaky((200, {}), (422, {"error": "no such symbol"})))
    assert report["state"].tolist() == ["sent", "refused", "sent", "sent"]
    assert "no such symbol" in report["note"][1]


def test_refused_keys_stop_the_batch_and_lose_nothing(batch):
    with pytest.raises(NotSignedInError):
        batch(Flaky((401, {"error": "no"})))
    assert batch(Flaky())["state"].tolist() == ["sent"] * 4


def test_a_torn_last_line_of_the_journal_is_passed_over(batch, home):
    with pytest.raises(UnreachableError):
        batch(Flaky((200, {}), refused()))
    (journal,) = (home / "home" / "signals").glob("*.jsonl")
    with journal.open("a") as file:
        file.write('{"row": 2, "sta')
    later = Flaky()
    assert batch(later)["state"].tolist() == ["sent"] * 4
    assert later.sent == ["MSFT", "LGND", "TSLA"]


def test_others_money_asks_first(batch, monkeypatch):
    service = Flaky()
    with pytest.raises(InteractionError, match="--yes"):
        batch(service, yes=False)
    assert service.sent == []


def test_the_services_own_words_reach_the_user(connected, monkeypatch):
    client = JustForFundClient(
        "http://127.0.0.1:9", "k", "s", transport=lambda _: answer(422, {"error": "not today"})
    )
    monkeypatch.setattr(signals, "client", lambda: client)
    with pytest.raises(RejectedError, match="not today"):
        signals.buy("AAPL", algorithm=1, ratio=0.1)
