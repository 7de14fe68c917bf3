"""What can go wrong, one class for each cause.

    DeployMagicsError
    ├── UsageError                 an option or an argument that makes no sense
    ├── InteractionError           an answer was needed and nobody was there to give it
    ├── UnpackagableNameError      the model reads a name that cannot be shipped
    ├── ModelError                 the package: manifest, files, zip, requirements
    │   ├── ManifestError
    │   ├── ArchiveError
    │   └── RequirementError
    ├── DataError                  prices that cannot be used
    ├── EnvironmentError_          the model's Python or its packages cannot be had
    ├── RunError                   a run that did not end well
    │   ├── ModelFailedError       the model's own code raised
    │   ├── LimitError             it met its limit of time, memory or output
    │   │   └── DiskFullError      no room for its files; nothing of the model has run
    │   └── RunCancelledError      it was stopped
    ├── CredentialsError           a token cannot be kept or read
    └── PlatformError              what a service, or the way to it, answered
        ├── NotSignedInError       no token, or one that is refused
        ├── UnreachableError       nobody answers at that address
        ├── ForbiddenError         this token may not do that
        ├── NotFoundError          no such thing
        ├── ConflictError          it exists, or it is in the wrong state
        ├── RejectedError          the service finds the input wrong
        ├── RateLimitError         too many requests
        └── ServiceError           the service failed, or is not one that we know

Each renders as one line in IPython and is a real error to nbclient and papermill.
"""

from __future__ import annotations


class DeployMagicsError(Exception):
    """Base of all. ``message`` says what was wrong, ``hint`` (optional) what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message.rstrip()} {hint}".rstrip())

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"{type(self).__name__.rstrip('_')}: {self}"]


class UsageError(DeployMagicsError):
    """An option or an argument that makes no sense."""


class InteractionError(DeployMagicsError):
    """An answer was needed and nobody is there to give it; the hint names the option."""


class UnpackagableNameError(DeployMagicsError):
    """The model reads a name that cannot be shipped.

    Attributes:
        name: the name that is read.
        cell: index of the cell concerned among the executed cells, None for the entry.
    """

    def __init__(self, message: str, hint: str = "", *, name: str, cell: int | None = None) -> None:
        super().__init__(message, hint)
        self.name = name
        self.cell = cell


class ModelError(DeployMagicsError):
    """The package is wrong."""


class ManifestError(ModelError):
    """blankly.json, settings.json or backtest.json is wrong."""


class ArchiveError(ModelError):
    """The zip is damaged, hostile or too large."""


class RequirementError(ModelError):
    """A requirement cannot be read, or an import has no known distribution."""


class DataError(DeployMagicsError):
    """Prices that cannot be used."""


class EnvironmentError_(DeployMagicsError):
    """The model's Python or its packages cannot be had."""


class RunError(DeployMagicsError):
    """A run that did not end well.

    Attributes:
        logs: what the model printed, the last part of it where it was long.
    """

    logs: str = ""


class ModelFailedError(RunError):
    """The model's own code raised.

    Attributes:
        traceback: the model's traceback, with the notebook's cells and lines.
    """

    def __init__(self, message: str, hint: str = "", *, traceback: str = "") -> None:
        super().__init__(message, hint)
        self.traceback = traceback

    def _render_traceback_(self) -> list[str]:
        return [*self.traceback.rstrip().splitlines(), *super()._render_traceback_()]


class LimitError(RunError):
    """The run met its limit of time, memory or output."""


class DiskFullError(LimitError):
    """There is no room for a run's files; nothing of the model has run."""


class RunCancelledError(RunError):
    """The run was stopped before its end."""


class CredentialsError(DeployMagicsError):
    """A token cannot be kept or read."""


class PlatformError(DeployMagicsError):
    """What a service, or the way to it, answered.

    Attributes:
        status: the HTTP status, None where there was no answer.
    """

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class NotSignedInError(PlatformError):
    """No token, or one that is refused."""


class UnreachableError(PlatformError):
    """Nobody answers at that address."""


class ForbiddenError(PlatformError):
    """This token may not do that."""


class NotFoundError(PlatformError):
    """No such thing."""


class ConflictError(PlatformError):
    """It exists already, or it is in the wrong state."""


class RejectedError(PlatformError):
    """The service finds the input wrong."""


class RateLimitError(PlatformError):
    """Too many requests.

    Attributes:
        retry_after: seconds to wait, None where the service does not say.
    """

    retry_after: float | None = None


class ServiceError(PlatformError):
    """The service failed, or is not one that we know."""
