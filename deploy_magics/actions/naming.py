"""A model's name where the user gives none: the notebook's, else the strategy's."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

from .workspace import current

VARIABLE = "DEPLOY_MAGICS_NOTEBOOK"


def default_name(entry: str) -> str:
    """A name for the model of this cell."""
    path = notebook_path()
    if path is not None:
        return _readable(path.stem)
    return _from_source(entry) or "Notebook model"


def notebook_path() -> Path | None:
    """The notebook's file, where the front end says it; ``$DEPLOY_MAGICS_NOTEBOOK`` wins."""
    shell = current().shell
    names = getattr(shell, "user_ns", {})
    for said in (
        os.environ.get(VARIABLE),
        names.get("__vsc_ipynb_file__"),
        os.environ.get("JPY_SESSION_NAME"),
        names.get("PAPERMILL_INPUT_PATH"),
    ):
        if isinstance(said, str) and said.endswith(".ipynb"):
            return Path(said)
    return None


def _from_source(source: str) -> str:
    """The name of a class in the cell that builds on one, else of the first price event."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.bases:
            return _readable(node.name)
    return ""


def _readable(name: str) -> str:
    """``01_my-RSIModel`` becomes ``My RSI Model``."""
    text = re.sub(r"^\d+[\s_.-]+", "", name)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    words = re.split(r"[\s_-]+", text.strip())
    text = " ".join(word for word in words if word)
    return (text[:1].upper() + text[1:])[:100] or "Notebook model"
