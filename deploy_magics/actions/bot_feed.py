"""What a view of a running bot shows, read in a thread of its own.

A snapshot is complete: whoever draws it needs nothing else. It is read anew whenever the bot's
websocket says that something happened, and every few seconds where there is no websocket. A bot
that does not answer is a snapshot too, which says so.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ConflictError, DeployMagicsError, NotFoundError
from ..platforms.freqtrade import FreqtradeClient
from ..platforms.freqtrade_stream import MessageStream
from .bot import software

WEBSOCKET_SINCE = 2.1  # of the bot's API
KEPT_TRADES = 2000
KEPT_POINTS = 500
_ACCESS_LOGS = ("werkzeug", "uvicorn.access")  # our own questions, mostly
Row = dict[str, Any]
Bot = FreqtradeClient  # for faces, which name no platform


@dataclass(frozen=True)
class Snapshot:
    """One bot at one moment; money in the stake currency, times in epoch seconds.

    Attributes:
        state: ``running``, ``paused``, ``stopped``, ``reload_config``, or ``away``.
        curve: points [time, profit]: each closed trade's end, then what was seen since.
        via: ``websocket`` or ``polling``.
        speaks: whether it may have a websocket (bots of 2020 have none).
    """

    name: str
    url: str
    at: float = 0.0
    state: str = "away"
    problem: str = ""
    via: str = "polling"
    version: str = ""
    strategy: str = ""
    stake: str = ""
    dry_run: bool = True
    speaks: bool = False
    slots: tuple[int, int] = (0, -1)
    profit: float = 0.0
    profit_closed: float = 0.0
    balance: float = 0.0
    currencies: tuple[Row, ...] = ()
    trades: tuple[Row, ...] = ()
    closed: tuple[Row, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    logs: tuple[str, ...] = ()


@dataclass
class BotReader:
    """Reads snapshots of one bot; what was read before is used again."""

    client: FreqtradeClient
    name: str
    last: Snapshot = field(init=False)
    _closed: dict[int, Row] = field(default_factory=dict, init=False)
    _seen: list[tuple[float, float]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.last = Snapshot(self.name, self.client.wire.url)

    def read(self) -> Snapshot:
        """The bot now; never raises for what the bot or the network does."""
        now = time.time()
        try:
            self.last = self._read(now)
        except DeployMagicsError as error:
            self.last = replace(self.last, at=now, state="away", problem=str(error))
        return self.last

    def _read(self, now: float) -> Snapshot:
        config = self.client.show_config()
        found: Row = {
            "at": now,
            "state": str(config["state"]),
            "problem": str(config.get("problem") or ""),
            "version": software(config["version"]),
            "strategy": str(config["strategy"] or ""),
            "stake": str(config["stake_currency"] or ""),
            "dry_run": bool(config["dry_run"]),
            "speaks": float(config["api_version"] or 0) > WEBSOCKET_SINCE,
        }
        with contextlib.suppress(NotFoundError):  # a bot of early 2020 tells no logs
            records = [row for row in self.client.logs(80)["logs"] if row[2] not in _ACCESS_LOGS]
            found["logs"] = tuple(_line(record) for record in records[-12:])
        with contextlib.suppress(ConflictError):  # a stopped bot tells less
            self._money(found, now)
        return replace(self.last, **found)

    def _money(self, found: Row, now: float) -> None:
        rows = self.client.trades(20 if self._closed else KEPT_TRADES)
        self._closed.update({row["trade_id"]: row for row in rows})
        ended = sorted(self._closed.values(), key=lambda row: row["close_timestamp"] or 0)
        found["closed"] = tuple(_closed_row(row) for row in reversed(ended[-10:]))
        profit = self.client.profit()
        found["profit"] = float(profit["profit_all_coin"] or 0)
        found["profit_closed"] = float(profit["profit_closed_coin"] or 0)
        balance = self.client.balance()
        found["balance"] = float(balance["total_bot"] or balance["total"] or 0)
        found["currencies"] = tuple(
            {"currency": row["currency"], "balance": row["balance"], "value": row["est_stake"]}
            for row in balance["currencies"]
        )
        self._seen.append((now, found["profit"]))
        del self._seen[:-KEPT_POINTS]
        found["curve"] = (*_closed_curve(ended, self._seen[0][0]), *self._seen)
        count = self.client.count()
        found["slots"] = (int(count["current"]), int(count["max"]))
        found["trades"] = tuple(_open_row(row) for row in self.client.status())


class Feed:
    """Calls ``on_snapshot`` from its own thread, at once and after every change, until ``close``.

    Args:
        every: seconds between two readings of a bot without a websocket; one with a websocket is
            read when it speaks, and every ``5 * every`` seconds for its prices.
    """

    def __init__(
        self,
        client: FreqtradeClient,
        name: str,
        on_snapshot: Callable[[Snapshot], None],
        *,
        every: float = 2.0,
    ) -> None:
        self.client = client
        self.every = every
        self._reader = BotReader(client, name)
        self._on_snapshot = on_snapshot
        self._wake = threading.Event()
        self._end = threading.Event()
        self._stream = MessageStream(client.wire, lambda kind, data: self._wake.set())
        self._thread = threading.Thread(target=self._run, name=f"watch {name}", daemon=True)

    @property
    def snapshot(self) -> Snapshot:
        return self._reader.last

    def start(self) -> None:
        self._thread.start()

    def refresh(self) -> None:
        """Read again soon."""
        self._wake.set()

    def end(self) -> None:
        """Read no more; does not wait for the reading that is going on."""
        self._end.set()
        self._wake.set()

    def close(self, wait: float = 10.0) -> None:
        """End the thread and the websocket; safe to call twice and from any thread."""
        self.end()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(wait)

    def _run(self) -> None:
        try:
            opened = False
            while not self._end.is_set():
                self._wake.clear()
                self._tell(self._reader.read())
                if not opened and self._reader.last.speaks:
                    opened = True
                    self._stream.open(wait=2.0)
                    self._tell(self._reader.last)
                pause = self.every * (5 if self._stream.connected else 1)
                if self._wake.wait(pause) and not self._end.wait(0.2):
                    continue  # several messages in a moment make one reading
        finally:
            self._stream.close()

    def _tell(self, snapshot: Snapshot) -> None:
        if not self._end.is_set():
            via = "websocket" if self._stream.connected else "polling"
            self._on_snapshot(replace(snapshot, via=via))


def _line(record: list[Any]) -> str:
    return f"{record[0]} {record[3]} {record[4]}"[:400]


def _open_row(row: Row) -> Row:
    return {
        "id": row["trade_id"],
        "pair": row["pair"],
        "side": "short" if row["is_short"] else "long",
        "amount": row["amount"],
        "stake": row["stake_amount"],
        "opened": (row["open_timestamp"] or 0) / 1000,
        "open_rate": row["open_rate"],
        "rate": row["current_rate"],
        "profit": row["profit_abs"],
        "percent": row["profit_pct"],
        "pending": bool(row["has_open_orders"]),
        "tag": row["enter_tag"] or "",
    }


def _closed_row(row: Row) -> Row:
    return {
        "id": row["trade_id"],
        "pair": row["pair"],
        "closed": (row["close_timestamp"] or 0) / 1000,
        "profit": row["profit_abs"],
        "percent": row["profit_pct"],
        "reason": row["exit_reason"] or "",
    }


def _closed_curve(ended: list[Row], until: float) -> list[tuple[float, float]]:
    """Profit after each trade that was closed before ``until``, thinned to ``KEPT_POINTS``."""
    total, points = 0.0, []
    for row in ended:
        at = (row["close_timestamp"] or 0) / 1000
        total += float(row["profit_abs"] or 0)
        if at < until:
            points.append((at, total))
    step = max(1, len(points) // KEPT_POINTS)
    return points[::step] if step == 1 else [*points[::step], points[-1]]
