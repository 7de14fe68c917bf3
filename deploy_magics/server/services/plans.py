"""The sizes of machine that a run may ask for, and what the worker enforces for each."""

from __future__ import annotations

from typing import NamedTuple

from deploy_magics.errors import RejectedError


class Plan(NamedTuple):
    name: str
    cpus: float
    memory: int
    seconds: float | None


_MIB = 1 << 20
_SIZES = {"nano": (1.0, 1024), "micro": (1.0, 2048), "small": (2.0, 4096), "medium": (4.0, 8192)}
DEFAULT_PLAN = "nano"
BACKTEST_SECONDS = 6 * 3600.0


def get(name: str, *, kind: str = "live") -> Plan:
    """What a plan gives: ``memory`` in bytes, ``seconds`` of running time (None: no end).

    Raises:
        RejectedError: no such plan.
    """
    if name not in _SIZES:
        raise RejectedError(
            f"There is no plan {name!r}.", f"Plans: {', '.join(_SIZES)}.", status=400
        )
    cpus, mebibytes = _SIZES[name]
    seconds = None if kind == "live" else BACKTEST_SECONDS
    return Plan(name, cpus, mebibytes * _MIB, seconds)


def table() -> dict[str, dict[str, float]]:
    """Blankly's form: the name, cores and MiB of each."""
    return {name: {"cpu": cpus, "ram": ram} for name, (cpus, ram) in _SIZES.items()}
