"""Writes a zip without any choice left to chance: the same files give the same bytes everywhere.

Entries are sorted by name, dated 1980, of mode 0644, and stored as they are: two builds of zlib
would deflate the same bytes to two different streams.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy_magics.errors import ArchiveError

CHUNK = 1 << 20
_DATE = 0x21  # 1 January 1980, the first day that the format knows
_MODE = 0o100644 << 16
_UTF8 = 0x800
_U16, _U32 = 0xFFFF, 0xFFFFFFFF


def stream_zip(entries: Mapping[str, bytes | Path]) -> Iterator[bytes]:
    """The zip's bytes, in constant memory; each file is read twice, first for its checksum.

    Args:
        entries: the full name in the zip (``model/bot.py``) to its contents or its path.

    Raises:
        ArchiveError: a file cannot be read, or it changed in between.
    """
    central: list[bytes] = []
    offset = 0
    for name in sorted(entries, key=lambda name: name.encode("utf-8", "surrogatepass")):
        crc, size = _measure(name, entries[name])
        header = _header(name, crc, size)
        yield header
        check, left = 0, size
        for chunk in _chunks(name, entries[name]):
            check, left = zlib.crc32(chunk, check), left - len(chunk)
            yield chunk
        if left or check != crc:
            raise ArchiveError(f"{name} changed while it was packed.", "Try again.")
        central.append(_central(name, crc, size, offset))
        offset += len(header) + size
    directory = b"".join(central)
    yield directory
    yield _end(len(central), len(directory), offset)


def digest_zip(entries: Mapping[str, bytes | Path]) -> str:
    """SHA-256, in hex, of what ``stream_zip`` writes, without writing it anywhere."""
    digest = hashlib.sha256()
    for chunk in stream_zip(entries):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(name: str, contents: bytes | Path) -> Iterator[bytes]:
    if isinstance(contents, bytes):
        yield contents
        return
    try:
        with contents.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except OSError as error:
        raise ArchiveError(f"{name} cannot be read: {error.strerror}.") from error


def _measure(name: str, contents: bytes | Path) -> tuple[int, int]:
    crc = size = 0
    for chunk in _chunks(name, contents):
        crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    return crc, size


def _encode(name: str) -> tuple[bytes, int]:
    try:
        raw = name.encode("utf-8")
    except UnicodeEncodeError:
        raise ArchiveError(f"{name!r} is not a name that a package can hold.") from None
    return raw, 0 if name.isascii() else _UTF8


def _header(name: str, crc: int, size: int) -> bytes:
    raw, flags = _encode(name)
    wide = size >= _U32
    extra = struct.pack("<HHQQ", 1, 16, size, size) if wide else b""
    told = _U32 if wide else size
    version = 45 if wide else 20
    fields = (b"PK\3\4", version, flags, 0, 0, _DATE, crc, told, told, len(raw), len(extra))
    return struct.pack("<4sHHHHHLLLHH", *fields) + raw + extra


def _central(name: str, crc: int, size: int, offset: int) -> bytes:
    raw, flags = _encode(name)
    wide = [value for value in (size, size, offset) if value >= _U32]
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    told, place = min(size, _U32), min(offset, _U32)
    version = 45 if wide else 20
    made_by = 3 << 8 | version  # 3: the mode below is a Unix mode
    fields = (b"PK\1\2", made_by, version, flags, 0, 0, _DATE, crc, told, told)
    rest = (len(raw), len(extra), 0, 0, 0, _MODE, place)
    return struct.pack("<4sHHHHHHLLLHHHHHLL", *fields, *rest) + raw + extra


def _end(count: int, size: int, offset: int) -> bytes:
    wide = b""
    if count >= _U16 or size >= _U32 or offset >= _U32:
        place = offset + size
        wide = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
        wide += struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)
    told = min(count, _U16), min(count, _U16), min(size, _U32), min(offset, _U32)
    return wide + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, *told, 0)
