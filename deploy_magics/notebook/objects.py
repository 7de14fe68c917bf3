"""The objects a notebook makes, as far as its text tells: who holds whom, who was changed when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy_magics.notebook.functions import Function

Key = Any
"""A literal subscript or an attribute's name; None for one that is not known."""


class Obj:
    """One object, or all objects that one place of the program makes.

    Kinds: ``plain`` (a display or a copy: its contents are known), ``opaque`` (what an unknown call
    gave), ``iterator``, ``random``, ``module``, ``function``, ``class``, ``instance``; and, inside
    the summary of a function, ``symbol`` (a parameter or a global) and ``result`` (of a call).
    """

    __slots__ = (
        "born",
        "changes",
        "function",
        "held",
        "info",
        "kind",
        "label",
        "name",
        "owner",
        "parts",
    )

    def __init__(self, kind: str, name: str = "", owner: Any = None, born: int = -1) -> None:
        self.kind = kind
        self.name = name
        self.owner = owner
        self.born = born
        self.label = ""  # the first name it was bound to, for people
        self.changes: list[int] = []
        self.held: dict[tuple[Key, Obj], int] = {}
        self.parts: dict[Key, Obj] = {}
        self.function: Function | None = None
        self.info: Any = None

    def under(self, key: Key) -> list[Obj]:
        """What it holds under one key."""
        return [content for held, content in self.held if held == key]

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


Value = frozenset[Obj]
NOTHING: Value = frozenset()


def union(values: Iterable[Value]) -> Value:
    """All objects of several values."""
    return frozenset().union(*values)


@dataclass(frozen=True)
class Binding:
    """What a name stands for at some place.

    Attributes:
        defs: statements one of which bound it last.
        value: the objects it may stand for.
        missing: it may not be bound at all.
        gone: the statement that deleted it, where it is not bound.
        refused: why its value cannot be shipped, empty where it can.
    """

    defs: frozenset[int] = frozenset()
    value: Value = NOTHING
    missing: bool = False
    gone: int | None = None
    refused: str = ""


UNBOUND = Binding(missing=True)


def merge(one: Binding, other: Binding) -> Binding:
    """Either of two: after a branch."""
    if one is other:
        return one
    return Binding(
        one.defs | other.defs,
        one.value | other.value,
        one.missing or other.missing,
        one.gone if one.gone is not None else other.gone,
        one.refused or other.refused,
    )


@dataclass
class Arguments:
    """The values of a call: by place, by keyword, and those of ``*args`` and ``**kwargs``."""

    places: list[Value] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)
    rest: Value = NOTHING

    @property
    def all(self) -> Value:
        """Every object that is handed over."""
        return union([*self.places, *self.keywords.values(), self.rest])

    def with_first(self, value: Value) -> Arguments:
        """The same call with a receiver in front."""
        return Arguments([value, *self.places], self.keywords, self.rest)
