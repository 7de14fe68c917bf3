"""From a model to a version that runs on the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..display import announce
from ..errors import UsageError
from ..platforms.blankly_types import ModelInfo
from . import names
from .arguments import backtest_args, carried
from .collect import collect
from .deployment import Deployment
from .feeds import choose_feed
from .find import find_project, known_model
from .kinds import Cell, Completes, FilePath, FolderPath, ProjectName, Source
from .rollout import deployed, upload
from .session import client
from .workspace import current, run_in_kernel

if TYPE_CHECKING:
    from .ubiops import UbiopsDeployment


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
    version: str | None = None,
    input: Mapping[str, str] | None = None,
    output: Mapping[str, str] | None = None,
) -> Deployment | UbiopsDeployment:
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
        version: on UbiOps, the deployment version.
        input: on UbiOps, the request's fields, NAME=TYPE.
        output: on UbiOps, the answer's fields, NAME=TYPE.
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
    said = backtest_args(
        to=to, start_date=start_date, end_date=end_date, initial_values=initial_values
    )
    if platform == "ubiops":
        from .ubiops import deploy as deploy_on_ubiops

        return deploy_on_ubiops(
            found,
            message=message,
            project=project,
            description=description,
            version=version,
            inputs=input,
            outputs=output,
            data=data,
            arguments=said,
            wait=wait,
        )
    if version or input or output:
        raise UsageError("--version, --input and --output are for --platform ubiops.")
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
    workspace.made[here.base_url, found.name] = ModelInfo(
        accepted.model_id, found.name, project_id=workspace.project_id
    )
    announce("changed", {})
    return deployed(here, found, accepted, wait)
