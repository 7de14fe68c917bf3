"""Tokens at rest: in the system's keyring, or in a file that only its owner can read.

A token is kept with the platform and the server that it was made for, and is handed out for
that server alone. What is kept where is listed in ``credentials.json`` (0600, in the user's
state folder or ``$DEPLOY_MAGICS_HOME``); the token itself is in it only where the machine has
no keyring.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import CredentialsError

SERVICE = "deploy_magics"


@dataclass(frozen=True)
class Credential:
    """One token; its repr never shows it."""

    platform: str
    server: str
    name: str
    token: str = field(repr=False)
    where: str = "file"


def save(platform: str, server: str, name: str, token: str) -> Credential:
    """Keep a token, in place of an older one for the same platform and server.

    Raises:
        CredentialsError: it cannot be written, or the file could be read by others.
    """
    server = origin(server)
    where = "keyring" if _keyring_set(_key(platform, server, name), token) else "file"
    entry = {"platform": platform, "server": server, "name": name, "where": where}
    if where == "file":
        entry["token"] = token
    entries = [known for known in _read() if not _same(known, platform, server)]
    _write([*entries, entry])
    return Credential(platform, server, name, token, where)


def load(platform: str, server: str, name: str | None = None) -> Credential | None:
    """The token kept for this platform and server, None where there is none."""
    server = origin(server)
    for entry in reversed(_read()):
        if _same(entry, platform, server) and name in (None, entry["name"]):
            token = entry.get("token") or _keyring_get(_key(platform, server, entry["name"]))
            if token:
                return Credential(platform, server, entry["name"], token, entry["where"])
    return None


def forget(platform: str, server: str) -> bool:
    """Remove what is kept for this platform and server; False where nothing was."""
    server = origin(server)
    entries = _read()
    gone = [entry for entry in entries if _same(entry, platform, server)]
    for entry in gone:
        if entry["where"] == "keyring":
            _keyring_delete(_key(platform, server, entry["name"]))
    if gone:
        _write([entry for entry in entries if entry not in gone])
    return bool(gone)


def known() -> list[tuple[str, str, str]]:
    """(platform, server, name) of every token that is kept, the newest last."""
    return [(entry["platform"], entry["server"], entry["name"]) for entry in _read()]


def home() -> Path:
    """The user's folder for what this package remembers, made with mode 0700."""
    named = os.environ.get("DEPLOY_MAGICS_HOME")
    if named:
        folder = Path(named).expanduser()
    else:
        from platformdirs import user_state_dir

        folder = Path(user_state_dir(SERVICE, appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CredentialsError(
            f"The folder {folder} cannot be made ({error.strerror}).",
            "Set DEPLOY_MAGICS_HOME to a folder of yours.",
        ) from None
    return folder


def write_private(path: Path, text: str) -> None:
    """Write a file that is 0600 from its first byte, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise CredentialsError(f"{path} cannot be written ({error.strerror}).") from None


def origin(server: str) -> str:
    """A server's address in the one form under which tokens are kept."""
    parts = urlsplit(server.strip().rstrip("/"))
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port and parts.port != _usual_port(parts.scheme) else ""
    return f"{parts.scheme.lower()}://{host}{port}{parts.path}"


def _usual_port(scheme: str) -> int | None:
    return {"http": 80, "https": 443}.get(scheme.lower())


def _file() -> Path:
    return home() / "credentials.json"


def _read() -> list[dict[str, Any]]:
    path = _file()
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read ({error.strerror}).") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialsError(
            f"{path} can be read by others.", f"Say `chmod 600 {path}`, and renew its tokens."
        )
    try:
        entries = json.loads(text)["credentials"]
        return [entry for entry in entries if {"platform", "server", "name", "where"} <= set(entry)]
    except (ValueError, KeyError, TypeError):
        raise CredentialsError(
            f"{path} is damaged.", "Move it away and sign in again with %deploy_login."
        ) from None


def _write(entries: list[dict[str, Any]]) -> None:
    write_private(_file(), json.dumps({"credentials": entries}, indent=1))


def _same(entry: dict[str, Any], platform: str, server: str) -> bool:
    return bool(entry["platform"] == platform and entry["server"] == server)


def _key(platform: str, server: str, name: str) -> str:
    return f"{platform} {server} {name}"


@contextlib.contextmanager
def _keyring() -> Iterator[Any]:
    """The keyring module where it can be used, None where it cannot; its failures are swallowed."""
    try:
        import keyring
        from keyring.backends import fail

        usable = not isinstance(keyring.get_keyring(), fail.Keyring)
    except Exception:  # a broken backend may raise anything
        usable = False
    yield keyring if usable else None


def _keyring_set(key: str, token: str) -> bool:
    with _keyring() as keyring:
        if keyring is None:
            return False
        try:
            keyring.set_password(SERVICE, key, token)
            return bool(keyring.get_password(SERVICE, key) == token)
        except Exception:  # locked, refused, or no bus: the file then
            return False


def _keyring_get(key: str) -> str | None:
    with _keyring() as keyring:
        try:
            found = keyring.get_password(SERVICE, key) if keyring else None
        except Exception:
            found = None
    return str(found) if found else None


def _keyring_delete(key: str) -> None:
    with _keyring() as keyring:
        if keyring is not None:
            with contextlib.suppress(Exception):
                keyring.delete_password(SERVICE, key)
