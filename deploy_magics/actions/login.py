"""Signing in and out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from .. import credentials
from ..display import Note, can_answer, escape, secret
from ..errors import InteractionError, NotSignedInError, PlatformError, UsageError
from ..platforms.blankly import DEFAULT_URL, BlanklyClient
from ..platforms.session import check_url
from . import embedded, names
from .kinds import Reads
from .session import EMBEDDED, Place, choose, chosen, forget_choice
from .signin import by_browser

Platform = Literal["blankly", "ubiops"]


@dataclass(frozen=True, repr=False)
class SignedIn:
    """Who is signed in where."""

    platform: str
    server: str
    name: str
    where: str

    def __repr__(self) -> str:
        return f"Signed in to {self._place} as {self.name}. {self._kept}"

    def _repr_html_(self) -> str:
        return f"<div>Signed in to <b>{escape(self._place)}</b> as {escape(self.name)}.</div>"

    @property
    def _place(self) -> str:
        return f"{self.server} ({self.platform})" if self.platform != "blankly" else self.server

    @property
    def _kept(self) -> str:
        return {
            "keyring": "The token is in the keyring.",
            "file": f"The token is in {credentials.home()}, readable by you alone.",
            "embedded": "It runs on this machine, for you alone.",
        }.get(self.where, "")


def login(
    server: str | None = None,
    *,
    platform: Platform | None = None,
    token_env: str | None = None,
    paste: bool = False,
    token: Annotated[str | None, Reads("hidden")] = None,
) -> SignedIn:
    """Sign in to a deployment server; with nothing named, to the one on this machine.

    The token comes from the browser, or is asked for and not shown where there is no browser. It
    is checked before it is kept: in the keyring, or in a file that only you can read.

    Args:
        server: the server's address; left out, the platform's own, and with no platform named
            either the server on this machine, started if need be.
        platform: whose API it speaks, blankly unless said.
        token_env: name of the environment variable that holds the token.
        paste: ask for the token in place of opening the browser.
        token: the token itself, for programs.

    Raises:
        NotSignedInError: the token is refused.
        InteractionError: a token was needed and nobody is there; the hint names the option.
    """
    if server == EMBEDDED or not (server or platform or token_env or token or paste):
        found = embedded.ensure_running()
        choose(Place("blankly", EMBEDDED))
        names.forget()
        return SignedIn("blankly", found.url, "owner", "embedded")
    platform = platform or "blankly"
    address = check_url(server or _default_server(platform))
    value = token or _token_from(token_env) or _token_by_asking(address, platform, paste)
    name = _CHECKS[platform](address, value)
    kept = credentials.save(platform, address, name, value)
    if platform == "blankly":
        choose(Place("blankly", address))
    names.forget()
    return SignedIn(platform, address, name, kept.where)


def logout(
    server: str | None = None, *, platform: Platform = "blankly", stop: bool = False
) -> Note:
    """Sign out: the token is revoked on its server and forgotten here.

    Args:
        server: the server's address; left out, the one you are signed in to.
        platform: whose API it speaks.
        stop: end the server on this machine too, and every run on it.
    """
    names.forget()
    if server is None:
        server = _current_server(platform)
    if server == EMBEDDED:
        forget_choice()
        if stop and embedded.stop():
            return Note("The server on this machine has ended, and what ran on it.")
        return Note("Signed out; the server on this machine goes on, and --stop ends it.")
    address = check_url(server)
    kept = credentials.load(platform, address)
    if kept is None:
        raise NotSignedInError(f"Nobody is signed in to {address}.")
    revoked = platform != "blankly" or _revoke(kept)
    credentials.forget(platform, address)
    forget_choice()
    if revoked:
        return Note(f"Signed out of {address}.")
    return Note(f"The token for {address} is forgotten here; the server could not be told.")


def accounts() -> list[SignedIn]:
    """Every server that a token is kept for, the one on this machine first."""
    found = [SignedIn(*entry, "file") for entry in credentials.known()]
    here = embedded.running()
    if here is not None:
        found.insert(0, SignedIn("blankly", here.url, "owner", "embedded"))
    return found


def _default_server(platform: str) -> str:
    if platform == "ubiops":
        from ..platforms.ubiops import DEFAULT_SERVER

        return str(DEFAULT_SERVER)
    return DEFAULT_URL


def _token_from(variable: str | None) -> str:
    if variable is None:
        return ""
    value = os.environ.get(variable, "").strip()
    if not value:
        raise UsageError(
            f"The environment variable {variable} is not set.",
            "Set it where the kernel is started, or leave --token-env out.",
        )
    return value


def _token_by_asking(address: str, platform: str, paste: bool) -> str:
    """A token from the browser, else from a prompt that hides it."""
    option = "Give it in an environment variable and name that with --token-env."
    if not can_answer():
        raise InteractionError(f"A token for {address} is needed and nobody is here.", option)
    if platform == "blankly" and not paste and _has_browser():
        client = BlanklyClient(address)
        try:
            if client.health():
                return by_browser(client)
        finally:
            client.close()
    return secret(f"Token for {address}", option)


def _has_browser() -> bool:
    """Whether a browser opened from here would be the user's own.

    Not on a hub or over ssh: the browser is on another machine there.
    """
    if any(name in os.environ for name in ("JUPYTERHUB_USER", "SSH_CONNECTION", "COLAB_GPU")):
        return False
    import webbrowser

    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _check_blankly(address: str, token: str) -> str:
    client = BlanklyClient(address, token)
    try:
        who = client.check()
    finally:
        client.close()
    return who.name or who.user_id


def _check_ubiops(address: str, token: str) -> str:
    from ..platforms.ubiops import UbiopsClient

    user: Any = UbiopsClient(address, token).user()
    return str(getattr(user, "email", "") or user)


_CHECKS: dict[str, Callable[[str, str], str]] = {
    "blankly": _check_blankly,
    "ubiops": _check_ubiops,
}


def _current_server(platform: str) -> str:
    if platform == "blankly":
        return chosen().server
    kept = [entry for entry in credentials.known() if entry[0] == platform]
    if not kept:
        raise NotSignedInError(f"Nobody is signed in to {platform}.")
    return kept[-1][1]


def _revoke(kept: credentials.Credential) -> bool:
    client = BlanklyClient(kept.server, kept.token, patience=2)
    try:
        client.sign_out()
    except PlatformError:
        return False
    finally:
        client.close()
    return True
