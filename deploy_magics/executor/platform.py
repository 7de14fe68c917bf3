"""A backtest's result from the platform that ran it: the same BacktestResult as one from here."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.result import BacktestResult
from deploy_magics.model import Model

MAX_LOG = 1_000_000  # bytes of log that are fetched


class ResultSource(Protocol):
    """What is asked of a platform's client."""

    def result(self, run_id: str) -> Mapping[str, Any]: ...
    def arrays(self, run_id: str) -> bytes: ...
    def logs(self, run_id: str, offset: int = 0, wait: float = 0) -> Any: ...


def fetch_result(
    client: ResultSource,
    run_id: str,
    *,
    model: Model | None = None,
    prices: PriceSet | None = None,
    args: Mapping[str, Any] | None = None,
) -> BacktestResult:
    """The result of a run that succeeded there.

    Raises RunError for a result that is damaged, PlatformError for what the way there gives.
    """
    with tempfile.TemporaryDirectory(prefix="deploy_magics-") as place:
        folder = Path(place)
        record = json.dumps(dict(client.result(run_id)))
        (folder / "result.json").write_text(record, "utf-8")
        if arrays := client.arrays(run_id):
            (folder / "result.npz").write_bytes(arrays)
        (folder / "output.log").write_text(_log(client, run_id), "utf-8")
        if prices is not None:
            prices.write()  # into the cache, for the picture after a restart
        result = BacktestResult.from_run_folder(
            folder, model=model, prices=prices, args=args, id=run_id
        )
    return replace(result, where="platform")


def _log(client: ResultSource, run_id: str) -> str:
    text, offset = "", 0
    while len(text) < MAX_LOG:
        part = client.logs(run_id, offset)
        if not part.text or part.offset <= offset:
            break
        text, offset = text + part.text, part.offset
    return text
