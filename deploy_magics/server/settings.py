"""How a server is set up: options first, then the environment, then the defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import platformdirs

from deploy_magics.errors import UsageError

MIB = 1 << 20
DEFAULT_PORT = 8800
ENVIRONMENT_PREFIX = "DEPLOY_MAGICS_SERVER_"


def default_data_dir() -> Path:
    """Where a server keeps its things when not told: the user's data folder."""
    return Path(platformdirs.user_data_dir("deploy_magics")) / "server"


@dataclass(frozen=True)
class Settings:
    """One server. Sizes are bytes, times seconds.

    Attributes:
        key_file: the secrets of this server; beside the data folder and not in it, so that a
            copy of the data alone opens nothing.
        behind_tls: somebody in front terminates TLS; ``allow_plain_http`` says in so many words
            that nobody does.
    """

    data_dir: Path = field(default_factory=default_data_dir)
    database_url: str = ""
    blob_url: str = ""
    key_file: Path | None = None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    scheduler: str = ""
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    behind_tls: bool = False
    allow_plain_http: bool = False
    max_upload: int = 256 * MIB
    max_body: int = 4 * MIB
    max_parallel_uploads: int = 32
    account_storage: int = 8 << 30
    account_models: int = 5_000
    account_queue: int = 2_000
    free_disk: int = 64 * MIB
    id_token_seconds: float = 3600.0
    keep_logs_days: float = 0.0

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'service.sqlite'}"

    @property
    def blobs(self) -> str:
        return self.blob_url or str(self.data_dir / "blobs")

    @property
    def runs_dir(self) -> Path:
        return self.data_dir / "runs"

    @property
    def keys(self) -> Path:
        return self.key_file or self.data_dir.with_name(f"{self.data_dir.name}.key")

    def run_folder(self, run_id: str) -> Path:
        """The folder in which a run's process works; ``run_id`` is one that the server made."""
        return self.runs_dir / run_id

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Settings:
        """Options that are not None win over ``DEPLOY_MAGICS_SERVER_<NAME>``."""
        environ = os.environ if environ is None else environ
        defaults = cls()
        given: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            text = environ.get(ENVIRONMENT_PREFIX + name.upper())
            if text:
                given[name] = _read(name, text, getattr(defaults, name))
        given.update({name: value for name, value in options.items() if value is not None})
        for name in ("data_dir", "key_file"):
            if given.get(name):
                given[name] = Path(given[name]).expanduser().absolute()
        return replace(defaults, **given)


def _read(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return text.lower() in ("1", "true", "yes", "on")
        if isinstance(default, int | float):
            return type(default)(text)
    except ValueError as error:
        raise UsageError(f"{ENVIRONMENT_PREFIX}{name.upper()}={text!r} is not a number.") from error
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
