"""From a model to a version that runs on the platform."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from ..display import Progress, announce, progress
from ..errors import ModelFailedError, RunCancelledError
from ..executor.data import PriceSet
from ..model import Model
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import Accepted, Run
from ..platforms.session import new_key
from . import names
from .arguments import backtest_args, carried
from .collect import collect
from .deployment import Deployment, progress_lines
from .feeds import choose_feed
from .find import find_project, known_model
from .kinds import Cell, Completes, FilePath, FolderPath, ProjectName, Source
from .session import client
from .workspace import current

STARTS = 120.0  # seconds that a fresh run is watched until it runs


def deploy(
    source: FilePath = None,
    *,
    cell: Cell = None,
    name: Annotated[str | None, Completes("model")] = None,
    message: str = "",
    plan: Annotated[str | None, Completes("plan")] = None,
    project: ProjectName = None,
    description: str = "",
    data: Mapping[str, Source] | None = None,
    to: str | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
    initial_values: Mapping[str, float] | None = None,
    exchange: str | None = None,
    pace: float | str | None = None,
    live: bool = False,
    yes: bool = False,
    schedule: str | None = None,
    path: FolderPath = None,
    include: Sequence[str] = (),
    only: bool = False,
    requirements: Sequence[str] = (),
    python: str | None = None,
    run: bool = False,
    wait: bool = True,
    platform: Literal["blankly", "ubiops"] = "blankly",
) -> Deployment:
    """Deploy the model as a new version, and run it; on paper, unless --live says otherwise.

    A paper run replays the data of the model's last backtest, over the same span and from the
    same account, except what is said anew: it is that backtest with the clock on.

    Args:
        source: a folder with blankly.json, a zip or a program; left out, the cell or the last one.
        cell: the strategy.
        name: the model it is a version of, or the new model's name; left out, after the notebook.
        message: what is new in this version.
        plan: the size of the machine it runs on.
        project: the project of a new model.
        description: what a new model is about.
        data: prices that the paper run replays: a file or a DataFrame by symbol.
        to: of the replay, how far back from its end, like 1y, 6M, 30d.
        start_date: the replay's first day.
        end_date: the replay's last day.
        initial_values: the paper account at the start, like USD=10000.
        exchange: live prices of this exchange, for paper.
        pace: of a replay: bars a second (1), 0 for as fast as it goes, or "real".
        live: send real orders to the exchange that the model constructs; asks first.
        yes: do not ask.
        schedule: when a screener runs, as a cron line.
        path: an existing model's folder, packed as it is.
        include: further files, folders and globs to take along.
        only: nothing but cells tagged "model" beside the strategy's own.
        requirements: lines or a file, in place of what the imports say.
        python: the Python it runs on, like 3.10.
        run: run the cell in the kernel too.
        wait: return when it runs; --no-wait returns when it is accepted.
        platform: whose API takes it.
    """
    found = collect(
        path or source,
        cell=cell,
        name=name,
        include=include,
        only=only,
        requirements=requirements,
        python=python,
    ).model
    if platform == "ubiops":
        from .ubiops import deploy as deploy_on_ubiops

        shipped: Deployment = deploy_on_ubiops(found, message=message)
        return shipped
    said = backtest_args(
        to=to, start_date=start_date, end_date=end_date, initial_values=initial_values
    )
    feed, prices = choose_feed(found, data=data, exchange=exchange, pace=pace, live=live, yes=yes)
    if run and cell is not None:
        run_in_kernel(cell)
    here = client()
    existing = known_model(here, found.name, project)
    place = existing.project_id if existing else find_project(here, project).id
    options: dict[str, Any] = {
        "project_id": place,
        "model_id": existing.id if existing else "",
        "name": found.name,
        "type": found.manifest.type,
        "description": description,
        "message": message,
        "plan": plan or found.manifest.plan or "",
        "python_version": found.manifest.python_version or "",
        "schedule": schedule or found.manifest.schedule or "",
        "feed": feed,
        "args": carried(current().arguments.get(found.name, {}), said) if prices else said,
        "live": live,
    }
    accepted = upload(here, found, prices, options)
    names.forget()
    workspace = current()
    workspace.model_name, workspace.project_id = found.name, accepted.project_id or place
    announce("changed", {})
    return _deployed(here, found, accepted, wait)


def upload(
    here: BlanklyClient, model: Model, prices: PriceSet | None, options: Mapping[str, Any]
) -> Accepted:
    """Send the package, and the prices with it, showing how far it is.

    An interrupt before the platform has answered leaves nothing behind that runs unseen: the
    error says so.
    """
    with (
        tempfile.TemporaryDirectory(prefix="deploy_magics-") as folder,
        progress(None, f"Uploading {model.name}") as line,
    ):
        package = model.to_zip(Path(folder) / "model.zip")
        try:
            return here.deploy(
                package,
                sha256=model.digest,
                prices=prices.to_upload() if prices else None,
                key=new_key(),
                on_progress=lambda sent, total: line.update(sent, total),
                **options,
            )
        except KeyboardInterrupt:
            raise RunCancelledError(
                f"The upload of {model.name} was broken off.",
                "%deploy_versions says whether it arrived.",
            ) from None


def _deployed(here: BlanklyClient, model: Model, accepted: Accepted, wait: bool) -> Deployment:
    run = here.run(accepted.run_id) if accepted.run_id else Run("", state="queued")
    if wait and run.id:
        run = wait_until_running(here, model.name, run)
    project = next((each.name for each in here.projects() if each.id == accepted.project_id), "")
    return Deployment(
        name=model.name,
        version=accepted.version,
        project=project,
        server=here.base_url,
        run=run,
        model_id=accepted.model_id,
        version_id=accepted.version_id,
    )


def wait_until_running(here: BlanklyClient, name: str, run: Run) -> Run:
    """Watch a fresh run until it runs, or has ended well.

    An interrupt ends the watching and not the run.

    Raises:
        ModelFailedError: it failed; with what it printed last.
    """
    deadline = time.monotonic() + STARTS
    with progress(None, f"{name}: {run.state}") as line:
        try:
            while run.state in ("queued", "building", "") and time.monotonic() < deadline:
                _say(line, name, run)
                time.sleep(0.1)
                run = here.run(run.id)
        except KeyboardInterrupt:
            return run
    if run.state == "failed":
        raise failed(here, name, run)
    return run


def failed(here: BlanklyClient, name: str, run: Run) -> ModelFailedError:
    """The error for a run that failed on the platform, with the end of its log."""
    try:
        log = here.logs(run.id).text
    except Exception:  # the log is an extra; the failure itself has to be said
        log = ""
    tail = "\n".join(log.rstrip().splitlines()[-30:])
    error = ModelFailedError(
        f"{name} failed on the platform: {run.error or 'no reason was given'}.".replace("..", "."),
        f"%deploy_logs --run {run.id} shows all of its log.",
        traceback=tail,
    )
    error.logs = log
    return error


def _say(line: Progress, name: str, run: Run) -> None:
    line.label = f"{name}: {run.state}"
    line.update(0, note=", ".join(text for _, text in progress_lines(run.progress)))


def run_in_kernel(cell: str) -> None:
    """Run the cell in the kernel too, as if it had no magic on it."""
    shell = current().shell
    if shell is not None:
        shell.run_cell(cell).raise_error()
