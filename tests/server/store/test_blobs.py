"""Blobs appear whole or not at all, under the name of their content."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from pathlib import Path

import pytest

from deploy_magics.errors import NotFoundError, ServiceError
from deploy_magics.server.store import blobs as module
from deploy_magics.server.store.blobs import BlobStore, write_atomic


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """On the file system, and on another fsspec address."""
    url = tmp_path / "blobs" if request.param == "folder" else f"memory://{tmp_path.name}"
    return BlobStore(url, tmp_path / "staging")


def test_what_is_put_is_read(store: BlobStore, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(data)
    names = {store.put(source) for source in (data, tmp_path / "file", io.BytesIO(data))}
    (blob,) = names
    assert blob == (hashlib.sha256(data).hexdigest(), len(data))
    assert store.read(blob.sha256) == data
    assert [name for name, _ in store.names()] == [blob.sha256]
    assert list((tmp_path / "staging").glob("in-*")) == []


def test_a_stage_that_is_left_stores_nothing(store: BlobStore, tmp_path: Path) -> None:
    with store.stage() as stage:
        stage.write(b"half")
    assert list(store.names()) == []
    assert list((tmp_path / "staging").glob("in-*")) == []


def test_too_much_is_refused_and_cleared(store: BlobStore, tmp_path: Path) -> None:
    with store.stage(limit=10) as stage, pytest.raises(ServiceError) as caught:
        stage.write(b"x" * 11)
    assert caught.value.status == 413
    assert list((tmp_path / "staging").glob("in-*")) == []


def test_a_name_that_is_no_digest_opens_nothing(store: BlobStore) -> None:
    for name in ("../../etc/passwd", "x", "", "0" * 63, "G" * 64):
        with pytest.raises(NotFoundError):
            store.path(name)


def test_damaged_bytes_are_set_aside_and_not_given(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs", tmp_path / "staging")
    blob = store.put(b"sound")
    path = store.path(blob.sha256)
    path.write_bytes(b"rotten")
    assert not store.is_whole(blob.sha256)
    with pytest.raises(ServiceError, match="damaged"):
        store.read(blob.sha256)
    with pytest.raises(NotFoundError):
        store.read(blob.sha256)


def test_the_sweep_takes_what_nobody_wants(store: BlobStore, tmp_path: Path) -> None:
    kept, lost = store.put(b"kept"), store.put(b"lost")
    (tmp_path / "staging" / "in-left").write_bytes(b"from a killed upload")
    assert store.sweep([kept.sha256], older_than=3600) == 0
    assert store.sweep([kept.sha256], older_than=-1) == 2
    assert store.exists(kept.sha256)
    assert not store.exists(lost.sha256)
    assert not (tmp_path / "staging" / "in-left").exists()


def test_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BlobStore(tmp_path / "blobs", tmp_path / "staging")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(ServiceError) as caught:
        store.put(b"x")
    assert caught.value.status == 507
    assert list((tmp_path / "staging").glob("in-*")) == []


def test_everything_reaches_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        place = Path(f"/proc/self/fd/{handle}").readlink().name
        steps.append("fsync file" if place.startswith("in-") else "fsync folder")
        fsync(handle)

    def noted_replace(self: Path, target: Path | str) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(module.os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    BlobStore(tmp_path / "blobs", tmp_path / "staging").put(b"x")
    assert steps[:3] == ["fsync file", "rename", "fsync folder"]


def test_private_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_atomic(tmp_path / "secret", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
