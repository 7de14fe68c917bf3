"""What Tab offers after ``%bot``."""

from __future__ import annotations

from .bot import addresses, client


def names_of(what: str) -> list[str]:
    """Names of ``bot``, ``bot-trade``, ``bot-pair`` or ``bot-strategy``; never waits for a bot."""
    if what == "bot":
        return list(addresses())
    connected = client(patience=0)
    if what == "bot-pair":
        return connected.whitelist()
    if what == "bot-trade":
        return [*(str(row["trade_id"]) for row in connected.status()), "all"]
    if what == "bot-strategy":
        return [str(connected.show_config()["strategy"])]
    return []
