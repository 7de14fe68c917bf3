"""A bot's live messages, over its websocket, in a thread of their own.

Bots of 2020 have no websocket, and neither has every proxy: ``open`` tells within seconds whether
messages come, so that a caller can poll instead. The address carries the token (the bot wants it
there), so it is in no message of ours.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..errors import DeployMagicsError

KINDS = ("entry", "entry_fill", "exit", "exit_fill", "status", "warning", "whitelist", "new_candle")
OnMessage = Callable[[str, Any], None]


class Source(Protocol):
    """What a stream needs of a client."""

    @property
    def url(self) -> str: ...

    def token(self) -> str: ...


class MessageStream:
    """Calls ``on_message(kind, data)`` for each message until ``close``; kind ``gone`` (no data)
    says that the connection broke.

    It opens the connection again when it breaks, with a new token, waiting 1 s, then 2, up to 30.

    Attributes:
        connected: whether messages come at the moment.
    """

    def __init__(
        self, source: Source, on_message: OnMessage, *, kinds: Sequence[str] = KINDS
    ) -> None:
        self._source = source
        self._on_message = on_message
        self._kinds = list(kinds)
        self._end = threading.Event()
        self._first = threading.Event()
        self._socket: Any = None
        self.connected = False
        self._thread = threading.Thread(target=self._run, name="bot messages", daemon=True)

    def open(self, wait: float = 3.0) -> bool:
        """Start listening; whether the bot let us in within ``wait`` seconds.

        One that answers and has no websocket is known at once.
        """
        self._thread.start()
        self._first.wait(wait)
        return self.connected

    def close(self) -> None:
        """End the thread; safe to call twice."""
        self._end.set()
        socket = self._socket
        if socket is not None:
            with contextlib.suppress(Exception):
                socket.close(timeout=0)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _run(self) -> None:
        try:
            import websocket
        except ImportError:
            self._first.set()
            return
        pause = 1.0
        while not self._end.is_set():
            try:
                self._listen(websocket)
                pause = 1.0
            except websocket.WebSocketBadStatusException:
                self._first.set()  # it answers, but not with a websocket
            except (OSError, websocket.WebSocketException, DeployMagicsError):
                pass  # gone or reloading: the caller polls meanwhile
            finally:
                lost, self.connected = self.connected, False
            if lost and not self._end.is_set():
                self._on_message("gone", None)
            if self._end.wait(pause):
                return
            pause = min(pause * 2, 30.0)

    def _listen(self, websocket: Any) -> None:
        base = self._source.url.replace("http", "ws", 1)
        address = f"{base}/api/v1/message/ws?token={self._source.token()}"
        socket = websocket.create_connection(address, timeout=5)
        self._socket = socket
        try:
            socket.send(json.dumps({"type": "subscribe", "data": self._kinds}))
            self.connected = True
            self._first.set()
            while not self._end.is_set():
                try:
                    text = socket.recv()
                except websocket.WebSocketTimeoutException:
                    socket.ping()
                    continue
                self._take(text)
        finally:
            self._socket = None
            with contextlib.suppress(Exception):
                socket.close(timeout=0)

    def _take(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
            kind = str(message.pop("type"))
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        # some kinds carry their fields under "data", trades carry them beside the kind
        self._on_message(kind, message.get("data", message))
