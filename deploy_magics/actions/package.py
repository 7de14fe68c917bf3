"""What would be shipped, and why: shown, saved, packed, compared with what is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..model import Model
from .collect import collect
from .kinds import Cell, FilePath, FolderPath, ModelName, ProjectName, VersionNumber
from .package_view import Package

COMPARED = 100_000  # bytes of a file that is compared line by line


def model(
    source: FilePath = None,
    *,
    cell: Cell = None,
    name: str | None = None,
    save: FolderPath = None,
    zip: FilePath = None,
    diff: VersionNumber = None,
    of: ModelName = None,
    project: ProjectName = None,
    path: FolderPath = None,
    include: Sequence[str] = (),
    only: bool = False,
    requirements: Sequence[str] = (),
    python: str | None = None,
) -> Package:
    """Show what would be shipped, and why each statement is in it.

    Args:
        source: a folder with blankly.json, a zip or a program; left out, the cell or the last one.
        cell: the strategy.
        name: what the model is called; left out, after the notebook.
        save: write its files into this folder.
        zip: write the package to this file.
        diff: compare with this version of what is deployed.
        of: the deployed model to compare with; left out, the one of the same name.
        project: the project of that model.
        path: an existing model's folder, packed as it is.
        include: further files, folders and globs to take along.
        only: nothing but cells tagged "model" beside the strategy's own.
        requirements: lines or a file, in place of what the imports say.
        python: the Python it runs on, like 3.10.
    """
    if path is not None and source is not None:
        raise UsageError("--path says where the model is already.", "Leave one of them out.")
    found = collect(
        path or source,
        cell=cell,
        name=name,
        include=include,
        only=only,
        requirements=requirements,
        python=python,
        warn=False,
    ).model
    notes = []
    if save is not None:
        notes.append(f"Written to {_save(found, save)}.")
    if zip is not None:
        notes.append(f"Packed as {_pack(found, zip)}.")
    changes = None
    if diff is not None:
        changes = compare(found, of or found.name, diff, project)
    return Package(found, tuple(notes), changes)


def compare(found: Model, deployed: str, version: str, project: str | None = None) -> list[str]:
    """The lines of a unified diff from a deployed version to this model, file by file."""
    from .find import find_model, find_version
    from .session import client

    here = client()
    chosen = find_version(here, find_model(here, deployed, project), version)
    there = Model.from_zip(here.package(chosen.id))
    return difference(there, found, f"v{chosen.number}", "now")


def difference(before: Model, after: Model, left: str, right: str) -> list[str]:
    """A unified diff of two models; files that are no text or are large are only named."""
    import difflib

    lines: list[str] = []
    for name in sorted({*before.files, *after.files}):
        old = before.read(name) if name in before.files else b""
        new = after.read(name) if name in after.files else b""
        if old == new and (name in before.files) == (name in after.files):
            continue
        try:
            if max(len(old), len(new)) > COMPARED:
                raise ValueError("too long to be read")
            old_lines, new_lines = old.decode().splitlines(), new.decode().splitlines()
        except ValueError:  # or no text
            lines.append(f"{name}: {len(old)} bytes in {left}, {len(new)} bytes {right}")
            continue
        lines += difflib.unified_diff(
            old_lines, new_lines, f"{name} ({left})", f"{name} ({right})", lineterm=""
        )
    return lines


def _save(found: Model, folder: str) -> Path:
    target = Path(folder).expanduser()
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file.", "Name a folder.")
    if target.is_dir() and any(target.iterdir()) and not (target / "blankly.json").is_file():
        raise UsageError(
            f"{target} holds something else.", "Name an empty folder, or that of a model."
        )
    return found.to_folder(target)


def _pack(found: Model, file: str) -> Path:
    target = Path(file).expanduser()
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", "Name a file, like model.zip.")
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.", "Make it first.")
    return found.to_zip(target)
