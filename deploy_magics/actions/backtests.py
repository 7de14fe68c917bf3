"""The backtests so far: listed, found again, compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from ..errors import NotFoundError, UsageError
from .kinds import Completes


def backtests(
    runs: Annotated[Sequence[str], Completes("backtest")] = (),
    *,
    name: Annotated[str | None, Completes("model")] = None,
    last: int = 20,
    compare: bool = False,
) -> Any:
    """List the backtests of this machine, show one again, or compare several.

    Args:
        runs: ids or numbers from the list; one is shown, several are compared.
        name: only of this model.
        last: how many to list, or to compare with --compare.
        compare: compare the newest ones.
    """
    from ..executor.compare import compare as side_by_side
    from ..executor.history import RunStore

    store = RunStore()
    if last < 1:
        raise UsageError("--last counts from 1.")
    if runs:
        results = [_found(store, run) for run in runs]
        return results[0] if len(results) == 1 else side_by_side(results)
    listed = store.list(model=name, limit=last)
    if compare:
        chosen = [store.get(entry.id) for entry in list(listed)[: min(last, 8)]]
        if len(chosen) < 2:
            raise NotFoundError("There are no two backtests to compare yet.")
        return side_by_side(chosen)
    return listed


def _found(store: Any, run: str) -> Any:
    found = store.get(run)
    if found is None:
        raise NotFoundError(f"There is no backtest {run!r}.", "%backtests lists them.")
    return found
