"""Builds and requests of UbiOps packages, each in processes of its own under a guard."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy_magics.errors import DeployMagicsError, RunCancelledError
from deploy_magics.executor.environment import Environment
from deploy_magics.server.workers.guarded import run_guarded
from deploy_magics.server.workers.job import Job, Outcome, for_now
from deploy_magics.server.workers.prepare import environment_of
from deploy_magics.server.workers.ubiops_package import Package, unpack

PROCESS = Path(__file__).with_name("deployment_process.py")
CHECK_SECONDS = 600.0
REQUEST_SECONDS = 3600.0
ERROR_LENGTH = 1024


def build(job: Job) -> Outcome:
    """queued → building → validating → success or failed, told to the revision as it goes.

    What fails here leaves the active revision as it was.
    """
    revision = job.revision()
    mark = job.services.versions.update_revision
    try:
        mark(revision.id, status="building", error_message="")
        job.say(state="building")
        package, environment = _ready(job)
        mark(revision.id, status="validating")
        result = _run(job, package, environment, {"mode": "check"}, CHECK_SECONDS)
        if "error" in result:
            raise DeployMagicsError(str(result["error"]))
    except RunCancelledError:
        again = job.shutdown or job.lost
        if not job.lost:
            mark(
                revision.id,
                status="queued" if again else "failed",
                error_message="" if again else "The build was cancelled",
            )
        return Outcome("cancelled")
    except DeployMagicsError as error:
        if for_now(error):
            raise
        message = str(error)[:ERROR_LENGTH]
        mark(revision.id, status="failed", error_message=message)
        return Outcome("failed", message)
    finally:
        shutil.rmtree(job.folder / "package", ignore_errors=True)
    mark(revision.id, status="success", error_message="", **_methods(result))
    return Outcome("succeeded")


def _methods(result: dict[str, Any]) -> dict[str, bool]:
    return {name: bool(result.get(name)) for name in ("has_request", "has_requests")}


def request(job: Job) -> Outcome:
    """One request to a deployment; its answer is the ``output`` in the run's result.json."""
    inputs = {each.symbol: each.sha256 for each in job.services.runs.inputs(job.run.id)}
    data = json.loads(job.services.blobs.read(inputs["request"]))
    package, environment = _ready(job)
    try:
        result = _run(job, package, environment, {"mode": "request", "data": data}, REQUEST_SECONDS)
    finally:
        shutil.rmtree(job.folder / "package", ignore_errors=True)
    if "error" in result:
        return Outcome("failed", str(result["error"])[:ERROR_LENGTH])
    return Outcome("succeeded")


def _ready(job: Job) -> tuple[Package, Environment]:
    """The package unpacked in the run's folder, and the environment that it asks for."""
    folder = job.fresh_folder()
    package = unpack(job.package(), folder / "package", job.variables())
    version = job.version()
    environment = environment_of(
        folder / "environment", version.python_version, package.requirements, job.stop
    )
    job.say(state="running")
    return package, environment


def _run(
    job: Job, package: Package, environment: Environment, task: dict[str, Any], seconds: float
) -> dict[str, Any]:
    version = job.version()
    described = {
        **task,
        "package": str(package.folder),
        "script": package.script,
        "context": {"version": version.name, "process_id": 0, "environment": environment.version},
    }
    return run_guarded(
        job.folder,
        [str(environment.python), str(PROCESS)],
        described,
        stop=job.stop,
        limits=replace(job.limits, seconds=seconds),
        env={"HOME": str(job.folder), **job.variables()},
    )
