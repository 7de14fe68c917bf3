"""What an uploaded zip says of itself. Nothing in it is imported, unpickled or run here."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from deploy_magics.errors import ManifestError
from deploy_magics.model.archive import Archive
from deploy_magics.model.manifest import FILE_NAME, Manifest
from deploy_magics.model.requirements import parse_lines

MAX_TEXT = 4 << 20


def inspect_package(path: Path) -> Manifest:
    """Check a model's zip as a whole and read its manifest.

    Raises:
        ArchiveError: a damaged, hostile or oversized zip, naming the entry.
        ManifestError: the manifest, or the main script that it names, is missing or wrong.
        RequirementError: a line of the requirements that is not a plain requirement.
    """
    archive = Archive(path)
    names = archive.names
    if FILE_NAME not in names:
        raise ManifestError(f"The zip holds no model/{FILE_NAME}.")
    manifest = Manifest.from_json(_text(archive, FILE_NAME))
    if manifest.main_path not in names:
        raise ManifestError(f"The zip does not hold the main script {manifest.main_script}.")
    try:
        script = _text(archive, manifest.main_path)
        if _is_known(manifest.python_version):
            ast.parse(script)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else ""
        raise ManifestError(f"{manifest.main_script} is not valid Python{where}.") from error
    if manifest.requirements_path in names:
        parse_lines(_text(archive, manifest.requirements_path))
    return manifest


def _is_known(python_version: str) -> bool:
    """Whether this interpreter knows all the syntax of that one."""
    return int(python_version.split(".")[1]) <= sys.version_info.minor


def _text(archive: Archive, name: str) -> str:
    if archive.size(name) > MAX_TEXT:
        raise ManifestError(f"{name} is larger than {MAX_TEXT >> 20} MiB.")
    try:
        return archive.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{name} is not UTF-8 text.") from error
