"""Bringing a version onto the platform: sent, watched until it runs, explained where it fails."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..display import Progress, progress
from ..errors import ModelFailedError, RunCancelledError
from ..model import Model
from ..platforms.blankly import BlanklyClient
from ..platforms.blankly_types import Accepted, Run
from ..platforms.session import new_key
from .deployment import Deployment, progress_lines
from .patience import patiently

if TYPE_CHECKING:
    from ..executor.data import PriceSet

STARTS = 120.0  # seconds that a fresh run is watched until it runs


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


def deployed(here: BlanklyClient, model: Model, accepted: Accepted, wait: bool) -> Deployment:
    run = here.run(accepted.run_id) if accepted.run_id else Run("")
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
        note="" if run.id else _without_run(model),
    )


def _without_run(model: Model) -> str:
    """Why a version that was taken has no run that could be watched."""
    if model.manifest.type == "screener":
        return "It runs on its schedule."
    return "It was accepted; this server does not say how it runs."


def wait_until_running(here: BlanklyClient, name: str, run: Run) -> Run:
    """Watch a fresh run until it runs, or has ended well.

    An interrupt ends the watching and not the run.

    Raises:
        ModelFailedError: it failed; with what it printed last.
    """
    deadline, run_id = time.monotonic() + STARTS, run.id
    with progress(None, f"{name}: {run.state}") as line:
        try:
            while run.state in ("queued", "building", "") and time.monotonic() < deadline:
                if run.restarts and run.error:
                    break  # it fell and waits for its next try: that is to be seen
                _say(line, name, run)
                time.sleep(0.1)
                run = patiently(lambda: here.run(run_id), line)
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
