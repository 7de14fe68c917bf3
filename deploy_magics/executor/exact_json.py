"""JSON that gives back exactly what went in: floats, NaN and infinity, arrays and tables.

What JSON has no word for is an object with the one key that names it: ``{"$float": "nan"}``,
``{"$array": {...}}``. Nothing in it is code, so that a result of a stranger can be read.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any

import numpy as np

MAX_ARRAY = 1 << 31  # bytes; more is a bomb and no account history
TYPES = ("<f8", "<i8")


def dumps(value: Any) -> str:
    return json.dumps(_plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """ValueError for what ``dumps`` did not write."""
    return json.loads(text, object_hook=_restored, parse_constant=_refuse)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        kind = "<i8" if np.issubdtype(value.dtype, np.integer) else "<f8"
        packed = zlib.compress(np.ascontiguousarray(value, dtype=kind).tobytes(), 1)
        return {"$array": {"type": kind, "data": base64.b64encode(packed).decode("ascii")}}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _restored(value: dict[str, Any]) -> Any:
    if value.keys() == {"$float"}:
        return float(value["$float"])
    if value.keys() == {"$array"}:
        array = value["$array"]
        if array["type"] not in TYPES:
            raise ValueError("an array of an unknown type")
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(array["data"], validate=True), MAX_ARRAY)
        if unpacker.unconsumed_tail:
            raise ValueError("an array that is too large")
        return np.frombuffer(data, dtype=array["type"]).copy()
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
