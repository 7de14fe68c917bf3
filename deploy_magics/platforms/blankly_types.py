"""What the deployment API answers, as types; fields that a server leaves out are None or empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

LIVE_STATES = frozenset({"queued", "building", "running"})
END_STATES = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Identity:
    """Whose token it is, and what it may do."""

    user_id: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    token_name: str = ""
    token_id: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Identity:
        token = mapping(answer.get("token"))
        return cls(
            str(answer.get("user_id") or ""),
            str(answer.get("name") or answer.get("email") or ""),
            tuple(answer.get("scopes") or ()),
            str(token.get("name") or ""),
            str(token.get("id") or ""),
        )


@dataclass(frozen=True)
class Project:
    """A project that holds models."""

    id: str
    name: str
    description: str = ""
    created_at: datetime | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Project:
        return cls(
            str(answer.get("projectId") or answer.get("id") or ""),
            str(answer.get("name") or ""),
            str(answer.get("description") or ""),
            moment(answer.get("createdAt")),
        )


@dataclass(frozen=True)
class Plan:
    """The size of a machine."""

    name: str
    cpu: str = ""
    ram: str = ""

    @classmethod
    def of(cls, name: str, answer: Any) -> Plan:
        sizes = answer if isinstance(answer, Mapping) else {}
        return cls(name, str(sizes.get("cpu") or ""), str(sizes.get("ram") or ""))


@dataclass(frozen=True)
class ModelInfo:
    """A model on the platform."""

    id: str
    name: str
    type: str = "strategy"
    description: str = ""
    project_id: str = ""
    created_at: datetime | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any], project_id: str = "") -> ModelInfo:
        return cls(
            str(answer.get("id") or answer.get("modelId") or ""),
            str(answer.get("name") or ""),
            str(answer.get("type") or "strategy"),
            str(answer.get("generalDescription") or answer.get("description") or ""),
            str(answer.get("projectId") or project_id),
            moment(answer.get("createdAt")),
        )


@dataclass(frozen=True)
class Version:
    """One version of a model: what was uploaded, and the run that it has live."""

    id: str
    number: int | None
    model_id: str = ""
    description: str = ""
    created_at: datetime | None = None
    sha256: str = ""
    size: int | None = None
    plan: str = ""
    python_version: str = ""
    state: str = ""
    run_id: str = ""

    @property
    def name(self) -> str:
        return f"v{self.number}"

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Version:
        return cls(
            str(answer.get("versionId") or answer.get("id") or ""),
            whole(answer.get("version")),
            str(answer.get("modelId") or ""),
            str(answer.get("description") or answer.get("versionDescription") or ""),
            moment(answer.get("createdAt")),
            str(answer.get("sha256") or ""),
            whole(answer.get("size")),
            str(answer.get("plan") or ""),
            str(answer.get("pythonVersion") or ""),
            str(answer.get("state") or ""),
            str(answer.get("runId") or ""),
        )


@dataclass(frozen=True)
class Run:
    """A backtest or a live run on the platform.

    Attributes:
        restarts: how often it was started again after its model fell.
        next_try: when a queued run is started at the earliest.
    """

    id: str
    kind: str = ""
    state: str = ""
    attempts: int = 0
    restarts: int = 0
    next_try: datetime | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str = ""
    progress: Mapping[str, Any] = field(default_factory=dict)
    model_id: str = ""
    version_id: str = ""
    version: int | None = None
    description: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    feed: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False  # on the model's own exchange, with real orders

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Run:
        return cls(
            id=str(answer.get("id") or answer.get("runId") or ""),
            kind=str(answer.get("kind") or ""),
            state=str(answer.get("state") or ""),
            attempts=whole(answer.get("attempts")) or 0,
            restarts=whole(answer.get("restarts")) or 0,
            next_try=moment(answer.get("notBefore")),
            created_at=moment(answer.get("createdAt")),
            started_at=moment(answer.get("startedAt")),
            ended_at=moment(answer.get("endedAt")),
            error=str(answer.get("error") or ""),
            progress=mapping(answer.get("progress")),
            model_id=str(answer.get("modelId") or ""),
            version_id=str(answer.get("versionId") or ""),
            version=whole(answer.get("version")),
            description=str(answer.get("description") or ""),
            args=mapping(answer.get("args")),
            feed=mapping(answer.get("feed")),
            live=answer.get("live") is True,
        )

    @property
    def ended(self) -> bool:
        return self.state in END_STATES


@dataclass(frozen=True)
class Accepted:
    """What the platform answers to an upload."""

    project_id: str
    model_id: str
    version_id: str
    run_id: str = ""
    version: int | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Accepted:
        return cls(
            str(answer.get("projectId") or ""),
            str(answer.get("modelId") or ""),
            str(answer.get("versionId") or ""),
            str(answer.get("runId") or answer.get("backtestId") or ""),
            whole(answer.get("version")),
        )


@dataclass(frozen=True)
class LogPart:
    """A piece of a run's log, and where the next one starts (bytes)."""

    text: str
    offset: int
    state: str = ""


def moment(value: Any) -> datetime | None:
    """A time in UTC from ISO text or epoch seconds (milliseconds are told by their size)."""
    if value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        try:
            parsed = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            return None
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
    try:
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None


def whole(value: Any) -> int | None:
    """A whole number, None where it is none."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
