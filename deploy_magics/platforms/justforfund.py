"""A client for JustForFund's API: publishing resources and trading signals.

The service's page names some fields twice. On the wire go the names of its code sample:
``ticker_symbol`` (the prose says ``symbol``), ``portfolio_ratio_investment``
(``percentage_of_buying_power``); the prose's names are taken from callers as well. For
``time_in_force`` the sample sends ``gtc`` where the prose allows ``day`` alone, "must be day for
fractional trading": ``day`` is the default here, and ``gtc`` is taken only with whole shares.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import requests
from requests.auth import AuthBase

from ..errors import NotSignedInError, PlatformError, UsageError
from .session import Session, Transport

DEFAULT_SERVER = "https://justfor.fund"
API = "/api/v1"
PROSE_NAMES = {
    "symbol": "ticker_symbol",
    "percentage_of_buying_power": "portfolio_ratio_investment",
    "ratio": "portfolio_ratio_investment",
    "algorithm": "algorithm_id",
}
FIELDS = (
    "algorithm_id",
    "ticker_symbol",
    "portfolio_ratio_investment",
    "order_type",
    "side",
    "time_in_force",
)
_TICKER = re.compile(r"[A-Z0-9][A-Z0-9.\-/]{0,14}")


@dataclass(frozen=True)
class Signal:
    """One trading signal, checked.

    ``portfolio_ratio_investment`` is the part of the buying power, above 0 and at most 1.
    """

    algorithm_id: int
    ticker_symbol: str
    portfolio_ratio_investment: float
    side: str
    order_type: str = "market"
    time_in_force: str = "day"

    @classmethod
    def of(cls, row: Mapping[str, Any], *, whole_shares: bool = False) -> Signal:
        """A signal from fields named as on the wire or as in the prose.

        Raises:
            UsageError: a field is missing, unknown or makes no sense.
        """
        fields: dict[str, Any] = {}
        for name, value in row.items():
            known = PROSE_NAMES.get(str(name), str(name))
            if known not in FIELDS:
                raise UsageError(f"A signal has no {name!r}.", f"It has {', '.join(FIELDS)}.")
            if known in fields and fields[known] != value:
                raise UsageError(f"{name} and {known} are two names of one field, and differ.")
            fields[known] = value
        return cls(
            _whole(fields.get("algorithm_id"), "algorithm"),
            _ticker(fields.get("ticker_symbol")),
            _ratio(fields.get("portfolio_ratio_investment")),
            _one_of(fields.get("side"), "side", ("buy", "sell")),
            _one_of(fields.get("order_type", "market"), "order type", ("market",)),
            _time_in_force(fields.get("time_in_force", "day"), whole_shares),
        )

    def wire(self) -> dict[str, Any]:
        """The body as the service's code sample sends it."""
        return {name: asdict(self)[name] for name in FIELDS}


class KeyAuth(AuthBase):
    """The two headers; their values are in no message and no repr."""

    def __init__(self, key: str, secret: str) -> None:
        self._headers = {"API-KEY": key, "API-SECRET": secret}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


class JustForFundClient:
    """Publishes under one app's keys.

    A call is sent once: nothing says that the service takes a repeated one for the same. To a
    server of ours, which knows ``Idempotency-Key``, it is sent again after a broken connection.
    """

    def __init__(
        self,
        server: str,
        key: str,
        secret: str,
        *,
        timeout: tuple[float, float] = (5, 30),
        transport: Transport | None = None,
    ) -> None:
        base = server.strip().rstrip("/")
        base += "" if base.endswith(API) else API
        self.session = Session(
            base, auth=KeyAuth(key, secret), timeout=timeout, transport=transport
        )
        self.server = base[: -len(API)]
        self.app = key

    def __repr__(self) -> str:
        return f"<JustForFund at {self.server}>"

    def upload_resource(
        self, resource_id: int, resource: Mapping[str, Any], *, key: str | None = None
    ) -> dict[str, Any]:
        """Publish a resource's keys and values; what the service answers.

        Args:
            key: makes the call safe to repeat, on a server that knows such keys.
        """
        body = {"resource_id": _whole(resource_id, "resource"), "resource_dict": plain(resource)}
        return self._post("upload_resource", body, key)

    def create_trading_signal(self, signal: Signal, *, key: str | None = None) -> dict[str, Any]:
        return self._post("create_trading_signal", signal.wire(), key)

    def published(
        self, kind: str, number: int | None = None, **params: Any
    ) -> list[dict[str, Any]]:
        """What was published, on a server of ours: ``resources`` or ``signals``, oldest first."""
        name = "resource_id" if kind == "resources" else "algorithm_id"
        query = {name: number, **params} if number is not None else params
        answer = self.session.get(kind, params={k: v for k, v in query.items() if v is not None})
        return list(answer[kind])

    def check(self) -> None:
        """Ask for nothing with these keys: NotSignedInError where they are refused.

        The service itself has no call that only asks; one that it does not know says nothing
        about the keys, and passes.
        """
        try:
            self.session.get("me", retry=False)
        except NotSignedInError:
            raise NotSignedInError(
                f"{self.server} refuses this key or secret.", "Are both of the same app?"
            ) from None
        except PlatformError as error:
            if error.status is None:
                raise

    def _post(self, path: str, body: Mapping[str, Any], key: str | None) -> dict[str, Any]:
        ours = "justfor.fund" not in self.server
        response = self.session.request(
            "POST", path, json=body, idempotency_key=key, retry=bool(key) and ours
        )
        try:
            answer = response.json()
        except ValueError:  # its page says nothing about answers: any good status will do
            answer = None
        return answer if isinstance(answer, dict) else {"answer": answer}


def plain(value: Any) -> Any:
    """A resource as JSON that every reader can read: no NaN, no numpy, text keys.

    Raises:
        UsageError: something in it is no plain data.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(each) for each in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    elif hasattr(value, "tolist"):
        return plain(value.tolist())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise UsageError(f"A resource cannot hold a {kind}.", "Make it text or numbers.") from None
    return value


def _whole(value: Any, what: str) -> int:
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"The {what} is its whole number, not {value!r}.")
    return value


def _ticker(value: Any) -> str:
    if not isinstance(value, str) or not _TICKER.fullmatch(value.strip().upper()):
        raise UsageError(f"{value!r} is no ticker symbol.", "Like AAPL.")
    return value.strip().upper()


def _ratio(value: Any) -> float:
    try:
        ratio = float(value)
    except (TypeError, ValueError):
        ratio = math.nan
    if not 0 < ratio <= 1:
        raise UsageError(
            f"The ratio is above 0 and at most 1, not {value!r}.",
            "0.01 is 1 % of the buying power.",
        )
    return ratio


def _one_of(value: Any, what: str, known: tuple[str, ...]) -> str:
    word = str(value).strip().lower()
    if word not in known:
        raise UsageError(f"The {what} is {' or '.join(known)}, not {value!r}.")
    return word


def _time_in_force(value: Any, whole_shares: bool) -> str:
    word = _one_of(value, "time in force", ("day", "gtc"))
    if word == "gtc" and not whole_shares:
        raise UsageError(
            "A part of the buying power buys fractions of shares, which is day only.",
            "Say --time-in-force day, or --whole-shares.",
        )
    return word
