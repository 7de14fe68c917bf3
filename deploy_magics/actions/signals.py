"""Publishing to JustForFund, or to a server of ours that speaks as it does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pandas as pd

from .. import credentials
from ..errors import CredentialsError, NotSignedInError, UsageError
from ..platforms.blankly import BlanklyClient
from ..platforms.justforfund import DEFAULT_SERVER, JustForFundClient, Signal, plain
from ..platforms.session import check_url
from . import embedded
from .ask import confirm, secret
from .kinds import Completes, Reads

PLATFORM = "justforfund"
EMBEDDED = "embedded"
AppName = Annotated[str | None, Completes("app")]
Data = Annotated[Any, Reads("object"), Completes("frame")]
_current: list[str] = []


class Answer(dict[str, Any]):
    """What the service answered, as one line."""

    def __init__(self, done: str, answer: dict[str, Any]) -> None:
        super().__init__(answer)
        self.done = done

    def __repr__(self) -> str:
        rest = ", ".join(f"{key} {value}" for key, value in self.items() if key == "id")
        remark = f" {self['remark']}" if self.get("remark") else ""
        return f"{self.done}{f' ({rest})' if rest else ''}.{remark}"


def connect(
    server: str | None = None,
    *,
    as_: str = "app",
    key_env: str | None = None,
    secret_env: str | None = None,
    key: Annotated[str | None, Reads("hidden")] = None,
    secret_text: Annotated[str | None, Reads("hidden")] = None,
) -> Answer:
    """Keep an app's key and secret, to publish with.

    Args:
        server: the address; left out, the server on this machine; justforfund for the service.
        as_: what to call the app here.
        key_env: the environment variable that holds the API key; else a prompt asks.
        secret_env: the environment variable that holds the API secret; else a prompt asks.
    """
    if server in (None, EMBEDDED) and not (key or key_env):
        address, key, secret_text = _embedded()
    else:
        named = DEFAULT_SERVER if server in (None, PLATFORM) else str(server)
        address = check_url(named)
        key = key or _from(key_env, f"API key for {address}", "--key-env")
        secret_text = secret_text or _from(secret_env, f"API secret for {address}", "--secret-env")
    JustForFundClient(address, key, secret_text).check()
    kept = json.dumps({"key": key, "secret": secret_text})
    credentials.save(PLATFORM, address, as_, kept)
    _use(address)
    return Answer(f"Signals and resources go to {urlsplit(address).netloc} as {as_}", {})


def client() -> JustForFundClient:
    """The client of the app that was connected last.

    Raises:
        NotSignedInError: there is none.
    """
    known = {server: name for platform, server, name in credentials.known() if platform == PLATFORM}
    if not known:
        raise NotSignedInError(
            "No app is connected to publish with.", "Say %signal connect [SERVER] first."
        )
    used = [server for server in _current if server in known]
    server = used[-1] if used else list(known)[-1]
    kept = credentials.load(PLATFORM, server, known[server])
    try:
        found = json.loads(kept.token if kept else "")
        return JustForFundClient(server, found["key"], found["secret"])
    except (ValueError, KeyError, TypeError):
        raise CredentialsError(
            f"The keys for {server} cannot be read.", "Say %signal connect again."
        ) from None


def publish(resource_id: int, data: Data) -> Answer:
    """Publish a resource: its keys and values.

    Args:
        resource_id: the resource's number.
        data: a dict or a DataFrame of the kernel, a JSON object, or a file (JSON, CSV, Parquet).
    """
    body = resource_of(data)
    answer = client().upload_resource(resource_id, body)
    return Answer(f"Resource {resource_id} is published, {len(body)} keys", answer)


def buy(
    symbol: str,
    *,
    algorithm: int,
    ratio: float,
    time_in_force: Literal["day", "gtc"] = "day",
    order_type: str = "market",
    whole_shares: bool = False,
    yes: bool = False,
) -> Answer:
    """Publish a signal to buy.

    Args:
        symbol: like AAPL.
        algorithm: the algorithm's number.
        ratio: the part of the buying power to spend, 0.01 is 1 %.
        time_in_force: day; gtc only with whole shares.
        order_type: market, the only one that is supported.
        whole_shares: the ratio comes out in whole shares, so that gtc is allowed.
        yes: do not ask.
    """
    return _send("buy", symbol, algorithm, ratio, time_in_force, order_type, whole_shares, yes)


def sell(
    symbol: str,
    *,
    algorithm: int,
    ratio: float,
    time_in_force: Literal["day", "gtc"] = "day",
    order_type: str = "market",
    whole_shares: bool = False,
    yes: bool = False,
) -> Answer:
    """Publish a signal to sell.

    Args:
        symbol: like AAPL.
        algorithm: the algorithm's number.
        ratio: the part of the buying power, 0.01 is 1 %.
        time_in_force: day; gtc only with whole shares.
        order_type: market, the only one that is supported.
        whole_shares: the ratio comes out in whole shares, so that gtc is allowed.
        yes: do not ask.
    """
    return _send("sell", symbol, algorithm, ratio, time_in_force, order_type, whole_shares, yes)


def resources(resource_id: int | None = None, *, after: int = 0) -> pd.DataFrame:
    """The resources that were published or subscribed to, on a server of ours.

    Args:
        resource_id: only this one.
        after: only what came after the publication of this id.
    """
    return _table(client().published("resources", resource_id, after=after))


def signals(algorithm: int | None = None, *, after: int = 0) -> pd.DataFrame:
    """The signals that were published or subscribed to, on a server of ours.

    Args:
        algorithm: only of this algorithm.
        after: only what came after the publication of this id.
    """
    return _table(client().published("signals", algorithm, after=after))


def resource_of(data: Any) -> dict[str, Any]:
    """A dict of plain values from a dict, a table (a list for each column), or a file of either.

    Raises:
        UsageError: it is none of them.
    """
    if isinstance(data, (str, Path)):
        data = _read(Path(data).expanduser())
    if isinstance(data, pd.Series):
        data = data.to_frame(str(data.name or "value"))
    if isinstance(data, pd.DataFrame):
        table = data if isinstance(data.index, pd.RangeIndex) else data.reset_index()
        data = {str(name): table[name].tolist() for name in table}
    if not isinstance(data, dict) or not data:
        raise UsageError("A resource is a dict, a DataFrame, or a JSON, CSV or Parquet file of it.")
    body: dict[str, Any] = plain(data)
    return body


def confirm_publishing(where: JustForFundClient, what: str, yes: bool) -> None:
    """Ask before others' money moves; a server on this machine moves none."""
    host = urlsplit(where.server).hostname or ""
    here = host in ("localhost", "::1") or host.startswith("127.")
    confirm(f"{what} at {urlsplit(where.server).netloc}?", yes=yes or here)


