"""A run's bot, pushed: the websocket ``/message/ws`` as bots have it.

Its address carries the access token of a sign-in, which is good for a quarter of an hour: the
connection ends with it, and with the token that it was made from, and clients sign in anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import time
from collections.abc import Callable

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.concurrency import run_in_threadpool

from deploy_magics.errors import DeployMagicsError
from deploy_magics.server.dialects.freqtrade_call import Bot
from deploy_magics.server.dialects.freqtrade_news import KINDS, Json, Standing, news

POSSIBLE = importlib.util.find_spec("websockets") is not None
API_VERSION = 2.2 if POSSIBLE else 2.1
"""Bots have the websocket since 2.2 of their API."""

LOOK_AT_FILE, LOOK_AT_STATE = 0.2, 1.0
SEND_SECONDS = 20.0
REFUSED, GOING_AWAY = 1008, 1001


def add(made: APIRouter, find: Callable[[str, str], Bot]) -> None:
    """``find``: the bot of a token and a run's id; raises where the token is not, or no longer,
    one for it."""

    @made.websocket("/message/ws")
    async def messages(socket: WebSocket, run_id: str, token: str = "") -> None:
        try:
            first = await run_in_threadpool(lambda: Look(find(token, run_id)))
        except DeployMagicsError:
            await socket.close(REFUSED)  # before it is accepted: 403
            return
        await socket.accept()
        channel = Channel(socket, lambda: find(token, run_id), first)
        hearing = asyncio.create_task(channel.hear())
        telling = asyncio.create_task(channel.tell())
        await asyncio.wait((hearing, telling), return_when=asyncio.FIRST_COMPLETED)
        for task in (hearing, telling):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await task


class Look:
    """What was seen of a bot, and when there is more to see."""

    def __init__(self, bot: Bot) -> None:
        self._bot, self._mark = bot, bot.mark()
        self.standing = Standing.of(bot)

    @property
    def is_old(self) -> bool:
        return self._bot.mark() != self._mark


class Channel:
    """One connection: what it wants to hear of, and what was seen last."""

    def __init__(self, socket: WebSocket, find: Callable[[], Bot], first: Look) -> None:
        self._socket = socket
        self._find = find
        self._seen = first
        self._kinds: set[str] = set()

    async def hear(self) -> None:
        """Until the other side has gone."""
        while True:
            try:
                asked = json.loads(await self._socket.receive_text())
                kind, data = asked["type"], asked.get("data")
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # a bot says nothing to what it does not understand
            if kind == "subscribe" and isinstance(data, list):
                self._kinds = {str(each) for each in data} & set(KINDS)
            elif kind == "whitelist":
                await self._send({"type": "whitelist", "data": list(self._seen.standing.pairs)})

    async def tell(self) -> None:
        """Until the token is no longer good, or the server ends."""
        while not getattr(self._socket.app.state, "closing", False):
            await self._rest()
            try:
                began = time.monotonic()
                now = await run_in_threadpool(lambda: Look(self._find()))
                cost = time.monotonic() - began
            except DeployMagicsError:
                await self._socket.close(REFUSED)
                return
            before, self._seen = self._seen, now
            for message in news(before.standing, now.standing):
                if message["type"] in self._kinds:
                    await self._send(message)
            await asyncio.sleep(4 * cost)  # a run that trades much costs a fifth of a core at most
        await self._socket.close(GOING_AWAY)

    async def _rest(self) -> None:
        """A second, or until something happens."""
        until = time.monotonic() + LOOK_AT_STATE
        while time.monotonic() < until and not self._seen.is_old:
            await asyncio.sleep(LOOK_AT_FILE)

    async def _send(self, message: Json) -> None:
        text = json.dumps(message, default=str)
        await asyncio.wait_for(self._socket.send_text(text), SEND_SECONDS)
