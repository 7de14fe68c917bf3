"""Resources and trading signals: published by an account's apps, read by its subscribers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import func, select

from deploy_magics.errors import ConflictError, NotFoundError, RejectedError
from deploy_magics.server.services.answers import request_digest
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.rules import clean_json, clean_text
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account
from deploy_magics.server.store.tables_signals import Channel, Publication, Subscription

Kind = Literal["resource", "algorithm"]
TYPES: Mapping[str, tuple[type, ...]] = {
    "STRING": (str,),
    "INTEGER": (int,),
    "FLOAT": (int, float),
    "BOOLEAN": (bool,),
    "ARRAY": (list, dict),
    "OBJECT": (dict,),
}
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_TICKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-/]{0,14}")
_OTHER_NAMES = {
    "symbol": "ticker_symbol",
    "percentage_of_buying_power": "portfolio_ratio_investment",
}
_MOST = 500


class Signals:
    def __init__(self, store: Store) -> None:
        self._store = store

    def declare(
        self,
        who: Principal,
        kind: Kind,
        number: int,
        *,
        title: str = "",
        fields: Mapping[str, str] | None = None,
        open: bool = True,
    ) -> Channel:
        """Make a resource or an algorithm, or change what is said of it.

        Args:
            fields: a resource's keys and their types; what is published is held to them.
            open: whether other accounts may subscribe.
        """
        who.require("deploy")
        types = {str(key): str(value).upper() for key, value in (fields or {}).items()}
        if unknown := set(types.values()) - set(TYPES):
            raise RejectedError(
                f"There is no type {min(unknown)!r}.", f"Types: {', '.join(TYPES)}.", status=422
            )
        with self._store.write() as session:
            channel = self._channel(who.account_id, kind, number)
            if channel is None:
                channel = Channel(account_id=who.account_id, kind=kind, number=whole(number, kind))
            channel.title = clean_text(title, "title", limit=255)
            channel.fields = clean_json(types, "fields")
            channel.open = bool(open)
            return session.merge(channel)

    def publish(
        self, who: Principal, kind: Kind, number: int, body: dict[str, Any], key: str | None = None
    ) -> tuple[Channel, Publication, bool]:
        """Store one publication; one with a known ``key`` is the first one again (False).

        Raises:
            RejectedError: it does not hold to the channel's fields.
            ConflictError: the key was used for something else.
        """
        who.require("trade" if kind == "algorithm" else "deploy")
        if key is not None and not _KEY.fullmatch(key):
            raise RejectedError("An Idempotency-Key has 1 to 128 plain characters.", status=400)
        asked = request_digest(kind, body)
        with self._store.write() as session:
            channel = self._channel(who.account_id, kind, number)
            if channel is None:
                channel = Channel(account_id=who.account_id, kind=kind, number=whole(number, kind))
                session.add(channel)
                session.flush()
            known = key and session.scalar(
                select(Publication).where(
                    Publication.channel_id == channel.id, Publication.key == key
                )
            )
            if known:
                if known.digest != asked:
                    raise ConflictError("This Idempotency-Key was used for something else.")
                return channel, known, False
            held_to(channel.fields, body)
            row = Publication(
                channel_id=channel.id,
                app=who.token_name or who.name,
                key=key,
                digest=asked,
                body=body,
            )
            session.add(row)
            session.flush()
            return channel, row, True

    def channels(self, who: Principal, kind: Kind) -> Sequence[tuple[Channel, str, int]]:
        """The caller's and those it subscribed to: channel, publisher's name, publications."""
        who.require("read")
        mine = select(Subscription.channel_id).where(Subscription.account_id == who.account_id)
        query = (
            select(Channel, Account.name, func.count(Publication.id))
            .join(Account, Account.id == Channel.account_id)
            .outerjoin(Publication, Publication.channel_id == Channel.id)
            .where(Channel.kind == kind)
            .where((Channel.account_id == who.account_id) | Channel.id.in_(mine))
            .group_by(Channel.id, Account.name)
            .order_by(Account.name, Channel.number)
        )
        with self._store.read() as session:
            return [(channel, name, count) for channel, name, count in session.execute(query)]

    def read(
        self,
        who: Principal,
        kind: Kind,
        number: int | None = None,
        *,
        publisher: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[tuple[Publication, Channel, str]]:
        """Publications after one of that id, oldest first; ``number`` None: of all channels."""
        who.require("read")
        mine = select(Subscription.channel_id).where(Subscription.account_id == who.account_id)
        query = (
            select(Publication, Channel, Account.name)
            .join(Channel, Channel.id == Publication.channel_id)
            .join(Account, Account.id == Channel.account_id)
            .where(Channel.kind == kind, Publication.id > after)
            .where((Channel.account_id == who.account_id) | Channel.id.in_(mine))
        )
        if number is not None:
            query = query.where(Channel.number == number)
        if publisher is not None:
            query = query.where(Account.name == publisher)
        query = query.order_by(Publication.id).limit(max(1, min(limit, _MOST)))
        with self._store.read() as session:
            return [(row, channel, name) for row, channel, name in session.execute(query)]

    def subscribe(self, who: Principal, kind: Kind, publisher: str, number: int) -> Channel:
        """Read another account's channel from now on; what was published before too.

        Raises:
            NotFoundError: there is none, or it is not open to others.
        """
        who.require("read")
        who.require_whole_account()
        query = (
            select(Channel)
            .join(Account, Account.id == Channel.account_id)
            .where(Account.name == publisher, Channel.kind == kind, Channel.number == number)
        )
        with self._store.write() as session:
            channel = session.scalar(query)
            theirs = channel is not None and channel.account_id != who.account_id
            if channel is None or (theirs and not channel.open):
                raise NotFoundError(f"{publisher} has no {kind} {number} for others.", status=404)
            if theirs:
                session.merge(Subscription(channel_id=channel.id, account_id=who.account_id))
            return channel

    def unsubscribe(self, who: Principal, kind: Kind, publisher: str, number: int) -> None:
        with self._store.write() as session:
            query = (
                select(Subscription)
                .join(Channel, Channel.id == Subscription.channel_id)
                .join(Account, Account.id == Channel.account_id)
                .where(Account.name == publisher, Channel.kind == kind, Channel.number == number)
                .where(Subscription.account_id == who.account_id)
            )
            row = session.scalar(query)
            if row is None:
                raise NotFoundError("There is no such subscription.", status=404)
            session.delete(row)

    def _channel(self, account_id: str, kind: Kind, number: int) -> Channel | None:
        query = select(Channel).where(
            Channel.account_id == account_id, Channel.kind == kind, Channel.number == number
        )
        with self._store.read() as session:
            return session.scalar(query)


def signal(sent: Mapping[str, Any]) -> tuple[int, dict[str, Any], str]:
    """A trading signal's algorithm, its fields as they are stored, and a remark.

    The service's page names two fields twice and contradicts itself on ``time_in_force``; both
    names are taken, and ``gtc`` with a remark.

    Raises:
        RejectedError: a field is missing or makes no sense.
    """
    fields = {_OTHER_NAMES.get(name, name): value for name, value in sent.items()}
    algorithm = whole(fields.get("algorithm_id"), "algorithm_id")
    ticker = fields.get("ticker_symbol")
    if not isinstance(ticker, str) or not _TICKER.fullmatch(ticker):
        raise RejectedError("ticker_symbol must be a symbol like 'AAPL'.", status=422)
    ratio = fields.get("portfolio_ratio_investment")
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not _share(ratio):
        raise RejectedError("portfolio_ratio_investment must be above 0 and at most 1.", status=422)
    if fields.get("order_type") != "market":
        raise RejectedError("order_type must be 'market': no other is supported.", status=422)
    if fields.get("side") not in ("buy", "sell"):
        raise RejectedError("side must be 'buy' or 'sell'.", status=422)
    if fields.get("time_in_force") not in ("day", "gtc"):
        raise RejectedError("time_in_force must be 'day'.", status=422)
    gtc = fields["time_in_force"] == "gtc"
    remark = "Fractions of shares trade 'day' only; 'gtc' holds for whole shares." if gtc else ""
    stored = {
        "algorithm_id": algorithm,
        "ticker_symbol": ticker.upper(),
        "portfolio_ratio_investment": float(ratio),
        "order_type": "market",
        "side": fields["side"],
        "time_in_force": fields["time_in_force"],
    }
    return algorithm, stored, remark


def resource(sent: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """A resource's number and its keys and values; RejectedError where they are none."""
    number = whole(sent.get("resource_id"), "resource_id")
    body = sent.get("resource_dict")
    if not isinstance(body, dict) or not body:
        raise RejectedError("resource_dict must hold keys and values.", status=422)
    return number, clean_json(body, "resource_dict", limit=200_000)


def held_to(fields: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Raises RejectedError where a key is missing, unknown, or of another type than declared."""
    if not fields:
        return
    if missing := set(fields) - set(body):
        raise RejectedError(f"The resource lacks {min(missing)!r}.", status=422)
    if unknown := set(body) - set(fields):
        raise RejectedError(f"The resource has no key {min(unknown)!r}.", status=422)
    for key, kind in fields.items():
        value = body[key]
        wrong = not isinstance(value, TYPES[kind])
        if value is not None and (wrong or (isinstance(value, bool) and kind != "BOOLEAN")):
            raise RejectedError(f"{key!r} must be of type {kind}.", status=422)


def whole(value: Any, what: str) -> int:
    """A number that both databases can hold."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise RejectedError(f"{what} must be a whole number.", status=422)
    return value


def _share(ratio: float) -> bool:
    return math.isfinite(ratio) and 0 < ratio <= 1
