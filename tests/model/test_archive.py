"""Zips as a stranger would send them: what is refused, and what is read."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy_magics.errors import ArchiveError
from deploy_magics.model.archive import Archive, Limits, write_zip

DIGEST = "1cb406c6a0e026dcc301d26102f8dd5552a7b1b598ddcc3d5ccaa7671a1506be"


class Plain:
    """Writes entries by hand, with whatever is wrong with them."""

    def __init__(self) -> None:
        self.data = b""
        self.central: list[bytes] = []

    def add(
        self,
        name: str | bytes,
        contents: bytes = b"x",
        *,
        method: int = 0,
        flags: int = 0x800,
        mode: int = 0o100644,
        local_name: bytes | None = None,
        size: int | None = None,
        crc: int | None = None,
        local_size: int | None = None,
        at: int | None = None,
        extra: bytes = b"",
    ) -> Plain:
        raw = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name
        packed = contents
        if method == 8:
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = deflate.compress(contents) + deflate.flush()
        size = len(contents) if size is None else size
        crc = zlib.crc32(contents) if crc is None else crc
        offset = len(self.data) if at is None else at
        if at is None:
            head = raw if local_name is None else local_name
            told = size if local_size is None else local_size
            numbers = (20, flags, method, 0, 0x21, crc, len(packed), told, len(head), 0)
            self.data += struct.pack("<4sHHHHHLLLHH", b"PK\3\4", *numbers) + head + packed
        numbers = (3 << 8 | 20, 20, flags, method, 0, 0x21, crc, len(packed), size, len(raw))
        rest = (len(extra), 0, 0, 0, mode << 16, offset)
        head = struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", *numbers, *rest)
        self.central.append(head + raw + extra)
        return self

    def bytes(self, comment: bytes = b"") -> bytes:
        directory = b"".join(self.central)
        count = len(self.central)
        numbers = (0, 0, count, count, len(directory), len(self.data), len(comment))
        return self.data + directory + struct.pack("<4sHHHHLLH", b"PK\5\6", *numbers) + comment


def named(*names: str | bytes) -> bytes:
    zipped = Plain()
    for name in names:
        zipped.add(name)
    return zipped.bytes()


def good() -> bytes:
    return Plain().add("model/a.py", b"a" * 100, method=8).add("model/b.py").bytes()


BAD_NAMES = [
    "model/../../x",
    "../x",
    "/abs",
    "//model/x",
    "/model//x",
    "C:\\x",
    "C:/model/x",
    "model\\x",
    "model/..\\..\\evil",
    "model/a\0b",
    "model/a\nb.py",
    "model/\x7f",
    "",
    "/",
    "model/./x",
    "model/x/..",
    "model/",
    "modelx/a",
    "a",
    "Model/a",
    "model/" + "n" * 256,
    "model/" + "d/" * 32 + "x",
    "model/" + "/".join(["n" * 200] * 6),
    "model/" + "d/" * 2000 + "x",
]
# "model/" alone: a package without files has no manifest either, but its structure is sound.
BAD_NAMES.remove("model/")


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name[:24]))
def test_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError):
        Archive(named(name)).extract(tmp_path / "out")
    assert not list(tmp_path.iterdir())


TWICE = {
    "same": ("model/a", "model/a"),
    "with_and_without_slash": ("model/a", "/model/a"),
    "case": ("model/a.py", "model/A.py"),
    "case_of_a_folder": ("model/d/a", "model/D"),
    "sharp_s": ("model/ß", "model/SS"),
    "composed": ("model/\u00e9", "model/e\u0301"),
    "file_and_folder": ("model/a", "model/a/b"),
    "folder_entry_and_file": ("model/a/", "model/a"),
}


@pytest.mark.parametrize("names", TWICE.values(), ids=TWICE)
def test_names_that_could_be_one(names: tuple[str, str]) -> None:
    zipped = Plain()
    for name in names:
        zipped.add(name, b"" if name.endswith("/") else b"x", mode=0)
    with pytest.raises(ArchiveError):
        Archive(zipped.bytes())


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644, 0o060644, 0o140644])
def test_links_and_devices(mode: int) -> None:
    with pytest.raises(ArchiveError, match="link or a device"):
        Archive(Plain().add("model/a", b"/etc/passwd", mode=mode).bytes())


def test_modes_are_not_taken_over(tmp_path: Path) -> None:
    zipped = Plain().add("model/a", mode=0o104777).add("model/d/b", mode=0o100000)
    folder = Archive(zipped.bytes()).extract(tmp_path / "out")
    modes = {path.name: path.stat().st_mode & 0o7777 for path in folder.rglob("*")}
    assert modes == {"a": 0o644, "d": 0o755, "b": 0o644}
    assert folder.stat().st_mode & 0o7777 == 0o755


SMALL = Limits(entries=3, total=1000, ratio=10, ratio_from=100)
STRUCTURE = {
    "empty": b"",
    "no_zip": b"hello" * 100,
    "no_entries": Plain().bytes(),
    "not_utf8": Plain().add(b"model/\xff\xfe").bytes(),
    "not_ascii_without_its_flag": Plain().add("model/é", flags=0).bytes(),
    "surrogate": Plain().add("model/\ud800").bytes(),
    "encrypted": Plain().add("model/a", flags=0x801).bytes(),
    "strange_flag": Plain().add("model/a", flags=0x820).bytes(),
    "other_compression": Plain().add("model/a", method=12).bytes(),
    "other_local_name": Plain().add("model/a", local_name=b"model/b").bytes(),
    "other_local_size": Plain().add("model/a", local_size=5).bytes(),
    "two_names": Plain().add("model/a", extra=b"\x75\x70\x01\x00a").bytes(),
    "broken_extra": Plain().add("model/a", extra=b"\x01\x00\xff").bytes(),
    "overlap": Plain().add("model/a").add("model/b", at=0).bytes(),
    "prefix_script": b"#!/bin/sh\n" + good(),
    "two_in_one": good() + good(),
    "trailing": good() + b"x",
    "comment": Plain().add("model/a").bytes(comment=b"PK"),
    "cut_off": good()[:-5],
    "cut_in_the_directory": good()[:-60],
    "folder_with_contents": Plain().add("model/d/", b"x", mode=0o040755).bytes(),
    "file_as_folder": Plain().add("model/d/", b"", mode=0o100644).bytes(),
    "stored_with_other_size": Plain().add("model/a", b"xx", size=1).bytes(),
}


@pytest.mark.parametrize("data", STRUCTURE.values(), ids=STRUCTURE)
def test_structure_that_is_not_plain(data: bytes) -> None:
    with pytest.raises(ArchiveError) as caught:
        Archive(data)
    assert "\n" not in str(caught.value)


def test_gap_between_entries() -> None:
    first = Plain().add("model/a")
    first.data += b"hidden"
    with pytest.raises(ArchiveError, match="overlap or leave gaps"):
        Archive(first.add("model/b").bytes())
    last = Plain().add("model/a")
    last.data += b"hidden"
    with pytest.raises(ArchiveError, match="none of its entries"):
        Archive(last.bytes())


CONTENTS = {
    "longer_than_told": Plain().add("model/a", b"x" * 500, method=8, size=10).bytes(),
    "shorter_than_told": Plain().add("model/a", b"x" * 5, method=8, size=10).bytes(),
    "wrong_checksum": Plain().add("model/a", b"xyz", crc=5).bytes(),
    "wrong_checksum_deflated": Plain().add("model/a", b"xyz", method=8, crc=5).bytes(),
}


@pytest.mark.parametrize("data", CONTENTS.values(), ids=CONTENTS)
def test_contents_that_do_not_agree(data: bytes, tmp_path: Path) -> None:
    archive = Archive(data)
    with pytest.raises(ArchiveError):
        archive.read("a")
    with pytest.raises(ArchiveError):
        archive.extract(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_limits() -> None:
    with pytest.raises(ArchiveError, match="4 entries"):
        Archive(named(*(f"model/{n}" for n in range(4))), limits=SMALL)
    with pytest.raises(ArchiveError, match="more than 1,000"):
        Archive(Plain().add("model/a", b"x" * 600).add("model/b", b"y" * 600).bytes(), limits=SMALL)
    with pytest.raises(ArchiveError, match="far more"):
        Archive(Plain().add("model/a", b"0" * 900, method=8).bytes(), limits=SMALL)


def test_many_entries_on_one_header_are_refused_unread() -> None:
    zipped = Plain().add("model/0", b"0" * (10 << 20), method=8)
    for number in range(1, 4000):
        zipped.add(f"model/{number}", b"", at=0, size=10 << 20, method=8)
    with pytest.raises(ArchiveError):
        Archive(zipped.bytes())


def test_a_real_bomb_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("model/zeros", bytes(50 << 20))
    with pytest.raises(ArchiveError, match="far more"):
        Archive(stream.getvalue())


def test_a_zip_in_it_stays_a_file(tmp_path: Path) -> None:
    folder = Archive(Plain().add("model/inner.zip", good()).bytes()).extract(tmp_path / "out")
    assert (folder / "inner.zip").read_bytes() == good()


def test_declared_digest() -> None:
    digest = hashlib.sha256(good()).hexdigest()
    assert Archive(good(), sha256=digest.upper()).names == ("a.py", "b.py")
    with pytest.raises(ArchiveError, match="SHA-256"):
        Archive(good(), sha256="0" * 64)


def test_roots() -> None:
    assert Archive(named("/model/a", "/model/d/b")).names == ("a", "d/b")
    assert Archive(named("a", "d/b"), roots=("",)).names == ("a", "d/b")
    assert Archive(named("pkg/a", "pkg/d/b"), roots=None).names == ("a", "d/b")
    assert Archive(named("a", "d/b"), roots=None).names == ("a", "d/b")
    with pytest.raises(ArchiveError, match="one folder model/"):
        Archive(named("model/a", "other/b"))


class Pipe(io.BytesIO):
    """Cannot go back, so that sizes stand behind the data."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError

    def seek(self, *args: int) -> int:
        raise OSError


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("seekable", [True, False])
def test_what_zipfile_writes(method: int, seekable: bool, tmp_path: Path) -> None:
    stream = io.BytesIO() if seekable else Pipe()
    with zipfile.ZipFile(stream, "w", method) as zipped:
        zipped.writestr("/model/a.py", b"abc" * 5000)
        zipped.writestr("/model/leer.txt", b"")
        with zipped.open("/model/wide", "w", force_zip64=True) as out:
            out.write(b"w" * 10)
    archive = Archive(stream.getvalue())
    assert archive.read("a.py") == b"abc" * 5000
    assert archive.read("leer.txt") == b""
    assert archive.read("wide") == b"w" * 10
    assert archive.size("a.py") == 15000
    archive.extract(tmp_path / "out")


