"""Model: the files that are shipped and what they are; to a folder, to a zip, its digest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from deploy_magics.errors import ManifestError, UsageError
from deploy_magics.model import collect, secrets
from deploy_magics.model.archive import Archive, Limits, write_zip
from deploy_magics.model.imports import Import, find
from deploy_magics.model.manifest import FILE_NAME, Manifest, write_object
from deploy_magics.model.requirements import (
    BLANKLY_PYTHONS,
    Requirements,
    infer,
    parse_lines,
)
from deploy_magics.model.requirements import (
    settle as settle_requirements,
)
from deploy_magics.model.settings import (
    BACKTEST_NAME,
    SETTINGS_NAME,
    backtest_json,
    settings_json,
)
from deploy_magics.model.zipwriter import digest_zip

ROOT = "model"
MAIN = "bot.py"
_IN_MEMORY = Limits(total=1 << 30)


class SliceLike(Protocol):
    """What ``deploy_magics.notebook.Slice`` offers to a model."""

    @property
    def source(self) -> str: ...
    @property
    def origins(self) -> Sequence[tuple[int | None, int]]: ...
    @property
    def warnings(self) -> Sequence[str]: ...


@dataclass(frozen=True, eq=False)
class Model:
    """A Blankly model: ``files`` by their posix paths below ``model/``, contents or where they lie.

    ``origins``: per file, for each of its lines the label and line of the notebook's cell it comes
    from; it is not shipped. ``warnings``: what a user should read before shipping.
    """

    name: str
    manifest: Manifest
    files: Mapping[str, bytes | Path]
    origins: Mapping[str, Sequence[tuple[str, int] | None]] = field(default_factory=dict)
    inferred: Requirements | None = None
    slice: SliceLike | None = None
    warnings: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        name: str,
        source: SliceLike | str,
        *,
        cell_labels: Mapping[int | None, str] | None = None,
        backtest_args: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        backtest_settings: Mapping[str, Any] | None = None,
        requirements: str | os.PathLike[str] | Sequence[str] | None = None,
        include: Iterable[str] = (),
        folder: str | os.PathLike[str] = ".",
        python_version: str | None = None,
        type: str | None = None,
        **manifest: Any,
    ) -> Model:
        """A model of a slice (or of a program's text).

        Args:
            name: shown to people; also written as ``model_name``.
            source: what ``deploy_magics.notebook`` gives, or the text of the main script.
            cell_labels: index of a cell to how a user knows it; None stands for the entry.
            settings, backtest_settings: laid over the defaults of settings.json, backtest.json.
            requirements: a file, or lines; the imports are then not looked at.
            include: files, folders and globs, relative to ``folder``.
            folder: where the notebook lies; local modules are looked for there.
            python_version: "3.8" to "3.11" for Blankly; default the kernel's, or the nearest.
            type: "strategy" or "screener"; default what the source looks like.
            manifest: further fields of ``Manifest``.
        """
        text = source if isinstance(source, str) else source.source
        base = Path(folder)
        origins = _origins(source, cell_labels or {})
        chosen = collect.include(include, base)
        found = find(text, _places(origins))
        local = collect.local_modules(text, base)
        for path, contents in local.files.items():
            chosen.files.setdefault(path, contents)
        found += local.imports
        python = python_version or _python(found)
        inferred = None
        if requirements is None:
            inferred = infer(found, python_version=python, local=local.tops)
            lines = inferred.lines
        else:
            lines = _given(requirements)
        fields = {"type": type or _type_of(text), "model_name": name, **manifest}
        if backtest_args is not None:
            fields["backtest_args"] = dict(backtest_args)
        card = Manifest(main_script=f"./{MAIN}", python_version=python, **fields)
        files: dict[str, bytes | Path] = dict(chosen.files)
        _refuse_taken(files)
        files[MAIN] = text.encode("utf-8")
        files["requirements.txt"] = "".join(f"{line}\n" for line in lines).encode()
        files[SETTINGS_NAME] = write_object(settings_json(settings), SETTINGS_NAME).encode()
        files[BACKTEST_NAME] = write_object(
            backtest_json(backtest_settings), BACKTEST_NAME
        ).encode()
        files[FILE_NAME] = card.to_json().encode()
        warnings = [
            *([] if isinstance(source, str) else source.warnings),
            *chosen.warnings,
            *local.warnings,
            *(inferred.warnings if inferred else ()),
            *secrets.warnings(files, origins={MAIN: origins}),
        ]
        return cls(
            name=name,
            manifest=card,
            files=dict(sorted(files.items())),
            origins={MAIN: origins} if origins else {},
            inferred=inferred,
            slice=None if isinstance(source, str) else source,
            warnings=tuple(dict.fromkeys(warnings)),
            suggestions=collect.suggest(text, base, files),
        )

    @classmethod
    def from_folder(
        cls, path: str | os.PathLike[str], *, include: Iterable[str] = (), name: str | None = None
    ) -> Model:
        """An existing Blankly model, as it is, without what must never be shipped.

        Args:
            path: the folder that holds blankly.json.
            include: names (keys.json, .env, …) that are to come along all the same.
        """
        folder = Path(path)
        if not (folder / FILE_NAME).is_file():
            raise ManifestError(
                f"{folder} has no {FILE_NAME}.", "Name the folder that holds the model."
            )
        manifest = Manifest.from_json((folder / FILE_NAME).read_bytes())
        packed = collect.folder(folder, manifest.ignore_files, tuple(include))
        files = dict(packed.files)
        warnings = list(packed.warnings)
        files[FILE_NAME] = folder / FILE_NAME
        if manifest.has_keys:
            manifest = manifest.without_keys()
            files[FILE_NAME] = manifest.to_json().encode()
            warnings.append(f"api_key and api_pass in {FILE_NAME} are left out.")
        warnings += secrets.warnings(files)
        title = name or manifest.model_name or folder.resolve().name
        return _checked(cls(title, manifest, dict(sorted(files.items())), warnings=tuple(warnings)))

    @classmethod
    def from_zip(cls, source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> Model:
        """A model out of a package; its files are read into memory."""
        archive = Archive(source, limits=_IN_MEMORY)
        if FILE_NAME not in archive.names:
            raise ManifestError(f"The package has no model/{FILE_NAME}.")
        manifest = Manifest.from_json(archive.read(FILE_NAME))
        files = {path: archive.read(path) for path in archive.names}
        return _checked(cls(name or manifest.model_name or "model", manifest, files))

    def to_folder(self, path: str | os.PathLike[str]) -> Path:
        """Writes the files directly into ``path``; what is there already is written over."""
        target = Path(path)
        for name, contents in self.files.items():
            place = target.joinpath(*name.split("/"))
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(contents, bytes):
                place.write_bytes(contents)
            else:
                shutil.copyfile(contents, place)
        return target

    def to_zip(self, path: str | os.PathLike[str]) -> Path:
        """Writes the package, everything below ``model/``, in constant memory."""
        write_zip(path, self._entries)
        return Path(path)

    def zip_bytes(self) -> bytes:
        """The package in memory."""
        stream = BytesIO()
        write_zip(stream, self._entries)
        return stream.getvalue()

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of the package."""
        return digest_zip(self._entries)

    @property
    def _entries(self) -> dict[str, bytes | Path]:
        return {f"{ROOT}/{name}": contents for name, contents in self.files.items()}

    def read(self, name: str) -> bytes:
        """One file's contents."""
        contents = self.files[name]
        return contents if isinstance(contents, bytes) else contents.read_bytes()

    @cached_property
    def requirements(self) -> tuple[str, ...]:
        """The parsed lines of the requirements file; none where there is no such file."""
        path = self.manifest.requirements_path
        if path not in self.files:
            return ()
        return parse_lines(self.read(path).decode("utf-8-sig", "replace"))

    def with_requirements(self, lines: Sequence[str]) -> Model:
        """The same model with other requirements."""
        text = "".join(f"{line}\n" for line in _given(lines))
        files = {**self.files, self.manifest.requirements_path: text.encode()}
        return replace(self, files=dict(sorted(files.items())))


def settle(model: Model, imports: Sequence[str]) -> Model:
    """The model with its requirements settled by the modules that its first run imported.

    A model whose requirements were given, or read from a folder, comes back as it is.
    """
    if model.inferred is None:
        return model
    settled = settle_requirements(model.inferred, imports)
    if settled.lines == model.inferred.lines:
        return model
    return replace(model.with_requirements(settled.lines), inferred=settled)


def _checked(model: Model) -> Model:
    if model.manifest.main_path not in model.files:
        raise ManifestError(
            f"The main script {model.manifest.main_script!r} is not in the model.",
            f"Name it in {FILE_NAME}.",
        )
    return model


def _refuse_taken(files: Mapping[str, object]) -> None:
    made = {MAIN, FILE_NAME, SETTINGS_NAME, BACKTEST_NAME, "requirements.txt"}
    taken = sorted(made & files.keys())
    if taken:
        raise UsageError(
            f"{', '.join(taken)} is written by the model itself.", "Do not include it."
        )


def _given(requirements: str | os.PathLike[str] | Sequence[str]) -> tuple[str, ...]:
    if isinstance(requirements, (str, os.PathLike)):
        try:
            return parse_lines(Path(requirements).read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The requirements {requirements} cannot be read: {error}.") from None
    return parse_lines("\n".join(requirements))


def _python(found: Sequence[Import]) -> str:
    """The kernel's Python where Blankly runs on it (or is not used), else the best that it has."""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    uses_blankly = any(item.top == "blankly" for item in found)
    return here if not uses_blankly or here in BLANKLY_PYTHONS else BLANKLY_PYTHONS[0]


def _type_of(text: str) -> str:
    return "screener" if "Screener(" in text and "Strategy(" not in text else "strategy"


def _origins(
    source: SliceLike | str, labels: Mapping[int | None, str]
) -> tuple[tuple[str, int] | None, ...]:
    if isinstance(source, str):
        return ()
    return tuple(
        (labels.get(cell) or ("this cell" if cell is None else f"cell {cell + 1}"), line)
        if line
        else None
        for cell, line in source.origins
    )


def _places(origins: Sequence[tuple[str, int] | None]) -> Any:
    def place(line: int) -> str:
        origin = origins[line - 1] if 0 < line <= len(origins) else None
        return f"{origin[0]}, line {origin[1]}" if origin else f"{MAIN}, line {line}"

    return place
