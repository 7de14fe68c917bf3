"""Asking before something that cannot be taken back."""

from __future__ import annotations

from ..display import confirm as ask
from ..display import secret as ask_secret
from ..errors import RunCancelledError


def confirm(question: str, *, yes: bool, option: str = "--yes") -> None:
    """Go on only when the user says yes, or said so beforehand.

    Raises:
        RunCancelledError: the answer was no.
        InteractionError: nobody is here to answer; the hint names ``option``.
    """
    if yes:
        return
    if not ask(question, f"Say {option} to do it without being asked."):
        raise RunCancelledError("Nothing was done.")


def secret(prompt: str, *, option: str) -> str:
    """Text that is not shown; InteractionError names ``option`` where nobody is here."""
    return ask_secret(prompt, option)
