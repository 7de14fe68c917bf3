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
from ..errors import CredentialsError, NotSignedInError, UsageError
from ..platforms.freqtrade import FreqtradeClient
from ..platforms.session import check_url
from .kinds import Completes, Reads

PLATFORM = "freqtrade"
BotName = Annotated[str | None, Completes("bot")]

_clients: dict[str, FreqtradeClient] = {}
_last_used: list[str] = []


class Said(str):
    """What a bot said, shown without quotes."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
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
            f"{self.name}: freqtrade {self.version} at {self.url}, "
            f"strategy {self.strategy}, {self.state}, {money}"
        )


def connect(
    url: str,
    *,
    user: str = "",
    token_env: str = "",
    name: Annotated[str, Reads("hidden")] = "",
    auth: Literal["token", "basic"] = "token",
    password: Annotated[str | None, Reads("hidden")] = None,
    **more: Any,
) -> Connection:
    """Connect to a freqtrade bot and keep how, for this notebook and the next.

    Args:
        url: the bot's address, like http://127.0.0.1:8080.
        user: the user name of its api_server block; freqtrader where it is left out.
        token_env: the environment variable that holds the password; else a hidden prompt asks.
        auth: token signs in once and renews; basic sends the password with every call.
    """
    raise NotImplementedError
