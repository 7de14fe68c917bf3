"""blankly.json: what a model is, as Blankly's own tools and hosted platform read it."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deploy_magics.errors import ManifestError

FILE_NAME = "blankly.json"
TYPES = ("strategy", "screener")
_VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,3})?")
_LARGEST = 1 << 20
_SECRET_KEYS = ("api_key", "api_pass")


@dataclass(frozen=True)
class Manifest:
    """Paths are relative to ``working_directory``, and that to the manifest.

    ``extra`` holds the keys that nobody here reads, in their order; they are written back as they
    came. ``schedule`` is a cron line, stored as ``screener.schedule``.
    """

    main_script: str = "./bot.py"
    python_version: str = "3.11"
    requirements: str = "./requirements.txt"
    working_directory: str = "."
    ignore_files: tuple[str, ...] = ("price_caches", ".git", ".idea", ".vscode")
    backtest_args: Mapping[str, Any] = field(default_factory=lambda: {"to": "1y"})
    type: str = "strategy"
    plan: str | None = None
    project_id: str | None = None
    model_id: str | None = None
    model_name: str | None = None
    schedule: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("main_script", "requirements", "working_directory"):
            _text(name, getattr(self, name))
        for path in (self.main_script, self.requirements, "."):
            self.path_of(path)
        for name in ("plan", "project_id", "model_id", "model_name", "schedule"):
            if getattr(self, name) is not None:
                _text(name, getattr(self, name))
        if not isinstance(self.python_version, str) or not _VERSION.fullmatch(self.python_version):
            raise ManifestError(
                f"python_version in {FILE_NAME} is {self.python_version!r}.",
                'Write it in quotes, such as "3.11".',
            )
        if self.type not in TYPES:
            raise ManifestError(
                f"type in {FILE_NAME} is {self.type!r}.", f"Take one of {', '.join(TYPES)}."
            )
        if not isinstance(self.backtest_args, Mapping):
            raise ManifestError(f"backtest_args in {FILE_NAME} is not an object.")
        ignored = self.ignore_files
        if not isinstance(ignored, Sequence) or isinstance(ignored, str):
            raise ManifestError(f"ignore_files in {FILE_NAME} is not a list.")
        for item in ignored:
            _text("ignore_files", item)

    def path_of(self, relative: str) -> str:
        """The path below the model's folder; ManifestError when it leads out of it."""
        joined = posixpath.join(self.working_directory, relative)
        path = posixpath.normpath(joined)
        if joined.startswith("/") or path == ".." or path.startswith("../") or "\\" in path:
            raise ManifestError(f"{relative!r} in {FILE_NAME} leads out of the model's folder.")
        return path

    @property
    def main_path(self) -> str:
        """The main script below the model's folder."""
        return self.path_of(self.main_script)

    @property
    def requirements_path(self) -> str:
        """The requirements file below the model's folder."""
        return self.path_of(self.requirements)

    def without_keys(self) -> Manifest:
        """Without the platform's API key that Blankly's own tools write into this file."""
        extra = {key: value for key, value in self.extra.items() if key not in _SECRET_KEYS}
        return replace(self, extra=extra)

    @property
    def has_keys(self) -> bool:
        """Whether ``without_keys`` would leave something out."""
        return any(self.extra.get(key) for key in _SECRET_KEYS)

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Reads the file; ManifestError names the key that is wrong."""
        data = read_object(text, FILE_NAME)
        known: dict[str, Any] = {}
        for name in _WRITTEN:
            if data.get(name) is not None:
                known[name] = data.pop(name)
            else:
                data.pop(name, None)
        if isinstance(known.get("ignore_files"), list):
            known["ignore_files"] = tuple(known["ignore_files"])
        screener = data.get("screener")
        if isinstance(screener, dict):
            known["schedule"] = screener.get("schedule")
        elif screener is not None:
            raise ManifestError(f"screener in {FILE_NAME} is not an object.")
        return cls(**known, extra=data)

    def to_json(self) -> str:
        """The file's text: the known keys in a fixed order, then the others as they came."""
        data: dict[str, Any] = {}
        for name in _WRITTEN:
            value = getattr(self, name)
            if value is not None:
                data[name] = list(value) if name == "ignore_files" else value
        data.update(self.extra)
        if self.schedule is not None:
            data["screener"] = {**self.extra.get("screener", {}), "schedule": self.schedule}
        return write_object(data, FILE_NAME)


_WRITTEN = (
    "main_script",
    "python_version",
    "requirements",
    "working_directory",
    "ignore_files",
    "backtest_args",
    "type",
    "plan",
    "project_id",
    "model_id",
    "model_name",
)


def read_object(text: str | bytes, name: str) -> dict[str, Any]:
    """A JSON object, strictly: UTF-8, no key twice, no NaN; ManifestError naming the file."""
    if len(text) > _LARGEST:
        raise ManifestError(f"{name} is larger than {_LARGEST >> 20} MiB.")
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        decoded.encode("utf-8")
        data = json.loads(decoded, object_pairs_hook=_once, parse_constant=_no_constant)
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ManifestError(f"{name} is not JSON as it should be{where}: {_why(error)}.") from None
    if not isinstance(data, dict):
        raise ManifestError(f"{name} is not a JSON object.", "It starts with { and ends with }.")
    return data


def write_object(data: Mapping[str, Any], name: str) -> str:
    """The JSON text of a settings file, indented, with a line end."""
    try:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise ManifestError(f"{name} cannot be written: {_why(error)}.") from None
    return text + "\n"


def _why(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            raise ValueError(f"the key {key!r} stands in it twice")
        data[key] = value
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number that JSON knows")


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ManifestError(f"{name} in {FILE_NAME} is not a text.")
