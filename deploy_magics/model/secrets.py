"""Warns of literals that look like credentials. The detector is Yelp's detect-secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

_PLUGINS: list[dict[str, Any]] = [
    {"name": name}
    for name in (
        "AWSKeyDetector",
        "AzureStorageKeyDetector",
        "BasicAuthDetector",
        "DiscordBotTokenDetector",
        "GitHubTokenDetector",
        "JwtTokenDetector",
        "KeywordDetector",
        "PrivateKeyDetector",
        "SlackDetector",
        "StripeDetector",
        "TelegramBotTokenDetector",
        "TwilioKeyDetector",
    )
]
_TEXTS = {".py", ".json", ".txt", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".env", ".ipynb"}
_LARGEST = 1 << 20


def warnings(
    files: Mapping[str, bytes | Path],
    origins: Mapping[str, Sequence[tuple[str, int] | None]] | None = None,
) -> list[str]:
    """One line for each line of a text file that looks as if it held a credential, without it."""
    from detect_secrets.settings import transient_settings  # slow to import

    found: list[str] = []
    with transient_settings({"plugins_used": _PLUGINS}):
        for name, contents in files.items():
            for line, kind in _scan(name, contents):
                lines = (origins or {}).get(name) or ()
                origin = lines[line - 1] if line <= len(lines) else None
                where = f"{origin[0]}, line {origin[1]}" if origin else f"{name}, line {line}"
                found.append(f"{where} looks as if it held a credential ({kind}).")
    return found


def _scan(name: str, contents: bytes | Path) -> list[tuple[int, str]]:
    if Path(name).suffix.lower() not in _TEXTS:
        return []
    if isinstance(contents, Path):
        if contents.stat().st_size > _LARGEST:
            return []
        contents = contents.read_bytes()
    text = contents[:_LARGEST].decode("utf-8", "replace")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        kind = _kind(line) if len(line) < 2_000 else None
        if kind:
            found.append((number, kind))
    return found


@lru_cache(maxsize=10_000)  # most lines are those of the last run
def _kind(line: str) -> str | None:
    """What sort of credential a line seems to hold; with our plugins set."""
    from detect_secrets.core.scan import scan_line

    return min((secret.type for secret in scan_line(line)), default=None)
