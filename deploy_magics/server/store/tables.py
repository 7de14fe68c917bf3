"""The tables. Times are seconds since the epoch; ids are made by the server, never from names.

Rows carry no relationships: a service reads the rows that it needs and hands them out detached.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = JSON().with_variant(JSONB(), "postgresql")


def new_id() -> str:
    return str(uuid.uuid4())


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        str: String(),
        float: Double(),
        dict[str, Any]: Json,
        list[Any]: Json,
    }


def _parent(column: str) -> Any:
    return ForeignKey(column, ondelete="CASCADE")


class Meta(Base):
    """One value for each name, about the whole service."""

    __tablename__ = "meta"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str | None]
    owner: Mapped[bool] = mapped_column(default=False)
    stored: Mapped[int] = mapped_column(BigInteger, default=0)  # bytes of its uploads
    created_at: Mapped[float] = mapped_column(default=time.time)


class Token(Base):
    """A refresh token: only its SHA-256 is kept. ``project_id`` narrows it to one project."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(_parent("accounts.id"), index=True)
    project_id: Mapped[str | None] = mapped_column(_parent("projects.id"), index=True)
    name: Mapped[str] = mapped_column(String(128))
    scopes: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float] = mapped_column(default=time.time)
    used_at: Mapped[float | None]
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]


class Code(Base):
    """A one-time code of the sign-in page, or of the first start (``purpose`` "setup")."""

    __tablename__ = "codes"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str | None] = mapped_column(_parent("accounts.id"))
    challenge: Mapped[str | None] = mapped_column(String(128))
    token_name: Mapped[str | None] = mapped_column(String(128))
    expires_at: Mapped[float]


class Project(Base):
    """Every account has a personal one, whose id is the account's."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("account_id", "name"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(_parent("accounts.id"))
    name: Mapped[str] = mapped_column(String(128))
    description: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float] = mapped_column(default=time.time)
    updated_at: Mapped[float] = mapped_column(default=time.time, onupdate=time.time)


class Model(Base):
    """Blankly's model, UbiOps' deployment. ``kind``: strategy, screener or deployment."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("project_id", "name"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(_parent("projects.id"))
    name: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16), default="strategy")
    description: Mapped[str] = mapped_column(Text, default="")
    input_type: Mapped[str] = mapped_column(String(16), default="structured")
    output_type: Mapped[str] = mapped_column(String(16), default="structured")
    input_fields: Mapped[list[Any]] = mapped_column(Json, default=list)
    output_fields: Mapped[list[Any]] = mapped_column(Json, default=list)
    labels: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    default_version_id: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[float] = mapped_column(default=time.time)
    updated_at: Mapped[float] = mapped_column(default=time.time, onupdate=time.time)


class Version(Base):
    """``settings`` holds a dialect's own knobs. A version may have no revision yet."""

    __tablename__ = "versions"
    __table_args__ = (
        UniqueConstraint("model_id", "number"),
        UniqueConstraint("model_id", "name"),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    model_id: Mapped[str] = mapped_column(_parent("models.id"))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(64))
    description: Mapped[str] = mapped_column(Text, default="")
    labels: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    plan: Mapped[str] = mapped_column(String(32), default="nano")
    python_version: Mapped[str | None] = mapped_column(String(8))
    active_revision_id: Mapped[str | None] = mapped_column(String(36))
    latest_revision_id: Mapped[str | None] = mapped_column(String(36))
    rollback_of: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[float] = mapped_column(default=time.time)
    updated_at: Mapped[float] = mapped_column(default=time.time, onupdate=time.time)


class Revision(Base):
    """One uploaded zip (``sha256`` None: an empty one) and the state of its build."""

    __tablename__ = "revisions"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    version_id: Mapped[str] = mapped_column(_parent("versions.id"), index=True)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    file_name: Mapped[str] = mapped_column(String(255), default="model.zip")
    status: Mapped[str] = mapped_column(String(16), default="success")
    error_message: Mapped[str] = mapped_column(Text, default="")
    has_request: Mapped[bool | None]
    has_requests: Mapped[bool | None]
    trigger: Mapped[str] = mapped_column(String(32), default="upload")
    created_by: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[float] = mapped_column(default=time.time)
    updated_at: Mapped[float] = mapped_column(default=time.time, onupdate=time.time)


