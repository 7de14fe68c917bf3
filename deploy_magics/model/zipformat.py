"""The bytes of a zip, both ways: a strict reader of its structure and a writer without choices.

Source of the format: APPNOTE.TXT 6.3.10 of PKWARE. Read is what ordinary packers write (stored or
deflated, data descriptors, zip64); all else is refused, because two readers could take it for two
different things.
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO

from deploy_magics.errors import ArchiveError

LOCAL, CENTRAL, END, END64, LOCATOR = (
    b"PK" + code for code in (b"\3\4", b"\1\2", b"\5\6", b"\6\6", b"\6\7")
)
_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_CENTRAL = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_END = struct.Struct("<4sHHHHLLH")
_END64 = struct.Struct("<4sQHHLLQQQQ")
_LOCATOR = struct.Struct("<4sLQL")
_U16, _U32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800
_KNOWN_FLAGS = 0x6 | _DESCRIPTOR | _UTF8  # 0x6: the packer's effort, of no meaning to a reader


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most; sizes in bytes. The one place where they are written."""

    entries: int = 5_000
    total: int = 8 << 30
    ratio: int = 200
    ratio_from: int = 16 << 20  # below this declared size the ratio is not looked at
    name: int = 255
    path: int = 1_024
    depth: int = 32


@dataclass(frozen=True)
class Entry:
    """One file or folder (``name`` ends with a slash) as the archive tells it."""

    name: str
    method: int
    crc: int
    packed_size: int
    size: int
    data_offset: int


