"""What UbiOps' API answers, typed; a key that is not known is kept in ``extra``.

Field names are the API's own (https://ubiops.com/docs/), so that its documentation applies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from deploy_magics.errors import ServiceError

T = TypeVar("T", bound="Answer")


@dataclass(frozen=True)
class Answer:
    """Base of all answers. ``read`` is lenient about what is new, strict about what is missing."""

    thing: ClassVar[str] = "object"

    @classmethod
    def read(cls: type[T], body: object) -> T:
        """An answer from decoded JSON.

        Raises:
            ServiceError: it is not a JSON object, or lacks a field that must be there.
        """
        if not isinstance(body, Mapping):
            raise ServiceError(f"The service answered no {cls.thing}.", "Is it a UbiOps service?")
        known = {each.name for each in fields(cls)} - {"extra"}
        values: dict[str, Any] = {name: body[name] for name in known & set(body)}
        missing = [
            each.name
            for each in fields(cls)
            if each.name not in values
            and each.default is MISSING
            and each.default_factory is MISSING
        ]
        if missing:
            raise ServiceError(
                f"The service answered a {cls.thing} without {', '.join(missing)}.",
                "Is it a UbiOps service?",
            )
        values["extra"] = {key: value for key, value in body.items() if key not in known}
        return cls(**values)

    @classmethod
    def read_all(cls: type[T], body: object) -> list[T]:
        """A list of answers from decoded JSON."""
        if not isinstance(body, Sequence) or isinstance(body, str):
            raise ServiceError(f"The service answered no list of {cls.thing}s.")
        return [cls.read(each) for each in body]


@dataclass(frozen=True)
class Project(Answer):
    thing = "project"
    name: str
    id: str = ""
    organization_name: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class User(Answer):
    thing = "user"
    email: str
    name: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Deployment(Answer):
    """A deployment; ``default_version`` is absent in lists and in the answer to a creation."""

    thing = "deployment"
    id: str
    name: str
    project: str
    input_type: str = "structured"
    output_type: str = "structured"
    input_fields: Sequence[Mapping[str, Any]] | None = ()
    output_fields: Sequence[Mapping[str, Any]] | None = ()
    description: str | None = ""
    labels: Mapping[str, str] | None = None
    default_version: str | None = None
    creation_date: str | None = None
    last_updated: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Version(Answer):
    """A deployment version; ``status`` is available, unavailable, building or failed."""

    thing = "deployment version"
    id: str
    deployment: str
    version: str
    status: str = "unavailable"
    default: bool | None = None
    description: str | None = ""
    environment: str | None = None
    environment_display_name: str | None = None
    active_revision: str | None = None
    latest_revision: str | None = None
    instance_type_group_id: str | None = None
    instance_type_group_name: str | None = None
    minimum_instances: int | None = None
    maximum_instances: int | None = None
    maximum_idle_time: int | None = None
    request_retention_time: int | None = None
    request_retention_mode: str | None = None
    has_request_method: bool | None = None
    has_requests_method: bool | None = None
    labels: Mapping[str, str] | None = None
    ports: Sequence[Mapping[str, Any]] | None = ()
    creation_date: str | None = None
    last_updated: str | None = None
    last_file_upload: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def environment_shown(self) -> str:
        """The environment's name, under whichever key this release of the service has it."""
        names = (
            self.environment_display_name,
            self.environment,
            self.extra.get("environment_name"),
        )
        return next((str(name) for name in names if name), "")


@dataclass(frozen=True)
class Uploaded(Answer):
    """What an upload made; ``build`` is None where the service no longer says it."""

    thing = "upload"
    success: bool
    revision: str
    build: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Revision(Answer):
    """One uploaded file; ``status`` is queued, building, validating, success or failed."""

    thing = "revision"
    id: str
    version: str
    status: str | None = None
    error_message: str | None = ""
    created_by: str | None = None
    creation_date: str | None = None
    has_request_method: bool | None = None
    has_requests_method: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ended(self) -> bool:
        """Nothing more will happen to it."""
        return self.status in {"success", "failed", "cancelled"}


@dataclass(frozen=True)
class Build(Answer):
    thing = "build"
    id: str
    revision: str
    status: str | None = None
    error_message: str | None = ""
    trigger: str | None = None
    creation_date: str | None = None
    has_request_method: bool | None = None
    has_requests_method: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Variable(Answer):
    """An environment variable; the value of a secret is None and never shown.

    ``inheritance_type`` is None for a variable of the object itself, else ``project`` or
    ``deployment``, and ``inheritance_name`` the name of that parent.
    """

    thing = "environment variable"
    id: str
    name: str
    secret: bool
    value: str | None = field(default=None, repr=False)
    inheritance_type: str | None = None
    inheritance_name: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class AuditEvent(Answer):
    thing = "audit event"
    id: str
    action: str
    event: str
    date: str | None = None
    user: str | None = None
    object_type: str = ""
    object_name: str | None = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Template(Answer):
    """A ready deployment; ``details`` holds what to create, its version under ``version``."""

    thing = "template deployment"
    id: str
    details: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Request(Answer):
    """A request to a deployment; ``result`` is there once ``status`` is completed."""

    thing = "request"
    id: str
    status: str
    result: Any = None
    error_message: str | None = None
    version: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
