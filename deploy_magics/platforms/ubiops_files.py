"""A file from UbiOps that stays in its folder."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path


def file_name(disposition: str, otherwise: str) -> str:
    """A name for a download that cannot leave its folder, hide or be an option."""
    found = re.search(r"filename=\"?([^\";]+)", disposition)
    name = re.split(r"[\\/]", found.group(1).strip() if found else otherwise)[-1]
    name = re.sub(r"[^A-Za-z0-9._ -]", "_", name).strip(". -")[:200]
    return name or "deployment.zip"


def save_stream(blocks: Iterable[bytes], folder: Path, name: str) -> Path:
    """Write ``blocks`` to a new file in ``folder``: whole or not at all, nothing overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".download-")
    try:
        with os.fdopen(handle, "wb") as file:
            for block in blocks:
                file.write(block)
        stem, suffix = Path(name).stem, Path(name).suffix
        target, count = folder / name, 1
        while True:
            try:
                os.link(temporary, target)
                return target
            except FileExistsError:
                target, count = folder / f"{stem}-{count}{suffix}", count + 1
    finally:
        Path(temporary).unlink(missing_ok=True)
