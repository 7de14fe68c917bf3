"""Names of a package's entries: which are accepted, and what they mean on every file system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from deploy_magics.errors import ArchiveError
from deploy_magics.model.zipformat import Entry, Limits

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def normalise(
    entries: Sequence[Entry], roots: Sequence[str] | None, limits: Limits
) -> dict[str, Entry]:
    """The files by their path below the root; ArchiveError for a name not plain, or doubled.

    Args:
        entries: as the structure tells them, folders included.
        roots: see ``Archive``.
    """
    named = [(check_name(entry.name, limits), entry) for entry in entries]
    root = _root([name for name, _ in named], roots)
    below = [(name[len(root) :], entry) for name, entry in named if name != root]
    check_distinct([name for name, _ in below])
    return {name: entry for name, entry in below if not name.endswith("/")}


def check_name(name: str, limits: Limits) -> str:
    """The name without one leading slash; ArchiveError when it could lead elsewhere."""
    path = name[1:] if name.startswith("/") else name
    parts = path.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ArchiveError(f"{name[:80]!r} in the package is not a plain path.")
    if "\\" in path or _DRIVE.match(path) or _CONTROL.search(path):
        raise ArchiveError(f"{name[:80]!r} in the package is not a plain path.")
    if len(parts) > limits.depth:
        raise ArchiveError(f"{name[:80]!r} in the package lies deeper than {limits.depth} folders.")
    sizes = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
    if max(sizes) > limits.name or sum(sizes) + len(sizes) > limits.path:
        raise ArchiveError(f"{name[:80]!r} in the package is too long.")
    return path


def check_distinct(names: Sequence[str]) -> None:
    """ArchiveError when two names could be one, or a file a folder, on some file system."""
    seen: dict[str, str] = {}
    files: set[str] = set()
    for name in names:
        key = fold(name.removesuffix("/"))
        if key in seen:
            raise ArchiveError(f"{name[:80]!r} is in the package twice (as {seen[key][:80]!r}).")
        seen[key] = name
        if not name.endswith("/"):
            files.add(key)
    for key, name in seen.items():
        parts = key.split("/")
        if any("/".join(parts[:depth]) in files for depth in range(1, len(parts))):
            raise ArchiveError(f"{name[:80]!r} lies in something that is a file in the package.")


def fold(name: str) -> str:
    """Equal for names that a case-blind or normalising file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _root(names: list[str], roots: Sequence[str] | None) -> str:
    """What every name starts with, with its slash; empty when the files lie at the top."""
    if not names:
        raise ArchiveError("The package is empty.")
    tops = {name.partition("/")[0] for name in names}
    foldered = all("/" in name for name in names)
    if roots is None:
        return f"{tops.pop()}/" if len(tops) == 1 and foldered else ""
    for root in roots:
        if not root:
            return ""
        if tops == {root} and foldered:
            return f"{root}/"
    wanted = " or ".join(f"{root}/" for root in roots)
    raise ArchiveError(f"Everything in the package must lie in one folder {wanted}.")
