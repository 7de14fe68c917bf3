"""A UbiOps package on the disk: where its code is, and what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from deploy_magics.errors import ArchiveError
from deploy_magics.model.archive import Archive
from deploy_magics.model.requirements import parse_lines

DEFAULT_SCRIPT = "deployment.py"
PREFERRED_ROOT = "deployment_package"
SCRIPT_VARIABLES = ("SYS_DEPLOYMENT_FILE_NAME", "ML_MODEL_FILE_NAME")


class Package(NamedTuple):
    folder: Path
    script: str
    requirements: tuple[str, ...]


def script_name(variables: Mapping[str, str]) -> str:
    """The file with the class ``Deployment``; a variable may name another than the usual."""
    named = next((variables[each] for each in SCRIPT_VARIABLES if variables.get(each)), None)
    if named is None:
        return DEFAULT_SCRIPT
    return named if named.endswith(".py") else f"{named}.py"


def root_of(names: Iterable[str], script: str) -> str:
    """The directory of the package, "" for a flat one.

    Raises:
        ArchiveError: there is no such file where it may be.
    """
    names = [each for each in names if not each.startswith("__MACOSX/")]
    if script in names:
        return ""
    roots = {each.split("/", 1)[0] for each in names if "/" in each}
    for root in [PREFERRED_ROOT] if PREFERRED_ROOT in roots else sorted(roots):
        if f"{root}/{script}" in names and (root == PREFERRED_ROOT or len(roots) == 1):
            return root
    raise ArchiveError(f"The package does not contain {script}")


def unpack(zip_path: Path, folder: Path, variables: Mapping[str, str]) -> Package:
    """Extract the package into ``folder``, which does not exist yet.

    Raises:
        ArchiveError: it cannot be opened safely, or has no deployment in it.
        RequirementError: a line of its requirements.txt is not a plain requirement.
    """
    archive, script = Archive(zip_path, roots=("",)), script_name(variables)
    root = root_of(archive.names, script)
    listed = f"{root}/requirements.txt" if root else "requirements.txt"
    lines: tuple[str, ...] = ()
    if listed in archive.names:
        lines = parse_lines(archive.read(listed).decode("utf-8", "replace"))
    archive.extract(folder)
    return Package(folder / root if root else folder, script, lines)
