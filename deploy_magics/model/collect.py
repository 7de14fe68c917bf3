"""Files that come along: what the user names, local modules, an existing model's folder."""

from __future__ import annotations

import ast
import fnmatch
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pathspec

from deploy_magics.errors import UsageError
from deploy_magics.model.imports import Import, find

NEVER = (
    "keys.json",
    ".env",
    ".env.*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "id_rsa*",
    "id_ed25519*",
    ".netrc",
    ".pypirc",
    "*token",
    "*.token",
    "*_token.txt",
    "credentials",
    "credentials.json",
    "secrets.json",
    ".git",
    ".hg",
    ".svn",
    ".ssh",
    ".aws",
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    "*.pyc",
    "*.ipynb",  # with all that it ever printed
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".cache",
    "price_caches",
    ".idea",
    ".vscode",
    ".DS_Store",
    "Thumbs.db",
)
"""Names of files and folders that are never shipped unless a user names them."""


@dataclass
class Collected:
    """Files by their path in the model."""

    files: dict[str, bytes | Path] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    imports: tuple[Import, ...] = ()
    tops: frozenset[str] = frozenset()


def is_never(name: str) -> bool:
    """Whether a file or folder of this name stays behind unless it is named."""
    return any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in NEVER)


def include(patterns: Iterable[str], base: Path) -> Collected:
    """The files that ``patterns`` (paths, folders, globs; relative to ``base``) stand for.

    Raises:
        UsageError: a pattern that matches nothing, or leads out of ``base``.
    """
    result = Collected()
    for pattern in patterns:
        matches = list(_matches(str(pattern), base))
        if not matches:
            raise UsageError(f"--include {pattern} matches no file below {base.resolve()}.")
        for path in matches:
            name = _relative(path, base, str(pattern))
            if path.is_dir():
                result.files.update(
                    (f"{name}/{below}" if name != "." else below, file)
                    for below, file in _walk(path, result.warnings, ())
                )
            else:
                result.files[name] = path
    return result


def folder(base: Path, ignored: Sequence[str], named: Sequence[str]) -> Collected:
    """Everything in a model's folder but what is ignored, and what is never shipped.

    Args:
        ignored: ``ignore_files`` of the manifest: paths and globs as in a .gitignore.
        named: paths that come along although they are of a kind that is not.
    """
    result = Collected()
    spec = pathspec.GitIgnoreSpec.from_lines(line.removeprefix("./") for line in ignored)
    for name, path in _walk(base, result.warnings, ()):
        if not spec.match_file(name):
            result.files[name] = path
    result.files.update(include(named, base).files)
    return result


def local_modules(source: str, base: Path) -> Collected:
    """The modules beside the notebook that ``source`` imports, and those that these import."""
    result = Collected()
    waiting = list(find(source, lambda line: f"line {line}"))
    tops: set[str] = set()
    while waiting:
        item = waiting.pop()
        for path in _module_files(item.module, base):
            name = path.relative_to(base).as_posix()
            if name in result.files:
                continue
            result.files[name] = path
            tops.add(item.top)
            text = path.read_text("utf-8", "replace")
            inner = find(text, lambda line, name=name: f"{name}, line {line}")  # type: ignore[misc]
            waiting += inner
            result.imports += inner
    result.tops = frozenset(tops)
    return result


def suggest(source: str, base: Path, files: Iterable[str]) -> tuple[str, ...]:
    """Files below ``base`` whose literal path stands in ``source`` and which are not included."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    have = set(files)
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = _existing(node.value, base)
            if name and name not in have and not is_never(name.rpartition("/")[2]):
                found[name] = None
    return tuple(found)


def _existing(text: str, base: Path) -> str | None:
    if not 0 < len(text) < 256 or "\n" in text or "\0" in text:
        return None
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        return None
    try:
        return str(path) if (base / path).is_file() else None
    except (OSError, ValueError):
        return None


def _matches(pattern: str, base: Path) -> Iterator[Path]:
    direct = base / pattern
    if _exists(direct):
        yield direct
    elif Path(pattern).is_absolute():
        return
    else:
        try:
            found = sorted(path for path in base.glob(pattern) if path.is_file())
        except (ValueError, NotImplementedError, OSError):
            return
        for path in found:
            if not any(is_never(part) for part in path.relative_to(base).parts):
                yield path  # a pattern does not name a file, so that keys stay behind


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _relative(path: Path, base: Path, pattern: str) -> str:
    """The path below ``base`` (a file elsewhere is put at the top), never through a link upward."""
    absolute, root = (
        Path(os.path.normpath(path.absolute())),
        Path(os.path.normpath(base.absolute())),
    )
    if absolute.is_relative_to(root):
        return absolute.relative_to(root).as_posix()
    return absolute.name


def _walk(base: Path, warnings: list[str], seen: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Files below ``base`` by their relative path; links that leave it and odd files are told."""
    root = base.resolve()
    for place, folders, names in os.walk(base):
        folders[:] = sorted(name for name in folders if not is_never(name))
        for name in [name for name in folders if Path(place, name).is_symlink()]:
            folders.remove(name)
            shown = Path(place, name).relative_to(base).as_posix()
            warnings.append(f"{shown} is left out: it is a link to a folder.")
        for name in sorted(names):
            path = Path(place, name)
            shown = path.relative_to(base).as_posix()
            if is_never(name):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                warnings.append(f"{shown} is left out: it is a link that leads out of the folder.")
            elif not path.is_file():
                warnings.append(f"{shown} is left out: it is not a file.")
            else:
                yield shown, path


def _module_files(module: str, base: Path) -> Iterator[Path]:
    """The files of a local module: its own, or the whole of its package."""
    top = module.partition(".")[0]
    single = base / f"{top}.py"
    package = base / top
    if single.is_file():
        yield single
    elif (package / "__init__.py").is_file():
        yield from (path for _, path in _walk(package, [], ()) if path.suffix == ".py")
