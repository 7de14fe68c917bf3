"""Questions to whoever sits there; where nobody does, an error that names the option."""

from __future__ import annotations

import getpass
import sys

from ..errors import InteractionError
from .surface import shell


def can_answer() -> bool:
    """Whether somebody can answer: a front end that takes input, or a terminal."""
    kernel = getattr(shell(), "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", True))
    try:
        return bool(sys.stdin and sys.stdin.isatty())
    except ValueError:
        return False


def confirm(question: str, option: str) -> bool:
    """A yes or no.

    Raises:
        InteractionError: nobody is there; ``option`` is what to give instead.
    """
    said = _asked(question, option, input, f"{question} [y/N] ")
    return said.strip().lower() in ("y", "yes")


def secret(question: str, option: str) -> str:
    """Text that is not shown while it is typed.

    Raises:
        InteractionError: nobody is there, or nothing was typed; ``option`` is what to give.
    """
    said = _asked(question, option, getpass.getpass, f"{question}: ").strip()
    if not said:
        raise InteractionError(f"{question}: nothing was typed.", option)
    return said


def _asked(question: str, option: str, ask, prompt: str) -> str:  # type: ignore[no-untyped-def]
    nobody = InteractionError(f"{question.rstrip('.')} – nobody is here to answer.", option)
    if not can_answer():
        raise nobody
    try:
        return str(ask(prompt))
    except (EOFError, NotImplementedError):  # a front end without input says so only now
        raise nobody from None
    except Exception as error:
        if type(error).__name__ == "StdinNotImplementedError":
            raise nobody from None
        raise