class Upload(Base):
    """That an account has sent these bytes itself: the proof that it may use them again."""

    __tablename__ = "uploads"
    account_id: Mapped[str] = mapped_column(_parent("accounts.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float] = mapped_column(default=time.time)


class Run(Base):
    """The one queue: backtests, live runs, screens, and UbiOps' builds and requests.

    ``wanted`` is what the user last asked ("running" or "stopped"); ``owner``, ``attempts`` and
    ``lease_until`` say which worker holds it. No foreign keys: a run outlives the deletion of its
    model (``deleted``) until its processes are gone.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_queue", "state", "created_at"),
        Index("ix_runs_account", "account_id", "created_at"),
        Index("ix_runs_waiting", "account_id", "state"),
        Index("ix_runs_model", "model_id", "created_at"),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(String(36))
    project_id: Mapped[str] = mapped_column(String(36), index=True)
    model_id: Mapped[str | None] = mapped_column(String(36))
    version_id: Mapped[str | None] = mapped_column(String(36), index=True)
    revision_id: Mapped[str | None] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default="queued")
    wanted: Mapped[str] = mapped_column(String(16), default="running")
    plan: Mapped[str] = mapped_column(String(32), default="nano")
    description: Mapped[str] = mapped_column(Text, default="")
    args: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    feed: Mapped[dict[str, Any] | None] = mapped_column(Json)
    live: Mapped[bool] = mapped_column(default=False)
    progress: Mapped[dict[str, Any] | None] = mapped_column(Json)
    extra: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    restarts: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[float | None]
    not_before: Mapped[float | None]
    created_at: Mapped[float] = mapped_column(default=time.time)
    updated_at: Mapped[float] = mapped_column(default=time.time, onupdate=time.time)
    started_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    deleted: Mapped[bool] = mapped_column(default=False)


class RunInput(Base):
    """A file of prices that a run was given: canonical bytes in the blob store."""

    __tablename__ = "run_inputs"
    run_id: Mapped[str] = mapped_column(_parent("runs.id"), primary_key=True)
    symbol: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)


class Variable(Base):
    """``scope_id`` is the id of the project, model or version that it belongs to.

    A secret one has ``cipher`` and no ``value``.
    """

    __tablename__ = "variables"
    __table_args__ = (UniqueConstraint("scope_id", "name"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(_parent("projects.id"), index=True)
    model_id: Mapped[str | None] = mapped_column(_parent("models.id"), index=True)
    version_id: Mapped[str | None] = mapped_column(_parent("versions.id"), index=True)
    scope_id: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(64))
    value: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[bool] = mapped_column(default=False)
    cipher: Mapped[bytes | None]
    key_id: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[float] = mapped_column(default=time.time)
    updated_at: Mapped[float] = mapped_column(default=time.time, onupdate=time.time)


class AuditEvent(Base):
    """Who did what, kept after the thing itself is gone."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_project", "project_id", "at"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    at: Mapped[float] = mapped_column(default=time.time)
    account_id: Mapped[str] = mapped_column(String(36), index=True)
    actor: Mapped[str] = mapped_column(String(254))
    project_id: Mapped[str | None] = mapped_column(String(36))
    model_id: Mapped[str | None] = mapped_column(String(36), index=True)
    version_id: Mapped[str | None] = mapped_column(String(36))
    action: Mapped[str] = mapped_column(String(16))
    object_type: Mapped[str] = mapped_column(String(64))
    object_name: Mapped[str] = mapped_column(String(255), default="")
    event: Mapped[str] = mapped_column(Text)


class Answer(Base):
    """What a request with an idempotency key was answered, to be answered again."""

    __tablename__ = "answers"
    account_id: Mapped[str] = mapped_column(_parent("accounts.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[float] = mapped_column(default=time.time, index=True)


class Schedule(Base):
    """When a screener runs next; ``template`` is what each of its runs is made of."""

    __tablename__ = "schedules"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(_parent("accounts.id"), index=True)
    model_id: Mapped[str] = mapped_column(_parent("models.id"), unique=True)
    version_id: Mapped[str] = mapped_column(_parent("versions.id"))
    cron: Mapped[str] = mapped_column(String(128))
    enabled: Mapped[bool] = mapped_column(default=True)
    template: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    next_at: Mapped[float] = mapped_column(index=True)
    last_run_id: Mapped[str | None] = mapped_column(String(36))
