"""A sweep on this machine's cores: on each a process that forks a run for each point."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy_magics.executor import warm
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.local import Limits, write_job
from deploy_magics.executor.process import Guarded, read_exit, start_guarded
from deploy_magics.executor.sweep_points import Outcome, Point, outcome_in
from deploy_magics.executor.sweep_pool import Done, LocalPool, cores
from deploy_magics.model import Model

LOOK = 0.05  # seconds between two looks for runs that are over
UNLIMITED = Limits()


@dataclass
class BatchPool:
    """The points of one model, as many at once as there are cores; see ``sweep_pool.Pool``.

    Points that a batch lost (its process was killed) are run again, each under a guard of its own,
    which also tells what is wrong with them.
    """

    environment: Environment
    prices: PriceSet | None
    model: Model
    engine: str = "fast"
    limits: Limits | None = None
    workers: int = field(default_factory=cores)

    def run(self, points: Iterable[Point], done: Done) -> None:
        waiting = {f"{point.number:07}": point for point in points}
        with tempfile.TemporaryDirectory(
            prefix="deploy_magics-sweep-", ignore_cleanup_errors=True
        ) as place:
            folder = Path(place)
            self._lay(folder, waiting)
            batches = []
            try:
                for number in range(min(self.workers, len(waiting))):
                    batches.append(self._start(folder, number))
                for name, outcome in self._outcomes(folder, waiting, batches):
                    done(waiting.pop(name), outcome)
            finally:
                for batch in batches:
                    batch.cancel()
                for batch in batches:
                    batch.wait(10.0)
        if waiting:
            alone = LocalPool(self.environment, self.prices, self.engine, self.limits, self.workers)
            alone.run(list(waiting.values()), done)

    def _lay(self, folder: Path, points: dict[str, Point]) -> None:
        batch = lay_batch(folder, self.model, self.prices, self.engine)
        for number in range(min(self.workers, len(points))):
            (folder / f"batch-{number}").mkdir()
            (folder / f"batch-{number}" / "job.json").write_text(json.dumps(batch), "utf-8")
        for name, point in points.items():
            lay_variant(folder, name, point.model if point.constants else None, point.args)

    def _start(self, folder: Path, number: int) -> Guarded:
        """From the environment's warm process, which has the library imported."""
        place = folder / f"batch-{number}"
        limits = self.limits or UNLIMITED
        guarded = warm.start(self.environment, place, limits)
        return guarded or start_guarded(place, python=self.environment.python, limits=limits)

    def _outcomes(
        self, folder: Path, waiting: dict[str, Point], batches: list[Guarded]
    ) -> Iterator[tuple[str, Outcome]]:
        """As they come, until all are there or no batch is left to give any."""
        limits = self.limits or UNLIMITED
        while waiting:
            alive = any(batch.poll() is None for batch in batches)
            over = sorted((folder / "over").iterdir())
            for place in over:
                verdict = read_exit(place)
                if verdict is not None and place.name in waiting:
                    yield place.name, outcome_in(place, verdict, self.prices, limits)
                shutil.rmtree(place, ignore_errors=True)
            if not over:
                if not alive:
                    return
                time.sleep(LOOK)


def lay_batch(folder: Path, model: Model, prices: PriceSet | None, engine: str) -> dict[str, Any]:
    """Lays the model and the folders that a batch works in; its ``job.json``."""
    write_job(folder, model, kind="backtest", prices=prices, args={}, engine=engine)
    job = json.loads((folder / "job.json").read_text("utf-8"))
    batch = {"kind": "batch", "job": job, "model": str(folder / "model")}
    for name in ("queue", "runs", "over"):
        (folder / name).mkdir()
        batch[name] = str(folder / name)
    return batch


def lay_variant(folder: Path, name: str, model: Model | None, args: Mapping[str, Any]) -> None:
    """Puts a variant into the queue; ``model`` where its main script is another one."""
    main = model.manifest.main_path if model else ""
    files = {main: model.read(main).decode("utf-8-sig")} if model else {}
    known = {key: value for key, value in args.items() if value is not None}
    text = json.dumps({"args": known, "files": files})
    (folder / "queue" / f"{name}.json").write_text(text, "utf-8")


def can_batch(limits: Limits | None) -> bool:
    """Where processes fork, and nothing is said of time, memory or cores for each run alone."""
    return warm.why_not() is None and (limits is None or limits == UNLIMITED)
