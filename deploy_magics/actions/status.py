"""What runs on the platform: looked at, watched, stopped, started."""

from __future__ import annotations

import time

from ..display import Table, announce, progress
from ..errors import UsageError
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import Run
from .deployment import Deployment, progress_lines
from .find import all_models, find_run
from .kinds import ModelName, RunId, VersionNumber
from .patience import patiently
from .rollout import wait_until_running
from .session import client
from .versions import state_text

STOPS = 60.0  # seconds that a stop is watched


def status(
    name: ModelName = None,
    *,
    version: VersionNumber = None,
    run: RunId = None,
    all: bool = False,
    watch: bool = False,
) -> Deployment | Table:
    """Show the state of a model's live run: how far it is, its account, its last error.

    Args:
        name: the model; left out, the one deployed last.
        version: one version's run; left out, the model's running one, else its newest.
        run: a run by its id.
        all: every run that has not ended, and the newest ended ones.
        watch: go on showing it until it ends; Ctrl-C ends the watching and not the run.
    """
    here = client()
    if all:
        return _all_runs(here)
    found = find_run(here, name, version, run)
    if watch:
        found = _watched(here, found)
    return _deployment(here, found)


def stop(
    name: ModelName = None,
    *,
    version: VersionNumber = None,
    run: RunId = None,
    wait: bool = True,
) -> Deployment:
    """Stop a live run; it can be started again.

    Args:
        name: the model; left out, the one deployed last.
        version: one version's run.
        run: a run by its id.
        wait: return when it has ended.
    """
    here = client()
    found = find_run(here, name, version, run)
    if found.ended:
        said = _deployment(here, found)
        said.note = "It had ended already."
        return said
    here.stop(found.id)
    found = here.run(found.id)
    deadline = time.monotonic() + STOPS
    if wait:
        with progress(None, "Stopping") as line:
            while not found.ended and time.monotonic() < deadline:
                line.phase(found.state)
                time.sleep(0.1)
                found = here.run(found.id)
    announce("changed", {})
    return _deployment(here, found)


def start(
    name: ModelName = None,
    *,
    version: VersionNumber = None,
    run: RunId = None,
    wait: bool = True,
) -> Deployment:
    """Start a run again that was stopped or has ended.

    Args:
        name: the model; left out, the one deployed last.
        version: one version's run.
        run: a run by its id.
        wait: return when it runs.
    """
    here = client()
    found = find_run(here, name, version, run)
    if not found.ended:
        raise UsageError(f"It is {found.state} already.", "%deploy_status shows it.")
    again = here.start(found.id)
    found = here.run(again.id or found.id)
    if wait:
        found = wait_until_running(here, "The run", found)
    announce("changed", {})
    return _deployment(here, found)


def _watched(here: BlanklyClient, run: Run) -> Run:
    run_id = run.id
    with progress(None, state_text(run.state)) as line:
        try:
            while not run.ended:
                line.label = state_text(run.state)
                done, total = run.progress.get("done"), run.progress.get("total")
                note = ", ".join(text for _, text in progress_lines(run.progress)[1:])
                line.update(float(done or 0), float(total) if total else None, note)
                time.sleep(0.5)
                run = patiently(lambda: here.run(run_id), line)
        except KeyboardInterrupt:
            line.finish("succeeded", "Watching has ended; the run goes on.")
    return run


def _deployment(here: BlanklyClient, run: Run) -> Deployment:
    model = next((each for each in all_models(here) if each.id == run.model_id), None)
    projects = {each.id: each.name for each in here.projects()}
    return Deployment(
        name=model.name if model else "run",
        version=run.version,
        project=projects.get(model.project_id, "") if model else "",
        server=here.base_url,
        run=run,
        model_id=run.model_id,
        version_id=run.version_id,
    )


def _all_runs(here: BlanklyClient) -> Table:
    named = {model.id: model.name for model in all_models(here)}
    rows = [
        [
            named.get(run.model_id, ""),
            f"v{run.version}" if run.version is not None else "",
            run.kind,
            state_text(run.state),
            ", ".join(text for _, text in progress_lines(run.progress)),
            run.started_at or run.created_at,
            run.error or run.description,
            run.id,
        ]
        for run in sorted(here.runs(limit=50), key=lambda run: run.ended)
    ]
    headings = ["model", "version", "kind", "state", "progress", "started", "", "run"]
    return Table(headings, rows, empty="Nothing runs, nothing has run.")
