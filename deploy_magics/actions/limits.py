"""``--limits time=60s memory=2GB cpus=1 output=10MB`` as the executor's limits."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..executor.local import Limits

_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_NAMES = {
    "time": "seconds",
    "seconds": "seconds",
    "memory": "memory",
    "cpus": "cpus",
    "output": "output",
    "processes": "processes",
}


def read_limits(said: Mapping[str, str] | None) -> Limits:
    """The limits; UsageError for a name or an amount that makes no sense."""
    from ..executor.local import Limits

    values: dict[str, float | int] = {}
    for name, text in (said or {}).items():
        field = _NAMES.get(name)
        if field is None:
            close = difflib.get_close_matches(name, _NAMES, n=1)
            hint = f"Did you mean {close[0]}?" if close else "There are time, memory, cpus, output."
            raise UsageError(f"There is no limit {name!r}.", hint)
        if field == "seconds":
            values[field] = _amount(name, str(text), _SECONDS)
        elif field in ("memory", "output"):
            values[field] = int(_amount(name, str(text), _BYTES))
        else:
            values[field] = _amount(name, str(text), {"": 1})
    if "processes" in values:
        values["processes"] = int(values["processes"])
    return Limits(**values)  # type: ignore[arg-type]


def _amount(name: str, text: str, units: Mapping[str, int]) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    unit = found[2].lower() if found else ""
    if "k" in units:
        unit = unit.removesuffix("ib").removesuffix("b") or ("b" if unit == "b" else "")
    if found is None or unit not in units or float(found[1]) <= 0:
        raise UsageError(f"--limits {name} cannot be {text!r}.", "Like time=60s or memory=2GB.")
    return float(found[1]) * units[unit]
