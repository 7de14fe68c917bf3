"""Walk-forward: stretches of time, each to choose on and one after it to try the choice on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from deploy_magics.errors import UsageError
from deploy_magics.executor.data import PriceSet

# seconds of each unit, as the library reads '1y', '6M' or '6mo', '30d', '12h', '5m', '10s'
DAY = 86400
UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY, "M": 30 * DAY, "y": 365 * DAY}
UNITS |= {"D": 3650 * DAY, "c": 36500 * DAY, "l": 365000 * DAY}


@dataclass(frozen=True)
class Fold:
    """Epoch seconds: chosen on [start, middle), tried on [middle, end)."""

    number: int
    start: int
    middle: int
    end: int

    @property
    def chosen_on(self) -> dict[str, int]:
        return {"start_date": self.start, "end_date": self.middle}

    @property
    def tried_on(self) -> dict[str, int]:
        return {"start_date": self.middle, "end_date": self.end}


def make_folds(
    count: int, args: Mapping[str, Any], prices: PriceSet | None, *, anchored: bool = False
) -> list[Fold]:
    """The run's time in ``count + 1`` equal parts: each but the last is chosen on and the next
    is tried on; ``anchored`` chooses on everything before.
    """
    if count < 1:
        raise UsageError("Folds are counted from 1.", "Give --folds N.")
    start, end = span(args, prices)
    resolution = max((bars.resolution for bars in prices.bars.values()), default=1) if prices else 1
    if (end - start) / (count + 1) < 2 * resolution:
        raise UsageError(f"The run's time is too short for {count} folds.", "Give fewer folds.")
    edges = [int(start + (end - start) * part / (count + 1)) for part in range(count + 2)]
    return [
        Fold(number, edges[0 if anchored else number - 1], edges[number], edges[number + 1])
        for number in range(1, count + 1)
    ]


def span(args: Mapping[str, Any], prices: PriceSet | None) -> tuple[int, int]:
    """First and last second of the run, as the runtime takes them.

    Raises UsageError where neither the arguments nor given prices say it.
    """
    first = last = None
    if prices and prices.bars:
        first = min(int(bars.columns["time"][0]) for bars in prices.bars.values())
        last = max(int(bars.columns["time"][-1]) for bars in prices.bars.values())
    end = _epoch(args["end_date"]) if args.get("end_date") is not None else last
    if args.get("to") is not None and end is not None:
        start: int | None = end - _seconds(args["to"])
    else:
        start = _epoch(args["start_date"]) if args.get("start_date") is not None else first
    if start is None or end is None or start >= end:
        raise UsageError(
            "Folds need the run's time.", "Give --data, or --start-date and --end-date."
        )
    return max(start, first) if first is not None else start, end


def _epoch(value: Any) -> int:
    if isinstance(value, (int, float)):
        return int(value)
    try:
        stamp = pd.Timestamp(value)
    except ValueError as problem:
        raise UsageError(f"'{value}' is not a date.", "Give one such as 2017-05-01.") from problem
    zoned = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return int(zoned.timestamp())


def _seconds(value: Any) -> int:
    if isinstance(value, (int, float)):
        return int(value)
    match = re.fullmatch(r"(\d+)([smhdwMyDcl])", str(value).replace("mo", "M"))
    if match:
        return int(match.group(1)) * UNITS[match.group(2)]
    raise UsageError(f"'{value}' is not a length of time.", "Give one such as 1y, 6M or 30d.")