def test_written_bytes_are_the_same_everywhere() -> None:
    files = {"model/b.py": b"b", "model/ä/a.py": b"a" * 9}
    for entries in (files, dict(reversed(files.items()))):
        stream = io.BytesIO()
        write_zip(stream, entries)
        assert hashlib.sha256(stream.getvalue()).hexdigest() == DIGEST
    with zipfile.ZipFile(stream) as zipped:
        assert zipped.testzip() is None
        assert zipped.namelist() == ["model/b.py", "model/ä/a.py"]


def test_a_file_that_changes_while_it_is_packed(tmp_path: Path) -> None:
    class Growing(type(tmp_path)):  # type: ignore[misc]
        def open(self, *args: object, **options: object) -> io.BytesIO:
            with Path(self).open("ab") as out:
                out.write(b"x")
            return io.BytesIO(Path(self).read_bytes())

    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(ArchiveError, match="changed while"):
        write_zip(tmp_path / "out.zip", {"model/a": Growing(tmp_path / "a")})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_names_that_cannot_be_written() -> None:
    for names in ({"model/../a": b""}, {"model/A": b"", "model/a": b""}, {"model/\ud800": b""}):
        with pytest.raises(ArchiveError):
            write_zip(io.BytesIO(), names)


def test_extract_wants_an_empty_place(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    with pytest.raises(ArchiveError, match="not empty"):
        Archive(good()).extract(tmp_path)
    assert (tmp_path / "kept").read_text() == "x"
    with pytest.raises(ArchiveError, match="no file 'zz'"):
        Archive(good()).open("zz")
    with pytest.raises(ArchiveError, match="cannot be read"):
        Archive(tmp_path / "absent.zip")


RELAXED = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


@RELAXED
@given(st.integers(0, len(good()) - 1), st.integers(1, 255), st.integers(0, 40))
def test_flipped_and_cut_bytes(place: int, flip: int, cut: int) -> None:
    data = bytearray(good())
    data[place] ^= flip
    check(bytes(data[: len(data) - cut] if cut > 20 else data))


@RELAXED
@given(st.binary(max_size=300), st.binary(max_size=40), st.integers(0, 60))
def test_any_bytes(front: bytes, back: bytes, keep: int) -> None:
    check(front + good()[-keep:] + back)
    check(good()[:keep] + front + good()[keep:] + back)


@RELAXED
@given(st.lists(st.text(max_size=12), max_size=5), st.text("/.\\:\0aA", max_size=8))
def test_any_names(parts: list[str], other: str) -> None:
    check(named("model/" + "/".join(parts), other, "model/x"))


def check(data: bytes) -> None:
    """Reads all of it, or it is refused."""
    try:
        archive = Archive(data)
        for name in archive.names:
            archive.read(name)
    except ArchiveError:
        pass
