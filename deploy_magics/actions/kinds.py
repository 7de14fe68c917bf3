"""How an action's parameters are read and completed when they come as text.

An action's signature is all that a face needs: plain types (``str``, ``int``, ``bool``,
``Sequence[str]``, ``Mapping[str, float]``, ``Literal[…]``) say how to read an option; the
markers below, used with ``Annotated``, say what plain types cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any


@dataclass(frozen=True)
class Reads:
    """How text becomes the value.

    ``source``: the name of a DataFrame or Series in the kernel, else a path (kept as text).
    ``object``: the name of anything in the kernel, else JSON, else the text itself.
    ``json``: JSON that holds an object. ``cell``: the body of a cell magic, never an option.
    ``hidden``: for programs only, never an option.
    """

    how: str


@dataclass(frozen=True)
class Completes:
    """What Tab offers: ``model``, ``project``, ``version``, ``run``, ``file``, ``folder`` or
    ``frame``; or a name that the face has a completer of its own for."""

    what: str


@dataclass(frozen=True)
class Names:
    """For ``**settings``: the options that it takes, with the type and the help of each."""

    known: Callable[[], Mapping[str, tuple[type, str]]]


if TYPE_CHECKING:
    import pandas

    Source = str | Path | pandas.DataFrame | pandas.Series[Any]
else:
    Source = Annotated[object, Reads("source"), Completes("frame")]

Cell = Annotated[str | None, Reads("cell")]
Json = Annotated[str | Mapping[str, Any] | None, Reads("json")]
ModelName = Annotated[str | None, Completes("model")]
ProjectName = Annotated[str | None, Completes("project")]
VersionNumber = Annotated[str | None, Completes("version")]
RunId = Annotated[str | None, Completes("run")]
FilePath = Annotated[str | None, Completes("file")]
FolderPath = Annotated[str | None, Completes("folder")]
