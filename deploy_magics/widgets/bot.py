"""Freqtrade bots at work, live, in one view: ``%bot watch``."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import anywidget
import traitlets

from .. import display
from ..actions.bot import addresses, client, resolve
from ..actions.bot_buttons import BUTTONS, press
from ..actions.bot_feed import Bot, Feed, Snapshot
from ..actions.kinds import Completes
from .bot_text import page

_HERE = Path(__file__).parent
_open: weakref.WeakSet[BotWatch] = weakref.WeakSet()


class BotWatch(anywidget.AnyWidget):
    """The view: read by threads of its own, so that the kernel stays free.

    In a terminal its text is the same view; printing it again shows what is new.

    Attributes:
        bots: what is shown of each bot.
        notes: the last answer to a button, by bot.
    """

    _esm = _HERE / "bot.js"
    _css = _HERE / "bot.css"
    bots: traitlets.List[dict[str, Any]] = traitlets.List(traitlets.Dict()).tag(sync=True)
    notes: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    ended = traitlets.Bool(False).tag(sync=True)

    def __init__(self, clients: dict[str, Bot], every: float = 2.0) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._snapshots = {
            name: Snapshot(name, bot.wire.url, state="reading") for name, bot in clients.items()
        }
        self._publish()
        self.feeds = {
            name: Feed(bot, name, self._take, every=every) for name, bot in clients.items()
        }
        self.on_msg(self._on_button)
        _open.add(self)
        for feed in self.feeds.values():
            feed.start()

    def stop(self, wait: float = 10.0) -> None:
        """Read no more; what was last seen stays."""
        for feed in self.feeds.values():
            feed.end()
        for feed in self.feeds.values():
            feed.close(wait)
        with contextlib.suppress(Exception):  # the front end may be gone already
            self.ended = True

    def close(self) -> None:
        self.stop()
        super().close()

    def snapshots(self) -> list[Snapshot]:
        """What is known of each bot at the moment."""
        with self._lock:
            return list(self._snapshots.values())

    def follow(self, seconds: float | None = None) -> None:
        """Print the view again and again, until Ctrl-C: for a terminal."""
        until = None if seconds is None else time.monotonic() + seconds
        try:
            while until is None or time.monotonic() < until:
                print("\033[2J\033[H" + repr(self), flush=True)
                time.sleep(1)
        except KeyboardInterrupt:
            print("Still reading; .stop() ends it.")

    def __repr__(self) -> str:
        return page(self.snapshots(), ended=self.ended)

    def _take(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._snapshots[snapshot.name] = snapshot
        self._publish()

    def _publish(self) -> None:
        with self._lock:
            self.bots = [asdict(snapshot) for snapshot in self._snapshots.values()]

    def _on_button(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        name, command = str(message.get("bot")), str(message.get("do"))
        if name in self.feeds and command in BUTTONS:
            work = threading.Thread(
                target=self._do, args=(name, command, message.get("trade")), daemon=True
            )
            work.start()

    def _do(self, name: str, command: str, trade: Any) -> None:
        feed = self.feeds[name]
        said = press(feed.client, command, trade)
        with self._lock:
            self.notes = {**self.notes, name: said}
        feed.refresh()


def watch(
    bot: Annotated[Sequence[str], Completes("bot")] = (),
    *,
    every: float = 2.0,
    all: bool = False,
) -> BotWatch:
    """Watch bots live: state, trades, profit, balance, log, with buttons.

    Args:
        bot: which bots; the one used last where none is named.
        every: seconds between two readings of a bot that has no websocket.
        all: every bot that is known.
    """
    names = list(addresses()) if all else [resolve(name) for name in bot or (None,)]
    seen = BotWatch({name: client(name, patience=0) for name in names}, max(every, 0.2))
    _wait_for_first(seen, 5.0 if display.mode() == "text" else 1.0)
    return seen


def _wait_for_first(seen: BotWatch, seconds: float) -> None:
    """Text is drawn once, in a terminal and in a saved notebook: better with something in it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if all(snapshot.at for snapshot in seen.snapshots()):
            return
        time.sleep(0.05)


@atexit.register
def _close_all() -> None:
    for each in list(_open):
        each.stop(wait=0.5)  # a kernel that ends waits for no bot
