"""Imports to distributions and versions: by installed metadata, then a kept table, never by guess.

A name that is on neither list is refused, for whoever registers it at the index would otherwise be
installed. With Blankly in the list, the bounds stand in with which it is known to import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from deploy_magics.errors import RequirementError
from deploy_magics.model import installed
from deploy_magics.model.imports import Import

BLANKLY = ("blankly==1.18.25b0", "numpy<2")
"""Known good: the library's own dependency ``newnewtulipy`` is built for NumPy 1."""

BLANKLY_PYTHONS = ("3.11", "3.10", "3.9", "3.8")
"""The versions of Python it installs and runs on, the best first."""

_LONGEST = 1_000
_MOST = 500
_FILE = re.compile(r"\.(whl|zip|egg|txt|toml|tgz|tar(\.\w+)?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """One line of requirements.txt and why it is there."""

    line: str
    why: str
    guarded: bool = False


@dataclass(frozen=True)
class Requirements:
    """The lines, each with its reason, and what was noticed on the way."""

    wanted: tuple[Wanted, ...] = ()
    warnings: tuple[str, ...] = ()
    imports: tuple[Import, ...] = field(default=(), repr=False)

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands in requirements.txt, sorted by name."""
        return tuple(wanted.line for wanted in self.wanted)

    @property
    def reasons(self) -> dict[str, str]:
        """Line to reason."""
        return {wanted.line: wanted.why for wanted in self.wanted}


def infer(
    imports: Iterable[Import], *, python_version: str | None = None, local: Iterable[str] = ()
) -> Requirements:
    """The distributions that ``imports`` need.

    Args:
        imports: what ``model.imports.find`` gives.
        python_version: of the model; the kernel's versions are taken when it is the kernel's.
        local: top-level modules that are shipped with the model.

    Raises:
        RequirementError: an import that no installed or known distribution provides.
    """
    found = tuple(imports)
    shipped = set(local)
    wanted: dict[str, Wanted] = {}
    warnings: list[str] = []
    same_python = python_version is None or installed.is_this_python(python_version)
    for item in found:
        if item.top in shipped or installed.is_standard(item.top):
            continue
        name = installed.distribution_of(item.module)
        if name is None:
            if not item.guarded:
                raise _unknown(item)
            warnings.append(f"{item.module} ({item.where}) is left out: nothing known provides it.")
            continue
        if installed.source_of(name):
            raise RequirementError(
                f"{item.module}, imported in {item.where}, is installed from a place of its own "
                "that a server cannot reach.",
                "Ship it with --include, or name its package with --requirements.",
            )
        known = wanted.get(name)
        guarded = item.guarded and (known is None or known.guarded)
        if known is None:
            line = installed.pinned(name) if same_python else name
            wanted[name] = Wanted(line, f"{item.module} is imported in {item.where}", guarded)
        else:
            wanted[name] = replace(known, guarded=guarded)
    if "blankly" in wanted:
        _bind_blankly(wanted)
    _drop_implied(wanted)
    return Requirements(tuple(wanted[name] for name in sorted(wanted)), tuple(warnings), found)


def _unknown(item: Import) -> RequirementError:
    return RequirementError(
        f"No known package provides {item.module}, imported in {item.where}.",
        "Install it in this kernel, --include its file, or name its package with --requirements.",
    )


def _bind_blankly(wanted: dict[str, Wanted]) -> None:
    """Puts Blankly's bounds in, and takes away pins that do not go with them."""
    for line in BLANKLY:
        requirement = Requirement(line)
        name: str = canonicalize_name(requirement.name)
        known = wanted.get(name)
        pin = installed.version_of(name)
        if pin is not None and requirement.specifier.contains(pin, prereleases=True):
            line = f"{requirement.name}=={pin}"
        why = known.why if known else "blankly imports with it and not without"
        wanted[name] = Wanted(line, why)
    bound = {canonicalize_name(Requirement(line).name): Requirement(line) for line in BLANKLY}
    for name, item in list(wanted.items()):
        if name not in bound and installed.clashes(name, {"numpy": SpecifierSet("<2")}):
            wanted[name] = replace(item, line=name)


def _drop_implied(wanted: dict[str, Wanted]) -> None:
    """Leaves out what another line brings along, unless its bound is one of Blankly's."""
    bounds = BLANKLY if "blankly" in wanted else ()
    kept = {canonicalize_name(Requirement(line).name) for line in bounds}
    implied: set[str] = set()
    for name in sorted(wanted):
        if name not in implied:
            implied |= installed.brings(name) - {name}
    for name in implied & wanted.keys() - kept:
        del wanted[name]


def parse_lines(text: str) -> tuple[str, ...]:
    """The lines of a requirements.txt, canonical; nothing but ``name[extra] specifier; marker``.

    Raises:
        RequirementError: options, other files, URLs, paths and variables, naming the line.
    """
    lines: list[str] = []
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line:
            continue
        lines.append(_parse(line, number))
    if len(lines) > _MOST:
        raise RequirementError(f"There are {len(lines)} requirements, more than {_MOST}.")
    return tuple(lines)


def _parse(line: str, number: int) -> str:
    def refused(why: str) -> RequirementError:
        return RequirementError(f"Line {number} of the requirements, {line[:80]!r}, {why}.")

    if len(line) > _LONGEST:
        raise refused("is too long")
    if line.startswith("-") or " --" in line:
        raise refused("is an option; only names with versions are taken")
    if "${" in line or line.endswith("\\"):
        raise refused("holds a variable or a continuation")
    try:
        requirement = Requirement(line)
        if requirement.url is not None or _FILE.search(requirement.name):
            raise refused("names an address or a file; only names with versions are taken")
        return str(requirement)
    except (InvalidRequirement, ValueError, RecursionError):
        raise refused("is not a name with versions") from None


def settle(requirements: Requirements, imported: Sequence[str]) -> Requirements:
    """What the first run in a fresh process leaves of ``requirements``.

    Args:
        imported: the modules that were imported there, by their full or their top names.
    """
    tops = {name.partition(".")[0] for name in imported}
    needed = {
        name
        for item in requirements.imports
        if not item.guarded or item.top in tops
        if (name := installed.distribution_of(item.module)) is not None
    }
    kept = tuple(
        item
        for item in requirements.wanted
        if not item.guarded or canonicalize_name(Requirement(item.line).name) in needed
    )
    return replace(requirements, wanted=kept)