@dataclass
class _Header:
    """What a central header says; the local one must say the same."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    attributes: int


def read_entries(stream: BinaryIO, limits: Limits) -> list[Entry]:
    """All entries, in the order of their data; ArchiveError for any structure that is not plain."""
    length = stream.seek(0, os.SEEK_END)
    count, start, size = _read_end(stream, length)
    if count > limits.entries:
        raise ArchiveError(f"The package has {count} entries, more than {limits.entries}.")
    if size < count * _CENTRAL.size:
        raise _damaged()
    headers = _read_central(_read(stream, start, size), count)
    _check_sizes(headers, length, limits)
    entries, position = [], 0
    for header in sorted(headers, key=lambda header: header.offset):
        if header.offset != position:
            raise ArchiveError("The package's entries overlap or leave gaps; it may be two in one.")
        entry, position = _read_local(stream, header, start)
        entries.append(entry)
    if position != start:
        raise ArchiveError("The package holds data that is in none of its entries.")
    return entries


def _read_end(stream: BinaryIO, length: int) -> tuple[int, int, int]:
    """Number of entries, offset and size of the central directory."""
    if length < _END.size:
        raise ArchiveError("The package is no zip file, or it was cut off.")
    tail = length - _END.size
    magic, disk, first, here, count, size, start, comment = _END.unpack(
        _read(stream, tail, _END.size)
    )
    if magic != END or comment:
        raise ArchiveError("The package is no zip file, was cut off, or something follows its end.")
    if disk or first or here != count:
        raise ArchiveError("The package is one part of several.")
    if _U16 in (count,) or _U32 in (size, start):
        tail, count, size, start = _read_end64(stream, tail)
    if start + size != tail:
        raise ArchiveError("Something stands before the package's beginning or after its entries.")
    return count, start, size


def _read_end64(stream: BinaryIO, tail: int) -> tuple[int, int, int, int]:
    place = tail - _LOCATOR.size - _END64.size
    if place < 0:
        raise _damaged()
    magic, disk, offset, disks = _LOCATOR.unpack(_read(stream, tail - _LOCATOR.size, _LOCATOR.size))
    if magic != LOCATOR or disk or disks != 1 or offset != place:
        raise _damaged()
    fields = _END64.unpack(_read(stream, place, _END64.size))
    if fields[0] != END64 or fields[1] != _END64.size - 12 or fields[4] or fields[5]:
        raise _damaged()
    if fields[6] != fields[7]:
        raise ArchiveError("The package is one part of several.")
    return place, fields[7], fields[8], fields[9]


def _read_central(data: bytes, count: int) -> list[_Header]:
    headers, position = [], 0
    for _ in range(count):
        if position + _CENTRAL.size > len(data):
            raise _damaged()
        fields = _CENTRAL.unpack_from(data, position)
        _, _, _, flags, method, _, _, crc, packed, size, names, extras, comments = fields[:13]
        disk, _, attributes, offset = fields[13:]
        position += _CENTRAL.size
        end = position + names + extras + comments
        if fields[0] != CENTRAL or end > len(data) or disk:
            raise _damaged()
        name, extra = data[position : position + names], data[position + names : end - comments]
        size, packed, offset = _widen(extra, size, packed, offset)
        headers.append(_Header(name, flags, method, crc, packed, size, offset, attributes))
        position = end
    if position != len(data):
        raise _damaged()
    return headers


def _check_sizes(headers: list[_Header], length: int, limits: Limits) -> None:
    total = sum(header.size for header in headers)
    if total > limits.total:
        raise ArchiveError(f"The package unpacks to {total:,} bytes, more than {limits.total:,}.")
    if total > limits.ratio_from and total > limits.ratio * length:
        raise ArchiveError("The package unpacks to far more than a package of its size would.")
    for header in headers:
        if header.size > limits.ratio_from and header.size > limits.ratio * max(header.packed, 1):
            raise ArchiveError(f"{_shown(header)} unpacks to far more than its size.")


def _read_local(stream: BinaryIO, header: _Header, limit: int) -> tuple[Entry, int]:
    """The entry whose local header agrees with ``header``, and where its data ends."""
    fields = _LOCAL.unpack(_read(stream, header.offset, _LOCAL.size))
    magic, _, flags, method, _, _, crc, packed, size, names, extras = fields
    rest = _read(stream, header.offset + _LOCAL.size, names + extras)
    if magic != LOCAL or rest[:names] != header.raw_name:
        raise ArchiveError(f"{_shown(header)} is named otherwise where its data is.")
    size, packed, _ = _widen(rest[names:], size, packed, 0)
    described = bool(flags & _DESCRIPTOR)
    told = (crc, packed, size)
    true = (header.crc, header.packed, header.size)
    if (flags, method) != (header.flags, header.method) or (
        told != true and not (described and told == (0, 0, 0))
    ):
        raise ArchiveError(f"{_shown(header)} is described in two ways that do not agree.")
    start = header.offset + _LOCAL.size + names + extras
    end = start + header.packed
    if end > limit:
        raise _damaged()
    if described:
        end = _skip_descriptor(stream, header, end, limit)
    name = _check(header)
    return Entry(name, method, header.crc, header.packed, header.size, start), end


def _skip_descriptor(stream: BinaryIO, header: _Header, end: int, limit: int) -> int:
    data = _read(stream, end, min(24, limit - end))
    for numbers in ("<LLL", "<LQQ"):
        for magic in (b"PK\7\x08", b""):
            try:
                expected = magic + struct.pack(numbers, header.crc, header.packed, header.size)
            except struct.error:
                continue
            if data.startswith(expected):
                return end + len(expected)
    raise ArchiveError(f"{_shown(header)} is described in two ways that do not agree.")


def _check(header: _Header) -> str:
    """The entry's name; ArchiveError unless it is an ordinary file or folder, readable by all."""
    if header.flags & _ENCRYPTED:
        raise ArchiveError(f"{_shown(header)} is encrypted.")
    if header.flags & ~_KNOWN_FLAGS or header.method not in (0, 8):
        raise ArchiveError(f"{_shown(header)} is packed in a way that is not supported.")
    if header.method == 0 and header.packed != header.size:
        raise ArchiveError(f"{_shown(header)} does not have the size it says.")
    kind = stat.S_IFMT(header.attributes >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"{_shown(header)} is a link or a device, not a file.")
    try:
        name = header.raw_name.decode("utf-8" if header.flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise ArchiveError(f"{_shown(header)} has a name that is not UTF-8.") from None
    if name.endswith("/") != (kind == stat.S_IFDIR) and kind:
        raise ArchiveError(f"{name!r} is a file and a folder at once.")
    if name.endswith("/") and header.size:
        raise ArchiveError(f"{name!r} is a folder with contents of its own.")
    return name


def _widen(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The three numbers with those replaced that the zip64 field gives; the field must be whole."""
    values = [size, packed, offset]
    position = 0
    while position < len(extra):
        if position + 4 > len(extra):
            raise _damaged()
        tag, length = struct.unpack_from("<HH", extra, position)
        field = extra[position + 4 : position + 4 + length]
        if len(field) != length or tag == 0x7075:  # 0x7075: a second name for the same entry
            raise _damaged()
        if tag == 1:
            wide = [index for index, value in enumerate(values) if value == _U32]
            if length < 8 * len(wide):
                raise _damaged()
            for place, index in enumerate(wide):
                values[index] = struct.unpack_from("<Q", field, 8 * place)[0]
        position += 4 + length
    return values[0], values[1], values[2]


def _read(stream: BinaryIO, position: int, size: int) -> bytes:
    stream.seek(position)
    data = stream.read(size)
    if len(data) != size:
        raise _damaged()
    return data


def _shown(header: _Header) -> str:
    return repr(header.raw_name[:80].decode("utf-8", "replace"))


def _damaged() -> ArchiveError:
    return ArchiveError("The package is damaged.", "Pack it again.")
