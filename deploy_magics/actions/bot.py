"""Which freqtrade bots there are, and the way to each."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pandas as pd

from .. import credentials
from ..errors import CredentialsError, DeployMagicsError, NotSignedInError, UsageError
from ..platforms.freqtrade import FreqtradeClient
from ..platforms.session import check_url
from .ask import secret
from .kinds import Completes, ModelName, Reads

PLATFORM = "freqtrade"
BotName = Annotated[str | None, Completes("bot")]
Hidden = Annotated[str | None, Reads("hidden")]

_clients: dict[str, FreqtradeClient] = {}
_current: list[str] = []  # the name of the bot that was named last in this kernel


class Said(str):
    """What a bot said, shown without quotes."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, repr=False)
class Connection:
    """A bot that answered."""

    name: str
    url: str
    version: str
    strategy: str
    state: str
    dry_run: bool

    def __repr__(self) -> str:
        money = "dry run" if self.dry_run else "REAL MONEY"
        return (
            f"{self.name}: {self.version} at {self.url}, "
            f"strategy {self.strategy}, {self.state}, {money}"
        )


def connect(
    url: str | None = None,
    *,
    model: ModelName = None,
    user: str = "freqtrader",
    token_env: str | None = None,
    as_: str | None = None,
    auth: Literal["token", "basic"] = "token",
    password: Hidden = None,
) -> Connection:
    """Connect to a freqtrade bot, or to a deployed model, and keep how for the next notebook.

    Args:
        url: the bot's address, like http://127.0.0.1:8080.
        model: in place of an address, a model that runs where you are signed in.
        user: the user name of its api_server block.
        token_env: the environment variable that holds the password; else a hidden prompt asks.
        as_: what to call the bot; its own name where it is left out.
        auth: token signs in once and renews; basic sends the password with every call.

    Raises:
        NotSignedInError: the bot refuses user or password; nothing is kept then.
    """
    if model is not None:
        url, password = _deployed(model)
        as_ = as_ or model
    if url is None:
        raise UsageError("Connect to which bot?", "Give its address, or --model NAME.")
    url = check_url(url)
    if password is None:
        password = _password(url, user, token_env)
    client = FreqtradeClient(url, user, password, auth=auth, patience=3)
    config = client.show_config()
    name = _free_name(as_ or str(config["bot_name"] or "freqtrade"), url, given=bool(as_))
    kept = json.dumps({"user": user, "password": password, "auth": auth})
    credentials.save(PLATFORM, url, name, kept)
    _clients[name] = FreqtradeClient(url, user, password, auth=auth)
    _use(name)
    return Connection(
        name,
        url,
        software(config["version"]),
        str(config["strategy"] or "none"),
        str(config["state"] or "webserver"),
        bool(config["dry_run"]),
    )


def disconnect(bot: BotName = None) -> Said:
    """Forget a bot and its password.

    Args:
        bot: which bot; the one used last where it is left out.
    """
    name = resolve(bot)
    credentials.forget(PLATFORM, addresses()[name])
    _clients.pop(name, None)
    if name in _current:
        _current.remove(name)
    return Said(f"{name} is forgotten.")


def bots() -> pd.DataFrame:
    """The bots that are known here, and what each does at the moment."""
    rows = []
    for name, url in addresses().items():
        row: dict[str, Any] = {"bot": name, "url": url}
        connected = client(name, patience=0)
        try:
            config = connected.show_config()
        except DeployMagicsError as error:
            row |= {"state": "away", "note": str(error)}
        else:
            row |= {key: config[key] for key in ("state", "version", "strategy", "dry_run")}
        rows.append(row)
    columns = ["bot", "url", "state", "version", "strategy", "dry_run", "note"]
    return pd.DataFrame(rows, columns=columns).dropna(axis=1, how="all").set_index("bot")


def use(bot: BotName) -> Said:
    """Make a bot the one that the next commands mean.

    Args:
        bot: which bot.
    """
    name = resolve(bot)
    _use(name)
    return Said(f"Commands go to {name} now.")


def addresses() -> dict[str, str]:
    """The address of every bot that is kept, by name."""
    return {name: url for platform, url, name in credentials.known() if platform == PLATFORM}


def resolve(bot: str | None) -> str:
    """The name of the bot that is meant: named, used last, or the only one."""
    known = addresses()
    if not known:
        raise NotSignedInError("No bot is connected.", "Say %bot connect URL --user NAME first.")
    if bot is None:
        used = [name for name in _current if name in known]
        if used:
            return used[-1]
        if len(known) == 1:
            return next(iter(known))
        raise UsageError("Which bot?", f"Name one with --bot: {', '.join(known)}.")
    if bot in known:
        return bot
    raise UsageError(f"There is no bot {bot!r}.", f"Known: {', '.join(known)}.")


def client(bot: str | None = None, *, patience: float | None = None) -> FreqtradeClient:
    """A client for a bot; with ``patience`` a new one, that waits as long for it to come back."""
    name = resolve(bot)
    if patience is None and name in _clients:
        return _clients[name]
    kept = credentials.load(PLATFORM, addresses()[name], name)
    if kept is None:
        raise NotSignedInError(f"The password of {name} is gone.", "Say %bot connect again.")
    try:
        known = json.loads(kept.token)
        user, password, auth = known["user"], known["password"], known.get("auth", "token")
    except (ValueError, KeyError, TypeError):
        raise CredentialsError(
            f"What is kept for {name} cannot be read.", "Say %bot connect again."
        ) from None
    options: dict[str, Any] = {} if patience is None else {"patience": patience}
    made = FreqtradeClient(kept.server, user, password, auth=auth, **options)
    if patience is None:
        _clients[name] = made
    return made


def software(version: str | None) -> str:
    """What answers: a freqtrade of some version, or a server of ours that speaks as one."""
    text = str(version or "?")
    return text if " " in text else f"freqtrade {text}"


def _use(name: str) -> None:
    if name in _current:
        _current.remove(name)
    _current.append(name)


def _free_name(name: str, url: str, *, given: bool) -> str:
    """A name that no bot at another address has; one that was given is taken from it."""
    name = re.sub(r"\s+", "-", name.strip())
    taken = {known for known, at in addresses().items() if credentials.origin(url) != at}
    if name not in taken:
        return name
    if given:
        credentials.forget(PLATFORM, addresses()[name])
        return name
    return f"{name}-{urlsplit(url).port or urlsplit(url).hostname}"


def _deployed(model: str) -> tuple[str, str]:
    """Where the server of the user answers for the live run of a model, and the token for it."""
    from . import session
    from .find import find_model

    found = session.client()
    runs = found.runs(model_id=find_model(found, model).id, kind="live", limit=1)
    if not runs:
        raise UsageError(f"{model} was never run live.", "Say %deploy first.")
    url, token = session.address()
    return f"{url}/bots/{runs[0].id}", token


def _password(url: str, user: str, token_env: str | None) -> str:
    if token_env is not None:
        password = os.environ.get(token_env, "")
        if not password:
            raise UsageError(f"The environment variable {token_env} is not set.")
        return password
    option = "Name the environment variable that holds it with --token-env."
    return secret(f"Password of {user} at {url}", option=option)
