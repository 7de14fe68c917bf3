"""``%bot``: a freqtrade bot, and any deployed model that speaks as one."""

from __future__ import annotations

from .command import Group
from .help import Text

_BOT = "deploy_magics.actions.bot"
_STEER = "deploy_magics.actions.bot_steer"
_LOOK = "deploy_magics.actions.bot_look"
_MARKET = "deploy_magics.actions.bot_market"

_AT_A_BOT = {
    _BOT: ("connect", "disconnect", "bots", "use"),
    _LOOK: (
        *("ping", "version", "show_config", "status", "count", "profit", "profit_all", "balance"),
        *("historic_balance", "daily", "weekly", "monthly", "performance", "entries", "exits"),
        *("mix_tags", "stats", "trades", "trade", "edge", "whitelist", "locks", "logs", "health"),
        "sysinfo",
    ),
    _STEER: (
        *("start", "stop", "stopentry", "reload_config", "forceexit", "forceenter"),
        *("delete_trade", "cancel_order", "blacklist", "lock", "unlock"),
    ),
    _MARKET: ("candles", "history", "plot_config", "markets", "strategies", "strategy", "pairs"),
}
_OLD_NAMES = {
    "stopbuy": f"{_STEER}:stopentry",
    "pause": f"{_STEER}:stopentry",
    "forcesell": f"{_STEER}:forceexit",
    "forcebuy": f"{_STEER}:forceenter",
}
ACTIONS = {
    **{word: f"{room}:{word}" for room, words in _AT_A_BOT.items() for word in words},
    **_OLD_NAMES,
    "help": f"{__name__}:help",
    "backtest": "deploy_magics.actions.bot_backtest:backtest",
    "watch": "deploy_magics.widgets.bot:watch",
}
COMMANDS = [Group("bot", ACTIONS)]


def help() -> Text:
    """Every command of %bot."""
    return Text(COMMANDS[0].help())
