"""Reading a run folder while it grows: events, logs, the last words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class EventReader:
    """The events of a run from ``offset`` (bytes) on; half a line is left for the next time."""

    def __init__(self, folder: Path, offset: int = 0) -> None:
        self.path = folder / "events.jsonl"
        self.offset = offset

    def read(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


def read_log(folder: Path, offset: int = 0, most: int = 1 << 20) -> tuple[str, int]:
    """What the model printed from ``offset`` (bytes of all that was printed) on, and the next one.

    Where the log has rotated beyond the offset, it begins with the oldest that is kept.
    """
    base = _number(folder / "output.base")
    current = folder / "output.log"
    older = folder / "output.log.1"
    pieces = []
    if base and older.exists():
        pieces.append((base - older.stat().st_size, older))
    pieces.append((base, current))
    for start, path in pieces:
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        if offset < start:
            offset = start
        if offset < start + size:
            with path.open("rb") as file:
                file.seek(offset - start)
                data = _whole(file.read(most))
            return data.decode("utf-8", "replace"), offset + len(data)
    return "", offset


def _whole(data: bytes) -> bytes:
    """Without the beginning of a character at its end, unless there is nothing else."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4
        if byte >> 6 == 0b11 and back < length and back < len(data):
            return data[:-back]
        return data
    return data


def _number(path: Path) -> int:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0
