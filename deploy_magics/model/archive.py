"""The zip: written byte for byte the same everywhere, opened as if a stranger had sent it.

Written: entries sorted by name, one fixed date and mode, nothing compressed (two builds of zlib
give two different streams), so that the same files give the same bytes on every platform.

Opened: the structure is read here and not by ``zipfile``, which is lenient: local headers, data and
central directory must lie one after the other without gap or overlap, agree with each other, and
fill the file from its first byte to its last. Nothing is written before every name was checked.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from deploy_magics.errors import ArchiveError
from deploy_magics.model.zipformat import Entry, Limits, read_entries
from deploy_magics.model.zipnames import check_distinct, check_name, normalise
from deploy_magics.model.zipwriter import CHUNK, stream_zip

__all__ = ["LIMITS", "Archive", "Limits", "digest_of", "write_zip"]

LIMITS = Limits()


class Archive:
    """A zip whose structure and names have been checked; its names are relative to its root.

    Args:
        source: a path, or the bytes themselves.
        roots: the folder that holds everything, one of these; ``""`` is no folder, and None takes
            one folder of any name or none at all. ``/model/x`` counts as ``model/x``.
        sha256: hex digest that the whole must have.

    Raises:
        ArchiveError: naming the entry that is wrong.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        roots: Sequence[str] | None = ("model",),
        *,
        limits: Limits = LIMITS,
        sha256: str | None = None,
    ) -> None:
        self._source = source if isinstance(source, bytes) else Path(source)
        self._limits = limits
        with self._stream() as stream:
            if sha256 is not None and digest_of(stream) != sha256.strip().lower():
                raise ArchiveError("The package does not have the SHA-256 that was declared.")
            entries = read_entries(stream, limits)
        self._entries = normalise(entries, roots, limits)

    @property
    def names(self) -> tuple[str, ...]:
        """The files, sorted; folders have no entry of their own here."""
        return tuple(sorted(self._entries))

    def size(self, name: str) -> int:
        """Bytes of the file once extracted."""
        return self._entry(name).size

    def open(self, name: str) -> BinaryIO:
        """The file's contents as a stream, counted and checked while it is read."""
        return io.BufferedReader(_Member(self._stream(), self._entry(name)), CHUNK)

    def read(self, name: str) -> bytes:
        """The file's contents in memory: for small ones."""
        with self.open(name) as stream:
            return stream.read()

    def extract(self, folder: str | os.PathLike[str]) -> Path:
        """All files into ``folder``, which must not exist or be empty; whole or not at all."""
        target = Path(folder)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ArchiveError(f"{target} is not empty.", "Name another folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".extract-", dir=target.parent))
        try:
            for name in self.names:
                self._extract_one(name, part.joinpath(*name.split("/")))
            part.chmod(0o755)
            if target.exists():
                target.rmdir()
            part.replace(target)
        except OSError as error:
            raise ArchiveError(f"The package cannot be extracted: {error.strerror}.") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return target

    def _extract_one(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.open(name) as stream, target.open("xb") as out:
            shutil.copyfileobj(stream, out, CHUNK)
        target.chmod(0o644)

    def _entry(self, name: str) -> Entry:
        try:
            return self._entries[name]
        except KeyError:
            raise ArchiveError(f"The package has no file {name!r}.") from None

    def _stream(self) -> BinaryIO:
        if isinstance(self._source, bytes):
            return io.BytesIO(self._source)
        try:
            return self._source.open("rb")
        except OSError as error:
            raise ArchiveError(f"{self._source} cannot be read: {error.strerror}.") from error


class _Member(io.RawIOBase):
    """One entry's contents; never more bytes than declared, and the checksum must be right."""

    def __init__(self, stream: BinaryIO, entry: Entry) -> None:
        self._stream = stream
        self._entry = entry
        self._packed = entry.packed_size
        self._done = 0
        self._crc = 0
        self._inflate = zlib.decompressobj(-15) if entry.method == 8 else None
        stream.seek(entry.data_offset)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        if not data:
            self._check_end()
        self._done += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if self._done > self._entry.size:
            raise self._damaged("is longer than it says")
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _next(self, size: int) -> bytes:
        if self._inflate is None:
            return self._raw(size)
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._raw(64 << 10)
            try:
                data = self._inflate.decompress(packed, size)
            except zlib.error as error:
                raise self._damaged("is damaged") from error
            if data:
                return data
            if not packed:
                raise self._damaged("ends too early")
        return b""

    def _raw(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._packed))
        self._packed -= len(data)
        return data

    def _check_end(self) -> None:
        extra = self._inflate is not None and self._inflate.unused_data
        if self._packed or extra or self._done != self._entry.size:
            raise self._damaged("does not have the size it says")
        if self._crc != self._entry.crc:
            raise self._damaged("is damaged (checksum)")

    def _damaged(self, what: str) -> ArchiveError:
        return ArchiveError(f"{self._entry.name!r} in the package {what}.")


def digest_of(stream: BinaryIO) -> str:
    """SHA-256 of the whole stream, in hex."""
    stream.seek(0)
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def write_zip(
    target: str | os.PathLike[str] | BinaryIO, entries: Mapping[str, bytes | Path]
) -> None:
    """The same bytes for the same entries on every platform; a path is written whole or not at all.

    Args:
        target: a path, or a stream to write to.
        entries: the full name in the zip (``model/bot.py``) to its contents or its path.
    """
    check_distinct([check_name(name, LIMITS) for name in entries])
    if not isinstance(target, (str, os.PathLike)):
        for chunk in stream_zip(entries):
            target.write(chunk)
        return
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".zip-", delete=False) as part:
        try:
            for chunk in stream_zip(entries):
                part.write(chunk)
            part.flush()
            os.fsync(part.fileno())
            part.close()
            Path(part.name).replace(path)
        except BaseException:
            part.close()
            Path(part.name).unlink(missing_ok=True)
            raise
