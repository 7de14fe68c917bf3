"""The backtests so far: listed, found again, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

from ..display import Table, when
from ..errors import NotFoundError, UsageError
from .kinds import Completes
from .naming import notebook_path

if TYPE_CHECKING:
    from ..executor.compare import Comparison
    from ..executor.history import RunStore, RunSummary
    from ..executor.result import BacktestResult

_SHORT = {"cagr": "CAGR (%)", "sharpe": "Sharpe", "max_drawdown": "Max drawdown (%)"}


@dataclass(repr=False)
class Backtests(Table):
    """The runs that are kept, the newest first; also a sequence of them."""

    runs: tuple[RunSummary, ...] = ()

    def __iter__(self) -> Iterator[RunSummary]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, place: int) -> RunSummary:
        return self.runs[place]


def backtests(
    runs: Annotated[Sequence[str], Completes("backtest")] = (),
    *,
    name: Annotated[str | None, Completes("backtest-model")] = None,
    here: bool = False,
    last: int = 20,
    compare: bool = False,
) -> Backtests | BacktestResult | Comparison:
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

    store = RunStore()
    if last < 1:
        raise UsageError("--last counts from 1.")
    notebook = str(notebook_path() or "") if here else None
    if runs:
        results = [store.get(_id(store, run)) for run in runs]
        return results[0] if len(results) == 1 else side_by_side(results)
    found = store.list(model=name, notebook=notebook, limit=last)
    if compare:
        chosen = [store.get(each.id) for each in found[:8]]
        if len(chosen) < 2:
            raise NotFoundError("There are no two backtests to compare yet.")
        return side_by_side(chosen)
    return _table(found)


def _table(found: Sequence[RunSummary]) -> Backtests:
    from ..executor.metrics import KEY_METRICS, format_metric, metric_name

    shown = [key for key in KEY_METRICS if any(key in each.metrics for each in found)]
    names = [metric_name(key, _SHORT) for key in shown]
    headings = ["", "model", "arguments", "when", *names, "where", "id"]
    rows: list[list[Any]] = []
    for number, each in enumerate(found, 1):
        values = [
            format_metric(key, each.metrics[key]) if key in each.metrics else "" for key in shown
        ]
        at = when(datetime.fromtimestamp(each.created_at, timezone.utc))
        about = [str(number), each.model, args_text(each.args, each.symbols), at]
        rows.append([*about, *values, each.where, each.id])
    return Backtests(
        headings,
        rows,
        note="%backtests 1 2 compares two of them, %backtests 1 shows one again." if rows else "",
        empty="No backtest yet: %%backtest on a strategy's cell runs one.",
        right=tuple(range(4, 4 + len(shown))),
        runs=tuple(found),
    )


def args_text(args: Mapping[str, Any], symbols: Sequence[str] = ()) -> str:
    """The arguments of a run in one line."""
    parts = [",".join(symbols)] if symbols else []
    if args.get("to") is not None:
        parts.append(f"to {args['to']}")
    if args.get("start_date") is not None or args.get("end_date") is not None:
        parts.append(f"{args.get('start_date', '…')} to {args.get('end_date', '…')}")
    values = args.get("initial_values") or {}
    parts += [f"{amount:,g} {symbol}" for symbol, amount in values.items()]
    parts += [f"{name}={value}" for name, value in (args.get("settings") or {}).items()]
    return " · ".join(parts)


def _id(store: RunStore, run: str) -> str:
    """A run's id from its number in the list (of all runs), or the id itself."""
    if run.isdigit() and len(run) < 5:
        found = store.list(limit=int(run))
        if int(run) < 1 or len(found) < int(run):
            raise NotFoundError(f"There is no backtest {run}.", "%backtests lists them.")
        return found[int(run) - 1].id
    return run
