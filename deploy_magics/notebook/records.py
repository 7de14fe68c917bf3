"""One statement of one execution, and what it goes on."""

from __future__ import annotations

import builtins
import sys
from dataclasses import dataclass, field

from deploy_magics.notebook.objects import Binding, Obj
from deploy_magics.notebook.reading import Unit

# Names that a notebook has and a program has too, or that the slice gives to it.
ALWAYS = frozenset(dir(builtins)) | {"__name__", "__doc__", "__builtins__", "__file__", "__spec__"}
SHIMS = frozenset({"display", "get_ipython"})
KNOWN = ALWAYS | SHIMS | {"__package__", "__loader__", "exit", "quit"}


@dataclass(frozen=True)
class Need:
    """Statement ``place`` is needed, and why; as a sentence about it."""

    place: int
    why: str
    name: str
    only_with: str = ""
    """A name: the need holds only when the slice binds it."""


@dataclass(frozen=True)
class Missing:
    """A name that is read and cannot be had."""

    name: str
    binding: Binding


@dataclass
class Record:
    """One statement of one execution, and what it goes on."""

    place: int
    cell: int | None
    unit: Unit
    needs: list[Need] = field(default_factory=list)
    states: dict[tuple[Obj, bool], int] = field(default_factory=dict)
    """Objects whose state counts (True: the module alone), and the moment of the last look."""
    missing: list[Missing] = field(default_factory=list)
    binds: set[str] = field(default_factory=set)
    plain: set[str] = field(default_factory=set)
    version: int = 0


def exports(module: str, name: str, surely: bool) -> bool:
    """Whether ``from module import *`` brings ``name``; without knowing: not ``surely``."""
    loaded = sys.modules.get(module)
    if loaded is None:
        return not surely
    listed = getattr(loaded, "__all__", None)
    if isinstance(listed, (list, tuple)):
        return name in listed
    return not name.startswith("_") and hasattr(loaded, name)
