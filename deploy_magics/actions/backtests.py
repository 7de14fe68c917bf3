"""The backtests so far: listed, found again, compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from ..errors import NotFoundError, UsageError
from .kinds import Completes
from .naming import notebook_path

if TYPE_CHECKING:
    from ..executor.compare import Comparison
    from ..executor.history import RunList
    from ..executor.result import BacktestResult

COMPARED = 8  # curves that one picture holds


def backtests(
    runs: Annotated[Sequence[str], Completes("backtest")] = (),
    *,
    name: Annotated[str | None, Completes("backtest-model")] = None,
    here: bool = False,
    last: int = 20,
    compare: bool = False,
) -> RunList | BacktestResult | Comparison:
    """List the backtests of this machine, show one again, or compare several.

    Args:
        runs: numbers or ids from the list; one is shown, several are compared with the first.
        name: only those of this model.
        here: only those of this notebook.
        last: how many to list, or to compare.
        compare: compare the newest ones.
    """
    from ..executor.compare import compare as side_by_side
    from ..executor.history import RunStore

    if last < 1:
        raise UsageError("--last counts from 1.")
    store = RunStore()
    if runs:
        results = [store.get(run) for run in runs]
        return results[0] if len(results) == 1 else side_by_side(results)
    notebook = str(notebook_path() or "") if here else None
    found = store.list(model=name, notebook=notebook, limit=last)
    if not compare:
        return found
    if len(found) < 2:
        raise NotFoundError("There are no two backtests to compare yet.")
    return side_by_side([store.get(each.id) for each in found[:COMPARED]])
