"""A backtest: of a cell, of the last model again, of a folder or a zip; here or on the platform."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import UsageError
from ..model import Model, settle
from .arguments import backtest_args, carried, known_settings
from .collect import collect
from .feeds import prices_for
from .kinds import Cell, Completes, FilePath, FolderPath, Json, Names, ProjectName, Source
from .limits import read_limits
from .naming import notebook_path
from .sweeps import sweep_model
from .watch import Watch
from .workspace import current, run_in_kernel

if TYPE_CHECKING:
    from ..executor.data import PriceSet
    from ..executor.environment import Environment
    from ..executor.local import Limits
    from ..executor.result import BacktestResult


@dataclass
class Job:
    """One backtest, ready to run."""

    model: Model
    prices: PriceSet | None
    args: dict[str, Any]
    engine: str
    limits: Limits
    fresh: bool
    env: str | None = None
    folder: Path | None = None


def backtest(
    source: FilePath = None,
    *,
    cell: Cell = None,
    data: Mapping[str, Source] | None = None,
    to: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
    initial_values: Mapping[str, float] | None = None,
    args: Json = None,
    on: Annotated[str, Completes("place")] = "local",
    name: str | None = None,
    message: str = "",
    project: ProjectName = None,
    plan: str | None = None,
    background: bool = False,
    fresh: bool = False,
    engine: Literal["fast", "plain"] = "fast",
    env: Literal["kernel"] | None = None,
    limits: Mapping[str, str] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    random: int | None = None,
    folds: int | None = None,
    by: str | None = None,
    path: FolderPath = None,
    include: Sequence[str] = (),
    only: bool = False,
    requirements: Sequence[str] = (),
    python: str | None = None,
    run: bool = False,
    **settings: Annotated[Any, Names(known_settings)],
) -> Any:
    """Backtest the model in a process of its own, and show how it did.

    The model again (no cell, no path) keeps the data and the arguments of its last run, except
    what is said anew.

    Args:
        source: a folder with blankly.json, a zip or a program; left out, the cell or the last one.
        cell: the strategy.
        data: prices that stand in for the exchange: a file or a DataFrame by symbol.
        to: how far back, like 1y, 6M, 30d.
        start_date: the first day.
        end_date: the last day.
        initial_values: the account at the start, like USD=10000.
        args: the arguments of .backtest() as JSON.
        on: "local", "platform", or a Dask scheduler's tcp:// address.
        name: what the model is called; left out, after the notebook.
        message: what this backtest tries.
        project: on the platform, the project of a new model.
        plan: on the platform, the size of the machine.
        background: return at once, with a handle.
        fresh: run it even if the same run is in the store.
        engine: "plain" is the library's own, "fast" gives the same figures sooner.
        env: "kernel" runs it with the kernel's own Python and packages.
        limits: what it may use, like time=60s memory=2GB.
        sweep: values to try, NAME=1,2,3 of a name that the strategy assigns.
        random: try so many of the combinations, drawn at random.
        folds: walk forward over so many folds.
        by: the metric that a sweep is sorted by.
        path: an existing model's folder, packed as it is.
        include: further files, folders and globs to take along.
        only: nothing but cells tagged "model" beside the strategy's own.
        requirements: lines or a file, in place of what the imports say.
        python: the Python it runs on, like 3.10.
        run: run the cell in the kernel too.
        settings: any setting of backtest.json.
    """
    again = cell is None and source is None and path is None
    found = collect(
        path or source,
        cell=cell,
        name=name,
        include=include,
        only=only,
        requirements=requirements,
        python=python,
    ).model
    said = backtest_args(
        to=to,
        start_date=start_date,
        end_date=end_date,
        initial_values=initial_values,
        args=args,
        settings=settings,
    )
    workspace = current()
    arguments = carried(workspace.arguments.get(found.name, {}), said) if again else said
    workspace.arguments[found.name] = arguments
    if run and cell is not None:
        run_in_kernel(cell)
    job = Job(
        model=found,
        prices=prices_for(found, data, remembered=again),
        args=arguments,
        engine=engine,
        limits=read_limits(limits),
        fresh=fresh,
        env=env,
    )
    if sweep or random is not None or folds is not None:
        return sweep_model(job, sweep, random=random, folds=folds, by=by, on=on)
    if on == "platform":
        from .remote import backtest_on_platform

        return backtest_on_platform(
            job, message=message, project=project, plan=plan, background=background
        )
    if on.startswith("tcp://"):
        from .clustered import backtest_on_cluster

        return backtest_on_cluster(job, on)
    if on != "local":
        raise UsageError(f"--on cannot be {on!r}.", "Say local, platform or tcp://host:port.")
    if background:
        from .background import start_in_background

        return start_in_background(job)
    return run_here(job)


def run_here(job: Job) -> BacktestResult:
    """Run on this machine and wait; an identical run of before answers in its place.

    Raises:
        RunCancelledError: an interrupt; the model and all it started have ended.
        ModelFailedError: the model raised; with its traceback, cells and lines.
    """
    from ..executor.endings import not_started
    from ..executor.history import RunStore
    from ..executor.local import run_backtest

    environment = environment_of(job)
    key = key_of(job, environment)
    store = RunStore()
    known = None if job.fresh else store.find(key)
    if known is not None:
        return answered(job, known)
    try:
        place = Path(tempfile.mkdtemp(prefix="deploy_magics-"))
    except OSError as error:
        raise not_started(error) from None
    folder = place / uuid.uuid4().hex[:12]
    try:
        with Watch(job.model.name, folder) as watch:
            result = run_backtest(
                job.model,
                prices=job.prices,
                args=job.args,
                environment=environment,
                engine=job.engine,
                limits=job.limits,
                on_event=watch.event,
                folder=folder,
            )
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return kept(job, result, key)


def answered(job: Job, known: BacktestResult) -> BacktestResult:
    """A result of before, with what is to be said of the prices that were given now."""
    about_prices = tuple(f"{symbol}: " for symbol in known.data_digests)
    notes = [note for note in known.notes if not note.startswith(about_prices)]
    return replace(known.cached(), notes=(*notes, *(job.prices.notes if job.prices else ())))


def kept(job: Job, result: BacktestResult, key: str) -> BacktestResult:
    """Store a result, and settle the model's requirements by what its run imported."""
    from ..executor.history import RunStore

    notes = tuple(dict.fromkeys([*result.notes, *(job.prices.notes if job.prices else ())]))
    result = replace(result, key=key, notes=notes)
    RunStore().add(result, notebook=str(notebook_path() or ""))
    last = current().last
    if last is not None and last.model is job.model:
        last.model = settle(job.model, result.imports)
    return result


def environment_of(job: Job) -> Environment:
    """The model's Python and packages, built with a progress line where they are not there."""
    from ..display import progress
    from ..executor import warm
    from ..executor.environment import ensure_environment, kernel_environment

    if job.env == "kernel":
        if find_spec("blankly") is None:
            raise UsageError(
                "The kernel's own Python holds no blankly.",
                "Install it there (%pip install --pre blankly 'numpy<2'), or leave out --env.",
            )
        return kernel_environment()
    with progress(None, "The model's Python") as line:
        found = ensure_environment(
            job.model.manifest.python_version, job.model.requirements, on_progress=line.phase
        )
    if current().shell is not None:
        warm.prepare(found)
    return found


def key_of(job: Job, environment: Environment) -> str:
    from ..executor.history import run_key

    return run_key(job.model, job.args, job.prices, environment, job.engine)
