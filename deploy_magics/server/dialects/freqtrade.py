"""freqtrade's REST API for each live run, at ``/bots/<run id>/api/v1``.

A deployed model looks like a bot, so that what steers bots steers it too. The user name is free,
the password is a token of the account; a sign-in gives JWTs as a bot does. What a model decides
for itself (entries and exits by hand, pausing entries, locks) is refused with freqtrade's own
status for a refusal, 502.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request

from deploy_magics import __version__
from deploy_magics.errors import ConflictError, NotFoundError
from deploy_magics.server.dialects import freqtrade_money, freqtrade_socket
from deploy_magics.server.dialects.freqtrade_call import (
    Bot,
    Json,
    Views,
    basic,
    bearer,
    caller,
    log_tail,
    text_of,
)
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.runs import ACTIVE

ACCESS_SECONDS, REFRESH_SECONDS = 900.0, 30 * 86400.0
REFUSED = {
    "forceenter forcebuy": "a deployed model enters trades by itself",
    "forceexit forcesell": "a deployed model exits trades by itself; stopping it leaves them",
    "stopentry stopbuy pause": "a deployed model cannot only stop entering; stop it",
    "reload_config": "a deployed model has no configuration; deploy a new version of it",
}


def error_body(status: int, message: str) -> Mapping[str, Any]:
    """A bot's wording: ``error`` where it refuses, ``detail`` else."""
    return {"error": message} if status == 502 else {"detail": message}


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["freqtrade"])
    views = Views(services)

    def bot_of(who: Principal, run_id: str, path: str) -> Bot:
        run = services.runs.get(who, run_id)
        if run.kind != "live":
            raise NotFoundError("This run is no live run.", status=404)
        return Bot(services, views, who, run, path)

    def bot(request: Request, run_id: str) -> Bot:
        who = caller(services, request)
        request.scope.setdefault("state", {})["account_id"] = who.account_id
        who.require("read" if request.method == "GET" else "deploy")
        return bot_of(who, run_id, request.url.path.split("/api/v1", 1)[-1].strip("/"))

    def by_token(token: str, run_id: str) -> Bot:
        who = services.tokens.by_id_token(token, kind="freqtrade")
        who.require("read")
        return bot_of(who, run_id, "message/ws")

    asked: Any = Depends(bot)
    freqtrade_socket.add(made, by_token)
    _signing(made, services)
    _steering(made, asked)
    _reading(made, asked)
    freqtrade_money.add(made, asked)
    return made


def _signing(made: APIRouter, services: Services) -> None:
    @made.get("/ping")
    def ping() -> Json:
        return {"status": "pong"}

    @made.post("/token/login")
    def login(request: Request, run_id: str) -> Json:
        who = basic(services, request)
        services.runs.get(who, run_id)
        return {
            "access_token": services.tokens.id_token(who, kind="freqtrade", seconds=ACCESS_SECONDS),
            "refresh_token": services.tokens.id_token(
                who, kind="freqtrade-refresh", seconds=REFRESH_SECONDS
            ),
        }

    @made.post("/token/refresh")
    def refresh(request: Request, run_id: str) -> Json:
        who = services.tokens.by_id_token(bearer(request), kind="freqtrade-refresh")
        services.runs.get(who, run_id)
        token = services.tokens.id_token(who, kind="freqtrade", seconds=ACCESS_SECONDS)
        return {"access_token": token}


def _steering(made: APIRouter, asked: Any) -> None:
    @made.post("/start")
    def start(bot: Bot = asked) -> Json:
        if bot.run.state in ACTIVE and bot.run.wanted == "running":
            return {"status": "already running"}
        try:
            bot.services.runs.start(bot.who, bot.run.id)
        except ConflictError as error:
            raise bot.refuse(str(error).rstrip(".")) from None
        return {"status": "starting trader ..."}

    @made.post("/stop")
    def stop(bot: Bot = asked) -> Json:
        if bot.state == "stopped":
            return {"status": "already stopped"}
        bot.services.runs.stop(bot.who, bot.run.id)
        return {"status": "stopping trader ..."}

    for words, why in REFUSED.items():
        for word in words.split():
            made.add_api_route(f"/{word}", _refuser(why, asked), methods=["POST"], name=word)


def _refuser(why: str, asked: Any) -> Callable[..., Json]:
    def refuse(bot: Bot = asked) -> Json:
        raise bot.refuse(why)

    return refuse


def _reading(made: APIRouter, asked: Any) -> None:
    @made.get("/version")
    def version(bot: Bot = asked) -> Json:
        return {"version": f"deploy_magics {__version__}"}

    @made.get("/show_config")
    def show_config(bot: Bot = asked) -> Json:
        view = bot.view()
        return {
            "version": f"deploy_magics {__version__}",
            "api_version": freqtrade_socket.API_VERSION,
            "bot_name": bot.name,
            "strategy": bot.name,
            "strategy_version": None,
            "state": bot.state,
            "problem": bot.run.error if bot.state == "stopped" else None,  # ours
            "runmode": "live" if bot.run.live else "dry_run",
            "dry_run": not bot.run.live,
            "trading_mode": "spot",
            "short_allowed": False,
            "exchange": view.exchange,
            "stake_currency": view.quote,
            "stake_amount": "unlimited",
            "max_open_trades": -1,
            "timeframe": None,
            "force_entry_enable": False,
            "entry_pricing": {},
            "exit_pricing": {},
        }

    @made.get("/logs")
    def logs(bot: Bot = asked, limit: int = 100) -> Json:
        lines = log_tail(bot)[-max(1, min(limit, 1000)) :]
        at = (bot.run.ended_at or time.time()) * 1000
        records = [[text_of(at / 1000), at, bot.name, "INFO", line] for line in lines]
        return {"log_count": len(records), "logs": records}

    @made.get("/health")
    def health(bot: Bot = asked) -> Json:
        seen = bot.run.updated_at
        return {
            "last_process": text_of(seen),
            "last_process_ts": int(seen),
            "bot_start": text_of(bot.run.started_at),
            "bot_start_ts": int(bot.run.started_at or 0),
        }

    @made.get("/whitelist")
    def whitelist(bot: Bot = asked) -> Json:
        pairs = bot.pairs()
        return {"whitelist": pairs, "length": len(pairs), "method": ["StaticPairList"]}

    @made.get("/blacklist")
    def blacklist(bot: Bot = asked) -> Json:
        return {"blacklist": [], "blacklist_expanded": [], "errors": {}, "length": 0, "method": []}

    @made.get("/locks")
    def locks(bot: Bot = asked) -> Json:
        return {"lock_count": 0, "locks": []}
