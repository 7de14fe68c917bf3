"""A request to a run's bot: who asks, and which run."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from typing import Any

from fastapi import Request

from deploy_magics.errors import NotSignedInError, RejectedError
from deploy_magics.server.dialects.freqtrade_view import View
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.tables import Run

STATES = {"queued": "running", "building": "running", "running": "running"}
LOG_BYTES = 200_000
Json = dict[str, Any]


class Bot:
    """One run, as its owner asked for it."""

    def __init__(self, services: Services, who: Principal, run: Run, path: str) -> None:
        self.services = services
        self.who = who
        self.run = run
        self.path = path

    @property
    def state(self) -> str:
        wanted = self.run.wanted == "running"
        return STATES.get(self.run.state, "stopped") if wanted else "stopped"

    def view(self) -> View:
        files, run = self.services.run_files, self.run
        account = files.account(run.id)
        made = View.of(self.name, run.live, files.orders(run.id), account)
        made.exchange = self.exchange
        return made

    @property
    def name(self) -> str:
        if self.run.model_id is None:
            return "model"
        return self.services.models.get(self.who, self.run.model_id).name

    @property
    def exchange(self) -> str:
        feed = self.run.feed or {}
        return str(feed.get("exchange") or feed.get("kind") or "")

    def refuse(self, why: str) -> RejectedError:
        return RejectedError(f"Error querying {self.path}: {why}.", status=502)


def text_of(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc).isoformat(sep=" ")[:19]


def log_tail(bot: Bot) -> list[str]:
    """The last lines of a run's log."""
    size, _ = bot.services.run_files.log_mark(bot.run.id)
    text, after = bot.services.run_files.log(bot.run.id, max(0, size - LOG_BYTES))
    while True:
        more, after = bot.services.run_files.log(bot.run.id, after)
        if not more:
            return text.splitlines()
        text = (text + more)[-LOG_BYTES:]


def caller(services: Services, request: Request) -> Principal:
    sent = request.headers.get("authorization", "")
    if sent.lower().startswith("basic "):
        return basic(services, request)
    try:
        return services.tokens.by_id_token(bearer(request), kind="freqtrade")
    except NotSignedInError:
        raise NotSignedInError("Unauthorized", status=401) from None


def bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise NotSignedInError("Unauthorized", status=401)
    return token.strip()


def basic(services: Services, request: Request) -> Principal:
    """The account of the token that was sent as password."""
    kind, _, coded = request.headers.get("authorization", "").partition(" ")
    try:
        text = base64.b64decode(coded, validate=True).decode() if kind.lower() == "basic" else ""
    except (binascii.Error, ValueError):
        text = ""
    _, colon, password = text.partition(":")
    if not colon:
        raise NotSignedInError("Not authenticated", status=401)
    try:
        return services.tokens.by_token(password)
    except NotSignedInError:
        raise NotSignedInError("Incorrect username or password", status=401) from None
