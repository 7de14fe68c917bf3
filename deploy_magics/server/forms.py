"""What a request carries, read once: form fields, JSON, and uploads that go to disk as they come.

The multipart reader is our own use of python-multipart's parser: bytes are counted, hashed and
written straight to the blob store's staging folder, in constant memory.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from deploy_magics.errors import RejectedError
from deploy_magics.server.store.blobs import BlobStore, Stage

MAX_PARTS = 100
MAX_FIELD = 1 << 20
MAX_HEADERS = 8_192
_SURROGATE = re.compile("[\ud800-\udfff]")


class Fields:
    """The named values of a request, whichever way they were sent."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def text(self, name: str) -> str:
        """Raises RejectedError when it is missing or empty."""
        value = self.maybe(name)
        if value is None:
            raise RejectedError(f"The field {name!r} is missing.", status=400)
        return value

    def maybe(self, name: str) -> str | None:
        """The text, None where it is missing, empty, or the word that Python writes for None."""
        value = self.values.get(name)
        if value is None or isinstance(value, dict | list):
            return None
        text = str(value)
        return None if text.strip() in ("", "None") else text

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).strip().lower() in ("true", "1", "yes")

    def json(self, name: str) -> dict[str, Any] | None:
        """An object, also when it was sent as a string that holds one."""
        value = self.values.get(name)
        if isinstance(value, str) and value.strip():
            try:
                value = loads(value)
            except ValueError as error:
                raise RejectedError(f"The field {name!r} is not JSON.", status=400) from error
        if value in (None, ""):
            return None
        if not isinstance(value, dict):
            raise RejectedError(f"The field {name!r} must be a JSON object.", status=400)
        return value


class Part:
    """A file of a multipart request. ``stage`` holds its bytes, not yet stored."""

    def __init__(self, name: str, filename: str, stage: Stage) -> None:
        self.name = name
        self.filename = filename.replace("\\", "/").rsplit("/", 1)[-1][:255]
        self.stage = stage


class Form:
    def __init__(self) -> None:
        self.fields = Fields({})
        self.files: list[Part] = []

    def file(self, name: str) -> Part | None:
        return next((part for part in self.files if part.name == name), None)


async def read_fields(request: Request) -> Fields:
    """The fields of a JSON or URL-encoded body, or of a multipart one without files.

    Raises:
        RejectedError: the body is malformed (400) or of another type (415).
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = Form()
        await _read_multipart(request, form, None, MAX_FIELD)
        return form.fields
    body = await _body(request)
    if not body:
        return Fields({})
    if kind == "application/json" or kind.endswith("+json"):
        try:
            value = loads(body)
        except (ValueError, RecursionError) as error:
            raise RejectedError("The body is not JSON.", status=400) from error
        if not isinstance(value, dict):
            raise RejectedError("The body must be a JSON object.", status=400)
        return Fields(value)
    if kind == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_PARTS)
        except ValueError as error:
            raise RejectedError("The form is malformed.", status=400) from error
        return Fields(plain(dict(pairs)))
    raise RejectedError(f"The content type {kind[:60]!r} is not taken here.", status=415)


@asynccontextmanager
async def receive_form(request: Request, blobs: BlobStore, *, limit: int) -> AsyncIterator[Form]:
    """A multipart request with files; what was not stored by the end is discarded.

    Args:
        limit: bytes of the largest file.

    Raises:
        RejectedError: malformed (400) or not multipart (415).
        ServiceError: too large (413), disk full (507).
    """
    form = Form()
    try:
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "multipart/form-data":
            await _read_multipart(request, form, blobs, limit)
        else:
            form.fields = await read_fields(request)
        yield form
    finally:
        for part in form.files:
            part.stage.discard()


def loads(text: str | bytes) -> Any:
    """JSON as the standard has it: no NaN, no key twice, no number of thousands of digits.

    Raises:
        ValueError: it is something else.
        RejectedError: it holds text that no database takes.
    """
    return plain(json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once))


def plain(value: Any) -> Any:
    """The same, once it is known that its texts are text: no NUL, no half of a character."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            left += one
        elif isinstance(one, str) and (not _is_plain(one)):
            raise RejectedError("The request holds a NUL or half of a character.", status=400)
        elif isinstance(one, float) and not math.isfinite(one):
            raise ValueError("a number is too large")
    return value


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise RejectedError("The request broke off.", status=400) from error


async def _read_multipart(
    request: Request, form: Form, blobs: BlobStore | None, limit: int
) -> None:
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary:
        raise RejectedError("The multipart boundary is missing.", status=400)
    reader = _Reader(form, blobs, limit)
    parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]
    try:
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError as error:
        raise RejectedError("The multipart body is malformed.", status=400) from error
    except ClientDisconnect as error:
        raise RejectedError("The request broke off.", status=400) from error
    reader.check_end()


class _Reader:
    """The parser's callbacks: one part after the other, each counted."""

    def __init__(self, form: Form, blobs: BlobStore | None, limit: int) -> None:
        self._form = form
        self._blobs = blobs
        self._limit = limit
        self._parts = 0
        self._open = False
        self._ended = False
        self._reset()

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def check_end(self) -> None:
        if self._open or (self._parts and not self._ended):
            raise RejectedError("The multipart body is cut short.", status=400)

    def _reset(self) -> None:
        self._headers: dict[str, str] = {}
        self._header_name = b""
        self._header_text = b""
        self._header_size = 0
        self._name = ""
        self._value = bytearray()
        self._part: Part | None = None

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise RejectedError(f"The form has more than {MAX_PARTS} parts.", status=413)
        self._reset()
        self._open = True

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += self._counted(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_text += self._counted(data[start:end])

    def _counted(self, data: bytes) -> bytes:
        self._header_size += len(data)
        if self._header_size > MAX_HEADERS:
            raise RejectedError("The headers of a part are too large.", status=413)
        return data

    def _header_end(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        self._headers[name] = self._header_text.decode("utf-8", "replace")
        self._header_name = self._header_text = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", ""))
        name = options.get(b"name")
        if not name:
            raise RejectedError("A part of the form has no name.", status=400)
        self._name = name.decode("utf-8", "replace")
        filename = options.get(b"filename")
        if filename is not None:
            if self._blobs is None:
                raise RejectedError("No file is taken here.", status=400)
            stage = self._blobs.stage(limit=self._limit)
            self._part = Part(self._name, filename.decode("utf-8", "replace"), stage)
            self._form.files.append(self._part)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part is not None:
            self._part.stage.write(memoryview(data)[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD:
            raise RejectedError(f"The field {self._name[:40]!r} is too large.", status=413)

    def _end(self) -> None:
        self._open = False
        if self._part is None:
            try:
                self._form.fields.values[self._name] = plain(self._value.decode())
            except UnicodeDecodeError as error:
                raise RejectedError(
                    f"The field {self._name[:40]!r} is not UTF-8.", status=400
                ) from error

    def _finish(self) -> None:
        self._ended = True


def _is_plain(text: str) -> bool:
    return "\x00" not in text and (text.isascii() or not _SURROGATE.search(text))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found
