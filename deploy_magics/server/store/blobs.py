"""Bytes by content: each blob is named by its SHA-256 and appears whole or not at all.

In a folder: written to a temporary file beside it, fsync, rename, fsync of the folder (a power
cut after rename alone leaves nothing under the final name). Other fsspec addresses are written
from a local temporary file, which object stores make visible as a whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

import fsspec

from deploy_magics.errors import NotFoundError, ServiceError
from deploy_magics.executor.files import is_full

CHUNK = 1 << 20
_NAME = re.compile(r"[0-9a-f]{64}")


class Blob(NamedTuple):
    sha256: str
    size: int


class Stage:
    """Bytes on their way in. Nothing is stored before ``commit``; leaving discards the rest."""

    def __init__(self, store: BlobStore, *, limit: int | None = None) -> None:
        self._store = store
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0
        handle, name = tempfile.mkstemp(prefix="in-", dir=store.staging)
        self.path = Path(name)
        self._file: IO[bytes] = os.fdopen(handle, "wb")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises ServiceError 413 above the limit, 507 when the disk is full."""
        self.size += len(data)
        if self._limit is not None and self.size > self._limit:
            self.discard()
            raise ServiceError(
                f"The upload is larger than {self._limit // (1 << 20)} MiB.", status=413
            )
        try:
            self._file.write(data)
        except OSError as error:
            self.discard()
            raise _disk_error(error) from error
        self._hash.update(data)

    def seal(self) -> Path:
        """Everything is on the disk, under its temporary name: it may be inspected now."""
        if not self._file.closed:
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                self.discard()
                raise _disk_error(error) from error
            self._file.close()
        return self.path

    def commit(self) -> Blob:
        self.seal()
        blob = Blob(self.sha256, self.size)
        self._store._take(self.path, blob.sha256)
        return blob

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


class BlobStore:
    """``url``: a folder, or any fsspec address. ``staging``: a local folder for what comes in."""

    def __init__(self, url: str | Path, staging: Path) -> None:
        self.url = str(url)
        self._fs, self._root = fsspec.core.url_to_fs(self.url)
        self._local = "file" in _protocols(self._fs)
        self.staging = staging
        staging.mkdir(parents=True, exist_ok=True)
        self._fs.makedirs(self._root, exist_ok=True)
        self._cache = staging / "read"

    def stage(self, *, limit: int | None = None) -> Stage:
        return Stage(self, limit=limit)

    def put(self, source: bytes | Path | BinaryIO) -> Blob:
        with self.stage() as stage:
            if isinstance(source, bytes):
                stage.write(source)
            elif isinstance(source, Path):
                with source.open("rb") as file:
                    _pour(file, stage)
            else:
                _pour(source, stage)
            return stage.commit()

    def exists(self, sha256: str) -> bool:
        return bool(self._fs.exists(self._name(sha256)))

    def path(self, sha256: str) -> Path:
        """A local file with these bytes, checked against the name.

        Raises:
            NotFoundError: no such blob.
            ServiceError: the bytes are not what they were; they are set aside.
        """
        if not self.exists(sha256):
            raise NotFoundError("These bytes are not stored here.", status=404)
        if self._local:
            path = Path(self._name(sha256))
        else:
            path = self._fetch(sha256)
        with path.open("rb") as file:
            found = _digest(file)
        if found != sha256:
            path.replace(path.with_name(f"{sha256}.damaged"))
            raise ServiceError("A stored file is damaged and was set aside.", status=500)
        return path

    def is_whole(self, sha256: str) -> bool:
        """Whether the bytes still are what the name says; changes nothing."""
        with self._fs.open(self._name(sha256), "rb") as file:
            return _digest(file) == sha256

    def open(self, sha256: str) -> BinaryIO:
        return self.path(sha256).open("rb")

    def read(self, sha256: str) -> bytes:
        return self.path(sha256).read_bytes()

    def delete(self, sha256: str) -> None:
        if self.exists(sha256):
            self._fs.rm_file(self._name(sha256))

    def names(self) -> Iterator[tuple[str, float]]:
        """Every blob and when it was written, in seconds since the epoch."""
        for info in self._fs.find(self._root, detail=True).values():
            name = str(info["name"]).rsplit("/", 1)[-1]
            if _NAME.fullmatch(name):
                yield name, _written(info)

    def sweep(self, wanted: Iterable[str], *, older_than: float = 600.0) -> int:
        """Remove what nothing refers to and what never arrived whole; answers how many.

        ``older_than`` (seconds) spares what is being uploaded right now.
        """
        keep = set(wanted)
        limit = time.time() - older_than
        removed = 0
        for name, written in list(self.names()):
            if name not in keep and written <= limit:
                self.delete(name)
                removed += 1
        for path in [*self.staging.glob("in-*"), *self._cache.glob("*")]:
            if path.stat().st_mtime <= limit:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _name(self, sha256: str) -> str:
        if not _NAME.fullmatch(sha256):
            raise NotFoundError("These bytes are not stored here.", status=404)
        return f"{self._root}/{sha256[:2]}/{sha256}"

    def _take(self, path: Path, sha256: str) -> None:
        target = self._name(sha256)
        try:
            if not self._local:
                self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
                self._fs.put_file(str(path), target)
                path.unlink()
                return
            folder = Path(target).parent
            fresh = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            try:
                path.replace(target)
            except OSError:  # the staging folder lies on another file system
                beside = folder / f"{path.name}.tmp"
                shutil.copyfile(path, beside)
                sync(beside)
                beside.replace(target)
                path.unlink()
            sync(folder)
            if fresh:
                sync(folder.parent)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _disk_error(error) from error

    def _fetch(self, sha256: str) -> Path:
        self._cache.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._cache)
        os.close(handle)
        self._fs.get_file(self._name(sha256), name)
        return Path(name).replace(self._cache / sha256)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """The file holds ``data`` whole, or is as it was; private from its first byte."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pour(source: BinaryIO, stage: Stage) -> None:
    while data := source.read(CHUNK):
        stage.write(data)


def _digest(file: IO[bytes]) -> str:
    total = hashlib.sha256()
    while data := file.read(CHUNK):
        total.update(data)
    return total.hexdigest()


def _protocols(fs: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _written(info: dict[str, object]) -> float:
    for key in ("mtime", "created", "LastModified", "last_modified"):
        value = info.get(key)
        if isinstance(value, int | float):
            return float(value)
        if hasattr(value, "timestamp"):
            return float(value.timestamp())
    return 0.0


def _disk_error(error: OSError) -> ServiceError:
    full = is_full(error)
    return ServiceError(
        "The server's disk is full." if full else "The server could not store the upload.",
        status=507 if full else 500,
    )
