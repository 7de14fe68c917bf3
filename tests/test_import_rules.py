"""The house's rule of who may import whom, held for every module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "deploy_magics"

FOR_ALL = {"errors", "display"}
ALLOWED = {
    "notebook": set(),
    "model": set(),
    "runtime": set(),
    "credentials": set(),
    "errors": set(),
    "display": set(),
    "platforms": {"credentials"},
    "executor": {"model", "platforms"},
    "actions": {"notebook", "model", "executor", "platforms", "credentials"},
    "magics": {"actions"},
    "widgets": {"actions"},
    "labserver": {"actions"},
    "server": {"executor", "model"},
    "cli": {"server", "actions"},
    # the package's own door: the faces and the actions by name
    "deploy_magics": {"actions", "magics", "widgets", "labserver", "notebook"},
}


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "deploy_magics" if parts[0] == "__init__" else parts[0]


def modules() -> list[Path]:
    built = PACKAGE / "labextension"
    return sorted(path for path in PACKAGE.rglob("*.py") if built not in path.parents)


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Full names of the package's own modules that ``path`` imports, and the line."""
    package = ["deploy_magics", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{stem}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "deploy_magics":
                yield name, node.lineno


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_the_design_allows(path: Path) -> None:
    room = room_of(path)
    allowed = ALLOWED[room] | FOR_ALL | {room}
    for name, line in imported(path):
        parts = name.split(".")
        target = parts[1] if len(parts) > 1 else "deploy_magics"
        if target in ALLOWED:
            assert target in allowed, f"{path.name}:{line}: {room} may not import {target}"


def test_every_room_is_known() -> None:
    rooms = {room_of(path) for path in modules()}
    assert rooms <= set(ALLOWED)


def graph() -> dict[str, set[str]]:
    """Modules to the modules that they import, at module level or within functions."""
    known = {}
    for path in modules():
        parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        known[".".join(["deploy_magics", *parts])] = path
    edges: dict[str, set[str]] = {}
    for module, path in known.items():
        targets = set()
        for name, _ in imported(path):
            while name and name not in known:
                name = name.rpartition(".")[0]
            targets.add(name)
        edges[module] = targets - {module, "deploy_magics", ""}
    return edges


def test_there_is_no_circle_of_rooms() -> None:
    rooms: dict[str, set[str]] = {}
    for module, targets in graph().items():
        room = [*module.split("."), "deploy_magics"][1]
        rooms.setdefault(room, set()).update(target.split(".")[1] for target in targets)
    done: set[str] = set()

    def visit(room: str, way: tuple[str, ...]) -> None:
        assert room not in way, " -> ".join([*way, room])
        if room not in done:
            for target in rooms.get(room, set()) - {room}:
                visit(target, (*way, room))
            done.add(room)

    for room in rooms:
        visit(room, ())


def test_the_runtime_needs_the_standard_library_alone() -> None:
    third = {"numpy", "pandas", "blankly", "ccxt"}
    for path in (PACKAGE / "runtime").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
        for node in tree.body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [(node.module or "").split(".")[0]]
            assert not third & set(names), f"{path.name}:{node.lineno}"
