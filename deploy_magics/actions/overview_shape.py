"""Projects, models, versions and runs as the panel's JSON, with what can be done about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..platforms.blankly_types import LIVE_STATES, ModelInfo, Project, Run, Version
from .deployment import feed_text, holding_lines, progress_lines

RUNS_SHOWN = 20


def nested(answer: Any) -> list[dict[str, Any]]:
    """The server's overview as the panel's tree: runs stand below their version."""
    projects = answer.get("projects", []) if isinstance(answer, Mapping) else answer
    return [
        {
            **_named(Project.of(item)),
            "models": [_model(model) for model in item.get("models") or ()],
        }
        for item in projects
    ]


def _model(answer: Mapping[str, Any]) -> dict[str, Any]:
    runs = [Run.of(item) for item in answer.get("runs") or ()]
    items = list(answer.get("versions") or ())
    found = [(Version.of(item), [Run.of(run) for run in item.get("runs") or ()]) for item in items]
    found.sort(key=lambda pair: pair[0].number or 0, reverse=True)
    versions = [
        _version(
            version, [*own, *(run for run in runs if run.version_id == version.id)], place == 0
        )
        for place, (version, own) in enumerate(found)
    ]
    return {**_named(ModelInfo.of(answer)), "versions": versions}


def _version(version: Version, runs: Sequence[Run], newest: bool) -> dict[str, Any]:
    return {
        "id": version.id,
        "number": version.number or 0,
        "name": f"v{version.number}",
        "description": version.description,
        "createdAt": seconds(version.created_at),
        "plan": version.plan,
        "state": version.state or None,
        "status": "",
        "default": False,
        "revision": "",
        "steps": version_steps([run.state for run in runs if run.kind == "live"], newest),
        "runs": [run_shape(run) for run in runs[:RUNS_SHOWN]],
    }


def version_steps(states: Sequence[str], newest: bool) -> list[str]:
    """What can be done about a version, by the states of its live runs."""
    going = any(state in LIVE_STATES for state in states)
    return ["stop" if going else "run", *([] if newest else ["rollback"])]


def live_facts(run: Run) -> list[tuple[str, str]]:
    """What a live run says of itself: where its prices come from, how far it is, what it holds."""
    told = [("runs on", feed_text(run.feed))] if run.feed else []
    return told + progress_lines(run.progress) + holding_lines(run.progress)


def run_steps(run: Run) -> list[str]:
    """What can be done about a run."""
    if not run.ended:
        return ["logs", "stop"]
    if run.kind == "live":
        return ["logs", "start"]
    return ["result", "compare", "logs"] if run.state == "succeeded" else ["logs"]


def _named(thing: Project | ModelInfo) -> dict[str, Any]:
    return {"id": thing.id, "name": thing.name, "description": thing.description}


def run_shape(run: Run) -> dict[str, Any]:
    """One run as the panel's JSON."""
    done, total = run.progress.get("done"), run.progress.get("total")
    return {
        "id": run.id,
        "kind": run.kind,
        "state": run.state,
        "createdAt": seconds(run.created_at),
        "startedAt": seconds(run.started_at),
        "endedAt": seconds(run.ended_at),
        "description": run.description,
        "error": run.error or None,
        "progress": done / total if done is not None and total else None,
        "restarts": run.restarts,
        "nextTry": seconds(run.next_try),
        "real": run.live,
        "facts": live_facts(run) if run.kind == "live" else [],
        "steps": run_steps(run),
    }


def seconds(at: datetime | None) -> float | None:
    """Seconds since the epoch."""
    return at.timestamp() if at is not None else None
