"""A request to a run's bot: who asks, and which run."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import threading
from collections import OrderedDict
from typing import Any

from fastapi import Request

from deploy_magics.errors import NotSignedInError, RejectedError
from deploy_magics.server.dialects.freqtrade_view import View
from deploy_magics.server.identity import sent_once
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.tables import Run

STATES = {"queued": "running", "building": "running", "running": "running"}
LOG_BYTES = 200_000
KEPT_VIEWS = 64
Json = dict[str, Any]


class Views:
    """The last views, as long as the run's events have not grown: a watcher asks seven times."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: OrderedDict[str, tuple[object, View]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, run: Run, name: str) -> View:
        files = self._services.run_files
        mark = (self.mark(run.id), run.state, name)
        with self._lock:
            known = self._known.get(run.id)
        if known is not None and known[0] == mark:
            return known[1]
        made = View.of(name, run.live, files.orders(run.id), files.account(run.id))
        feed = run.feed or {}
        made.exchange = str(feed.get("exchange") or feed.get("kind") or "")
        with self._lock:
            self._known[run.id] = (mark, made)
            self._known.move_to_end(run.id)
            while len(self._known) > KEPT_VIEWS:
                self._known.popitem(last=False)
        return made

    def mark(self, run_id: str) -> object:
        """Changes whenever the run's events have grown."""
        try:
            facts = (self._services.settings.run_folder(run_id) / "events.jsonl").stat()
        except OSError:
            return None
        return (facts.st_size, facts.st_mtime_ns)


class Bot:
    """One run, as its owner asked for it."""

    def __init__(
        self, services: Services, views: Views, who: Principal, run: Run, path: str
    ) -> None:
        self.services = services
        self.who = who
        self.run = run
        self.path = path
        self._views = views

    @property
    def state(self) -> str:
        wanted = self.run.wanted == "running"
        return STATES.get(self.run.state, "stopped") if wanted else "stopped"

    def view(self) -> View:
        return self._views.of(self.run, self.name)

    def mark(self) -> object:
        return self._views.mark(self.run.id)

    def pairs(self) -> list[str]:
        """What it was given prices of, and what it has traded."""
        found = {each.symbol for each in self.services.runs.inputs(self.run.id)}
        found |= {trade.symbol for trade in self.view().trades}
        return sorted(symbol.replace("-", "/", 1) for symbol in found)

    @property
    def name(self) -> str:
        if self.run.model_id is None:
            return "model"
        return self.services.models.get(self.who, self.run.model_id).name

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
    sent = sent_once(request, "authorization")
    if sent.lower().startswith("basic "):
        return basic(services, request)
    try:
        return services.tokens.by_id_token(bearer(request), kind="freqtrade")
    except NotSignedInError:
        raise NotSignedInError("Unauthorized", status=401) from None


def bearer(request: Request) -> str:
    kind, _, token = sent_once(request, "authorization").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise NotSignedInError("Unauthorized", status=401)
    return token.strip()


def basic(services: Services, request: Request) -> Principal:
    """The account of the token that was sent as password."""
    kind, _, coded = sent_once(request, "authorization").partition(" ")
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
