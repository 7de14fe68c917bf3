"""Backtests side by side as plain data for the panel and the widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..display import Table
from ..errors import DeployMagicsError
from ..model import Model
from ..platforms.blankly import BlanklyClient
from .payload import POINTS, result_payload

if TYPE_CHECKING:
    from ..executor.compare import Comparison
    from ..executor.result import BacktestResult


def comparison_payload(comparison: Comparison, *, points: int = POINTS) -> dict[str, Any]:
    """What ``labextension/src/types.ts`` calls IComparison: what ``%backtests`` shows of it."""
    return {
        "names": list(comparison.names),
        "results": [result_payload(result, points=points) for result in comparison.results],
        "metrics": _table(comparison.metrics_shown()),
        "changed": _table(comparison.arguments_shown()),
        "code": [{"name": name, "diff": text} for name, text in comparison.code_changes.items()],
    }


def compared_payload(
    runs: Sequence[tuple[str | None, str]], client: Callable[[str], BlanklyClient]
) -> dict[str, Any]:
    """The same, of runs of any account.

    Args:
        runs: account and run id; the account is None for a backtest of this machine.
        client: gives the client of an account.
    """
    from ..executor.compare import compare
    from ..executor.history import RunStore

    store = RunStore()
    results = [
        store.get(run) if account is None else _remote(client(account), run)
        for account, run in runs
    ]
    return comparison_payload(compare(results))


def _remote(client: BlanklyClient, run_id: str) -> BacktestResult:
    """A result of a server, with the code that made it."""
    from ..executor.platform import fetch_result

    run = client.run(run_id)
    return fetch_result(client, run_id, model=_model(client, run.version_id), args=run.args)


def _model(client: BlanklyClient, version_id: str) -> Model | None:
    """None where the server keeps no package: the figures can be compared without it."""
    try:
        return Model.from_zip(client.package(version_id))
    except DeployMagicsError:
        return None


def _table(table: Table) -> dict[str, list[Any]]:
    rows = [[str(value) for value in row] for row in table.rows]
    return {"head": [str(heading) for heading in table.headings], "rows": rows}
