"""What goes over the wire to JustForFund, and what is refused before."""

import json

import numpy as np
import pandas as pd
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy_magics.errors import NotSignedInError, RejectedError, UnreachableError, UsageError
from deploy_magics.platforms.justforfund import JustForFundClient, Signal, plain
from deploy_magics.platforms.session import answer

FIELDS = {
    "algorithm_id": 1,
    "ticker_symbol": "AAPL",
    "portfolio_ratio_investment": 0.01,
    "order_type": "market",
    "side": "buy",
    "time_in_force": "day",
}


class Service:
    """Answers requests, and keeps what was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []

    def __call__(self, request):
        self.seen.append(request)
        return self.answers.pop(0)


def client(service, server="https://justfor.fund"):
    return JustForFundClient(server, "the-key", "the-secret", transport=service)


def test_a_resource_as_the_sample_sends_it():
    service = Service(answer(200, {"ok": True}))
    assert client(service).upload_resource(1, {"Symbol": "LGND"}) == {"ok": True}
    (sent,) = service.seen
    assert (sent.method, sent.url) == ("POST", "https://justfor.fund/api/v1/upload_resource")
    assert (sent.headers["API-KEY"], sent.headers["API-SECRET"]) == ("the-key", "the-secret")
    assert json.loads(sent.body) == {"resource_id": 1, "resource_dict": {"Symbol": "LGND"}}


def test_a_signal_as_the_sample_sends_it():
    service = Service(answer(200, content=b"created"))
    signal = Signal.of({"algorithm": 1, "symbol": "aapl", "ratio": 0.01, "side": "BUY"})
    assert client(service).create_trading_signal(signal) == {"answer": None}
    (sent,) = service.seen
    assert sent.url == "https://justfor.fund/api/v1/create_trading_signal"
    assert json.loads(sent.body) == FIELDS


def test_the_prose_has_other_names_for_two_fields():
    prose = dict(FIELDS)
    prose["symbol"] = prose.pop("ticker_symbol")
    prose["percentage_of_buying_power"] = prose.pop("portfolio_ratio_investment")
    assert Signal.of(prose) == Signal.of(FIELDS)
    with pytest.raises(UsageError, match="two names of one field"):
        Signal.of({**FIELDS, "symbol": "MSFT"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"algorithm_id": "x"}, "whole number"),
        ({"algorithm_id": None}, "whole number"),
        ({"ticker_symbol": "A B"}, "ticker"),
        ({"ticker_symbol": 5}, "ticker"),
        ({"portfolio_ratio_investment": 0}, "1 % of the buying power"),
        ({"portfolio_ratio_investment": 1.01}, "above 0"),
        ({"portfolio_ratio_investment": "much"}, "above 0"),
        ({"portfolio_ratio_investment": float("nan")}, "above 0"),
        ({"order_type": "limit"}, "market"),
        ({"side": "short"}, "buy or sell"),
        ({"time_in_force": "gtc"}, "--whole-shares"),
        ({"time_in_force": "ioc"}, "day or gtc"),
        ({"stop_loss": 1}, "no 'stop_loss'"),
    ],
)
def test_what_is_refused_before_it_is_sent(change, said):
    with pytest.raises(UsageError, match=said):
        Signal.of({**FIELDS, **change})


def test_gtc_with_whole_shares():
    assert Signal.of({**FIELDS, "time_in_force": "gtc"}, whole_shares=True).time_in_force == "gtc"


def test_the_service_is_called_once_whatever_happens():
    signal = Signal.of(FIELDS)
    for status, error in ((401, NotSignedInError), (422, RejectedError)):
        service = Service(answer(status, {"error": "no"}))
        with pytest.raises(error):
            client(service).create_trading_signal(signal, key="k")
        assert len(service.seen) == 1

    calls = []

    def breaks(request):
        calls.append(request)
        raise requests.ConnectionError("reset")

    with pytest.raises(UnreachableError):
        client(breaks).create_trading_signal(signal, key="k")
    assert len(calls) == 1


def test_the_keys_are_shown_nowhere():
    service = Service(answer(401, {"error": "no"}))
    made = client(service)
    with pytest.raises(NotSignedInError) as caught:
        made.upload_resource(1, {"a": 1})
    shown = repr(made) + repr(made.session) + repr(made.session.auth) + str(caught.value)
    assert "the-secret" not in shown


def test_a_resource_is_plain_data():
    frame = pd.DataFrame({"at": [pd.Timestamp("2026-01-01")], "x": [np.float32(1.5)]})
    found = plain({"a": np.int64(3), "b": (1, float("nan")), 4: frame["at"].tolist(), "c": None})
    assert found == {"a": 3, "b": [1, None], "4": ["2026-01-01T00:00:00"], "c": None}
    json.dumps(plain({"x": frame["x"].to_numpy()}), allow_nan=False)
    with pytest.raises(UsageError, match="object"):
        plain({"x": object()})


@settings(deadline=None)
@given(st.floats(allow_nan=False), st.sampled_from(["buy", "sell"]))
def test_only_a_share_of_the_buying_power_passes(ratio, side):
    fields = {**FIELDS, "portfolio_ratio_investment": ratio, "side": side}
    if 0 < ratio <= 1:
        assert Signal.of(fields).wire() == fields
    else:
        with pytest.raises(UsageError):
            Signal.of(fields)
