"""A client for freqtrade's REST API, for bots of 2020 as for those of today.

Answers are plain dicts and lists in today's form, whatever the bot's age
(``freqtrade_shape`` says how they are brought there, ``freqtrade_tables`` makes DataFrames of
them). Newer names are tried first and fall back to the older ones: ``forceexit`` → ``forcesell``,
``forceenter`` → ``forcebuy``, ``stopentry`` → ``stopbuy``. A refusal is an error, never a dict.

Protocol: freqtrade's documentation, "REST API usage"; the paths were seen on 2020.8 and 2026.9.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import NotFoundError, RejectedError, UnreachableError
from . import freqtrade_shape as shape
from .freqtrade_research import Research
from .freqtrade_stream import KINDS, MessageStream, OnMessage
from .freqtrade_wire import Wire

Json = dict[str, Any]
PAGE = 500


class FreqtradeClient(Research):
    """One bot.

    Args:
        url: its address, ``http://127.0.0.1:8080``.
        user, password: of the bot's ``api_server`` block.
        options: see Wire.
    """

    def __init__(self, url: str, user: str = "", password: str = "", **options: Any) -> None:
        super().__init__(Wire(url, user, password, **options))
        self._version = ""

    def __repr__(self) -> str:
        return f"<freqtrade bot at {self.wire.url}>"

    # ------------------------------------------------------------------ the bot itself

    def ping(self) -> bool:
        """Whether the bot's API answers (without a password). Does not wait for it."""
        try:
            answer = self.wire.call("GET", "ping", signed=False, patience=0)
        except UnreachableError:
            return False
        return bool(answer == {"status": "pong"})

    def version(self) -> str:
        self._version = str(self.wire.get("version")["version"])
        return self._version

    def show_config(self) -> Json:
        raw = self.wire.get("show_config")
        if "version" not in raw and not self._version:
            self.version()
        return shape.config(raw, self._version or None)

    def state(self) -> str:
        """``running``, ``paused``, ``stopped`` or ``reload_config``."""
        return str(self.show_config()["state"])

    def start(self) -> str:
        """Start trading, or allow entries again; what the bot says to it."""
        return str(self.wire.post("start")["status"])

    def stop(self) -> str:
        return str(self.wire.post("stop")["status"])

    def stopentry(self) -> str:
        """No new trades; open ones go on by their rules.

        A bot of 2020 takes it back with ``reload_config``, one of today with ``start``.
        """
        answer = self.wire.first_of(("POST", "stopentry"), ("POST", "stopbuy"))
        return str(answer["status"])

    stopbuy = stopentry
    pause = stopentry

    def reload_config(self, wait: float = 60.0) -> str:
        """Read the configuration anew; returns when the bot is back, its API is gone meanwhile.

        Raises:
            UnreachableError: it was not back after ``wait`` seconds (0: does not wait).
        """
        said = str(self.wire.post("reload_config")["status"])
        until = time.monotonic() + wait
        gone, quiet = False, time.monotonic() + 5
        while time.monotonic() < until:
            try:
                raw = self.wire.call("GET", "show_config", patience=0)
            except UnreachableError:
                gone = True
            else:
                # its API serves on for a moment before the reload begins, and answers without a
                # state for a moment after it
                if raw.get("state") in ("reload_config", "", None):
                    gone = True
                elif gone or time.monotonic() > quiet:
                    return said
            time.sleep(0.1)
        if wait:
            raise UnreachableError(
                f"The bot is not back {wait:.0f} s after it was told to reload.",
                "Its log says why: is the configuration right?",
            )
        return said

    # ---------------------------------------------------------------------- trades

    def status(self) -> list[Json]:
        """The open trades."""
        return [shape.trade(row) for row in self.wire.get("status")]

    def trades(self, limit: int | None = None) -> list[Json]:
        """Closed trades, the last closed first: ``limit`` of them, or all."""
        found: dict[int, Json] = {}
        while True:
            want = PAGE if limit is None else min(limit - len(found), PAGE)
            page = self.wire.get("trades", limit=want, offset=len(found), order_by_id="false")
            if "total_trades" not in page:  # 2020: no pages, 0 means all
                page = self.wire.get("trades", limit=limit or 0)
            rows = page["trades"]
            # a trade that closes meanwhile moves the pages: the same one may come twice
            new = {row["trade_id"]: shape.trade(row) for row in rows}
            seen = len(found)
            found.update(new)
            enough = limit is not None and len(found) >= limit
            if enough or "total_trades" not in page or len(found) >= page["total_trades"]:
                break
            if len(found) == seen:
                break
        ordered = sorted(found.values(), key=lambda row: row["close_timestamp"] or 0, reverse=True)
        return ordered[:limit]

    def trade(self, trade_id: int) -> Json:
        """One trade, open or closed."""
        try:
            return shape.trade(self.wire.get(f"trade/{int(trade_id)}"))
        except NotFoundError:
            for row in [*self.status(), *self.trades()]:  # a bot of 2020 has no such call
                if row["trade_id"] == int(trade_id):
                    return row
            raise NotFoundError(f"The bot has no trade {trade_id}.", status=404) from None

    def delete_trade(self, trade_id: int) -> str:
        """Take a trade out of the bot's database; on the exchange it stays as it is."""
        return str(self.wire.call("DELETE", f"trades/{int(trade_id)}")["result_msg"])

    def cancel_open_order(self, trade_id: int) -> Json | None:
        """Cancel a trade's open order; the trade, or None where it ended with its order."""
        try:
            answer = self.wire.call("DELETE", f"trades/{int(trade_id)}/open-order")
        except RejectedError as error:
            # an entry that was never filled goes with its order, and the bot answers 502 to that
            if "no active trade" not in error.message.lower():
                raise
            return None
        return shape.trade(answer) if isinstance(answer, dict) and "trade_id" in answer else None

    def reload_trade(self, trade_id: int) -> Json:
        """Read a trade's orders anew from the exchange (live trading only)."""
        return shape.trade(self.wire.post(f"trades/{int(trade_id)}/reload"))

    def custom_data(self, trade_id: int) -> list[Json]:
        """What the strategy stored with a trade."""
        return list(self.wire.get(f"trades/{int(trade_id)}/custom-data"))

    def forceexit(
        self,
        trade_id: int | str,
        *,
        ordertype: str | None = None,
        amount: float | None = None,
        price: float | None = None,
    ) -> str:
        """Exit a trade, or ``"all"``, at once; ``amount`` (in base currency) for a part of it."""
        body = {
            "tradeid": str(trade_id),
            "ordertype": ordertype,
            "amount": amount,
            "price": price,
        }
        answer = self.wire.first_of(
            ("POST", "forceexit"),
            ("POST", "forcesell"),
            json={key: value for key, value in body.items() if value is not None},
        )
        return str(answer["result"])

    forcesell = forceexit

    def forceenter(
        self,
        pair: str,
        *,
        side: str = "long",
        price: float | None = None,
        ordertype: str | None = None,
        stake: float | None = None,
        tag: str | None = None,
        leverage: float | None = None,
    ) -> Json:
        """Enter a trade at once; ``stake`` in the stake currency.

        A bot of 2020 takes pair and price alone: asking it for more is refused here.
        """
        extra = {
            "ordertype": ordertype,
            "stakeamount": stake,
            "entry_tag": tag,
            "leverage": leverage,
        }
        extra = {key: value for key, value in extra.items() if value is not None}
        body = {"pair": pair} if price is None else {"pair": pair, "price": price}
        try:
            answer = self.wire.call("POST", "forceenter", json={**body, "side": side, **extra})
        except NotFoundError:
            if extra or side != "long":
                raise RejectedError(
                    "This bot enters with a pair and a price alone.",
                    f"Leave out {', '.join(extra) or 'the side'}.",
                ) from None
            answer = self.wire.call("POST", "forcebuy", json=body)
        if "trade_id" not in answer:
            raise RejectedError(f"The bot refuses: {answer.get('status', 'no trade came of it')}")
        return shape.trade(answer)

    def forcebuy(self, pair: str, price: float | None = None) -> Json:
        return self.forceenter(pair, price=price)

    # ------------------------------------------------------------------ pairs and locks

    def whitelist(self) -> list[str]:
        return list(self.wire.get("whitelist")["whitelist"])

    def blacklist(self, add: Sequence[str] = ()) -> list[str]:
        """The pairs that are never traded, after those of ``add`` went in.

        Raises:
            RejectedError: the bot refused some of ``add``; the others are in.
        """
        if not add:
            return list(self.wire.get("blacklist")["blacklist"])
        return _listed(self.wire.post("blacklist", blacklist=list(add)))

    def blacklist_remove(self, pairs: Sequence[str]) -> list[str]:
        """The pairs that are never traded, after ``pairs`` went out."""
        params = {"pairs_to_delete": list(pairs)}
        return _listed(self.wire.call("DELETE", "blacklist", params=params))

    def locks(self) -> Json:
        """The locks that keep pairs from being entered: ``lock_count``, ``locks``."""
        return dict(self.wire.get("locks"))

    def lock(self, pair: str, until: dt.datetime, *, side: str = "*", reason: str = "") -> Json:
        """Lock a pair; the bot moves the end up to its next candle."""
        if until.tzinfo is None:
            until = until.replace(tzinfo=dt.timezone.utc)
        one = {"pair": pair, "until": until.isoformat(), "side": side, "reason": reason}
        return dict(self.wire.call("POST", "locks", json=[one]))

    def unlock(self, which: int | str) -> Json:
        """End a lock by its id, or all locks of a pair."""
        if isinstance(which, int) or which.isdigit():
            return dict(self.wire.call("DELETE", f"locks/{which}"))
        return dict(self.wire.post("locks/delete", pair=which))

    # --------------------------------------------------------------------- messages

    def messages(
        self, on_message: OnMessage, kinds: Sequence[str] = KINDS, wait: float = 10.0
    ) -> MessageStream:
        """Call ``on_message(kind, data)``, in a thread, for all that happens; ``close()`` ends it.

        Raises:
            UnreachableError: the bot has no websocket (before 2022), or lets nobody in.
        """
        stream = MessageStream(self.wire, on_message, kinds=kinds)
        if not stream.open(wait):
            stream.close()
            raise UnreachableError("The bot sends no messages.", "Is it older than 2022?")
        return stream


def _listed(answer: Mapping[str, Any]) -> list[str]:
    """The blacklist, or the bot's reasons why a pair did not go in or out."""
    problems = answer.get("errors") or {}
    if problems:
        reasons = "; ".join(str(problem["error_msg"]).rstrip(".") for problem in problems.values())
        raise RejectedError(f"The bot refuses: {reasons}.")
    return list(answer["blacklist"])
