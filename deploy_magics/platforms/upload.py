"""A multipart body that is read from its files as it goes, in constant memory."""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

Progress = Callable[[int, int], None]
Content = bytes | str | Path | IO[bytes]
Part = tuple[str, Content, str]
Files = Mapping[str, Part] | Iterable[tuple[str, Part]]


class MultipartBody:
    """``multipart/form-data`` as a file that requests streams: ``read(n)`` and ``len()``.

    ``rewind()`` starts it anew, for a second attempt. File objects are read from where they
    stood; a Path is opened when its turn comes.
    """

    def __init__(
        self,
        fields: Mapping[str, Any] | bytes | None,
        files: Files,
        on_progress: Progress | None = None,
    ) -> None:
        if isinstance(fields, bytes):
            raise TypeError("files go with form fields, not with a body of bytes")
        self.boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={self.boundary}"
        self._on_progress = on_progress
        self._segments: list[tuple[bytes | Path | IO[bytes], int, int]] = []  # what, start, size
        for name, value in (fields or {}).items():
            if value is not None:
                self._text(_header(self.boundary, name) + _field(value) + b"\r\n")
        for name, (filename, content, content_type) in (
            files.items() if isinstance(files, Mapping) else files
        ):
            self._text(_header(self.boundary, name, filename, content_type))
            self._content(content)
            self._text(b"\r\n")
        self._text(f"--{self.boundary}--\r\n".encode())
        self._size = sum(size for _, _, size in self._segments)
        self.rewind()

    def __len__(self) -> int:
        return self._size

    def rewind(self) -> None:
        """Back to the first byte."""
        self._close()
        self._next = 0
        self._sent = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, fewer than asked for at a part's end, empty at the very end."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        while True:
            if self._open is None and not self._enter():
                return b""
            assert self._open is not None
            chunk = self._open.read(min(size, self._left)) if self._left else b""
            if chunk:
                self._left -= len(chunk)
                self._sent += len(chunk)
                if self._on_progress:
                    self._on_progress(self._sent, self._size)
                return chunk
            if self._left:
                raise OSError("a file became shorter while it was being sent")
            self._close()

    _open: IO[bytes] | None = None
    _own = False
    _left = 0

    def _enter(self) -> bool:
        """Turn to the next segment; False when there is none."""
        if self._next >= len(self._segments):
            return False
        what, start, self._left = self._segments[self._next]
        self._next += 1
        if isinstance(what, bytes):
            self._open, self._own = io.BytesIO(what), True
        elif isinstance(what, Path):
            self._open, self._own = what.open("rb"), True
        else:
            what.seek(start)
            self._open, self._own = what, False
        return True

    def _close(self) -> None:
        if self._open is not None and self._own:
            self._open.close()
        self._open = None

    def _text(self, text: bytes) -> None:
        self._segments.append((text, 0, len(text)))

    def _content(self, content: Content) -> None:
        if isinstance(content, str):
            content = content.encode()
        if isinstance(content, bytes):
            self._segments.append((content, 0, len(content)))
        elif isinstance(content, Path):
            self._segments.append((content, 0, content.stat().st_size))
        else:
            start = content.tell()
            end = content.seek(0, os.SEEK_END)
            content.seek(start)
            self._segments.append((content, start, end - start))


def _field(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, (dict, list)):
        return json.dumps(value).encode()
    return str(value).encode()


def _header(boundary: str, name: str, filename: str = "", content_type: str = "") -> bytes:
    lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{_quoted(name)}"']
    if filename:
        lines[1] += f'; filename="{_quoted(filename)}"'
        lines.append(f"Content-Type: {content_type or 'application/octet-stream'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _quoted(text: str) -> str:
    """A name between quotes, as browsers write it; a line break can start no header."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
