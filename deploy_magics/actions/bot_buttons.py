"""What the buttons beside a bot do: nothing else that a front end sends is obeyed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import DeployMagicsError, UsageError
from ..platforms.freqtrade import FreqtradeClient

BUTTONS: dict[str, Callable[[FreqtradeClient, Any], str]] = {
    "start": lambda bot, _: bot.start(),
    "stop": lambda bot, _: bot.stop(),
    "stopentry": lambda bot, _: bot.stopentry(),
    "reload": lambda bot, _: bot.reload_config(),
    "exit": lambda bot, trade: bot.forceexit(_trade(trade)),
}


def press(bot: FreqtradeClient, button: str, trade: Any = None) -> str:
    """Do what a button says; what the bot says to it, or why it could not be done."""
    try:
        return BUTTONS[button](bot, trade)
    except DeployMagicsError as error:
        return str(error)


def _trade(number: Any) -> int:
    """A trade's number, as a front end sent it: never ``all``."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise UsageError(f"{number!r} is no trade.")
    return number