def _send(
    side: str,
    symbol: str,
    algorithm: int,
    ratio: float,
    time_in_force: str,
    order_type: str,
    whole_shares: bool,
    yes: bool,
) -> Answer:
    fields = {
        "algorithm_id": algorithm,
        "ticker_symbol": symbol,
        "portfolio_ratio_investment": ratio,
        "order_type": order_type,
        "side": side,
        "time_in_force": time_in_force,
    }
    signal = Signal.of(fields, whole_shares=whole_shares)
    where = client()
    what = f"{side} {signal.ticker_symbol} for {signal.portfolio_ratio_investment:.4g}"
    confirm_publishing(where, f"Tell algorithm {algorithm}'s followers to {what}", yes)
    return Answer(f"Published: {what} of the buying power", where.create_trading_signal(signal))


def _read(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"There is no file {path} and nothing of that name in the kernel.")
    try:
        if path.suffix == ".csv":
            return pd.read_csv(path)
        if path.suffix in (".parquet", ".pq"):
            return pd.read_parquet(path)
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    if "created_at" in frame:
        frame["created_at"] = pd.to_datetime(frame["created_at"], unit="s", utc=True)
    return frame.set_index("id") if "id" in frame else frame


def _embedded() -> tuple[str, str, str]:
    """Address, key and secret on the server of this machine."""
    here = embedded.ensure_running()
    identity = BlanklyClient(here.url, here.token).check()
    return here.url, identity.token_id, here.token


def _from(variable: str | None, prompt: str, option: str) -> str:
    if variable is None:
        return secret(prompt, option=f"Name the environment variable that holds it with {option}.")
    found = os.environ.get(variable, "")
    if not found:
        raise UsageError(f"The environment variable {variable} is not set.")
    return found


def _use(server: str) -> None:
    address = credentials.origin(server)
    if address in _current:
        _current.remove(address)
    _current.append(address)
