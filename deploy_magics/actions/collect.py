"""From a cell, a folder, a zip or a program to a model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..display import announce, show
from ..errors import ManifestError, UsageError
from ..model import Model
from .naming import default_name
from .workspace import Collected, Packing, current


def collect(
    source: Model | str | Path | None = None,
    *,
    cell: str | None = None,
    name: str | None = None,
    include: Sequence[str] = (),
    only: bool = False,
    requirements: Sequence[str] = (),
    python: str | None = None,
    warn: bool = True,
) -> Collected:
    """The model that is meant, remembered as the last one.

    Args:
        source: a Model, a folder with blankly.json, a zip, or a program's file; left out, the
            cell, and without one the model that was collected last.
        cell: source of the cell that is the main script.
        name: what the model is called; left out, after the notebook.
        only: take nothing but cells tagged ``model`` beside the cell.
        requirements: lines, or one file, in place of what the imports say.
        warn: show what the model's maker should read before it is shipped.
    """
    if python and not re.fullmatch(r"3\.\d{1,2}(\.\d+)?", python):
        raise UsageError(f"--python cannot be {python!r}.", "Say a version, like 3.11.")
    if source is not None and cell is not None:
        raise UsageError("A cell and a path are two models.", "Use one % to run what is at a path.")
    packing = Packing(name, tuple(include), only, tuple(requirements), python)
    workspace = current()
    if cell is not None:
        found = _from_cell(cell, packing)
    elif source is not None:
        found = _from_source(source, packing)
    elif workspace.last is None:
        raise UsageError(
            "There is no model yet.", "Put %%backtest on the first line of the strategy's cell."
        )
    else:
        found = _again(workspace.last, packing)
        _take_along(workspace.last.model.name, found.model.name)
    if warn and found is not workspace.last:
        for warning in found.model.warnings:
            show(f"! {warning}")
    workspace.last = found
    if found.cells:
        announce("marks", {"cells": list(found.cells)})
    return found


def _from_cell(cell: str, packing: Packing, entry_id: str | None = None) -> Collected:
    from ..notebook import ExecutionLog, slice_cells, slice_log

    log: ExecutionLog | None = current().log
    if not cell.strip():
        raise UsageError("The cell is empty.", "The strategy goes below the magic's line.")
    labels: dict[int | None, str] = {}
    if log is None:
        found = slice_cells([], cell)
    else:
        found = slice_log(log, cell, only_marked=packing.only)
        labels = {**log.labels, None: _this_cell()}
    packing = replace(packing, name=packing.name or default_name(cell))
    model = Model.build(
        str(packing.name),
        found,
        cell_labels=labels,
        requirements=_requirements(packing.requirements),
        include=packing.include,
        python_version=packing.python,
        settings=_beside("settings.json"),
        backtest_settings=_beside("backtest.json"),
    )
    ids: list[str] = []
    if log is not None:
        ids = [cell_id for index in found.cells if (cell_id := log.cells[index].cell_id)]
        if entry_id is None:
            entry_id = (log.running[1] if log.running else None) or ""
        ids += [entry_id] if entry_id else []
    return Collected(model, cell, packing, tuple(dict.fromkeys(ids)), entry_id or "")


def _from_source(source: Model | str | Path, packing: Packing) -> Collected:
    if isinstance(source, Model):
        return Collected(source)
    path = Path(source).expanduser()
    requirements = _requirements(packing.requirements)
    if path.is_dir():
        model = Model.from_folder(path, include=packing.include, name=packing.name)
    elif path.suffix == ".zip" and path.is_file():
        model = Model.from_zip(path, name=packing.name)
    elif path.suffix == ".py" and path.is_file():
        model = Model.build(
            packing.name or path.stem,
            path.read_text("utf-8"),
            requirements=requirements,
            include=packing.include,
            folder=path.parent,
            python_version=packing.python,
            settings=_beside("settings.json", path.parent),
            backtest_settings=_beside("backtest.json", path.parent),
        )
        return Collected(model)
    else:
        raise UsageError(
            f"There is no model at {str(source)!r}.",
            "Name a folder with blankly.json, a zip, or a .py file.",
        )
    return Collected(model.with_requirements(requirements) if requirements else model)


def _again(last: Collected, packing: Packing) -> Collected:
    """The last model; built anew from its cell where something about it is said differently."""
    if packing == Packing():
        return last
    if last.entry:
        return _from_cell(last.entry, packing.over(last.packing), last.entry_id)
    if packing.include or packing.only or packing.python:
        raise UsageError("--include, --only and --python are for a model made of cells.")
    model = last.model
    requirements = _requirements(packing.requirements)
    if requirements:
        model = model.with_requirements(requirements)
    return Collected(replace(model, name=packing.name) if packing.name else model)


def _take_along(before: str, now: str) -> None:
    """A model that only gets another name keeps its data and arguments."""
    workspace = current()
    for remembered in (workspace.data, workspace.arguments):
        if now not in remembered and before in remembered:
            remembered[now] = remembered[before]


def _requirements(given: Sequence[str]) -> list[str] | str | None:
    """A file's path, or lines; commas that only part the bounds of one requirement stay in it."""
    if not given:
        return None
    if len(given) == 1 and Path(given[0]).expanduser().is_file():
        return str(Path(given[0]).expanduser())
    lines: list[str] = []
    for piece in given:
        if lines and re.match(r"\s*[<>=!~]", piece):
            lines[-1] += f",{piece}"
        else:
            lines.append(piece)
    return lines


def _beside(name: str, folder: Path | None = None) -> Mapping[str, Any] | None:
    """The user's own settings.json or backtest.json, where one lies beside the notebook."""
    path = (folder or Path()) / name
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path} cannot be read ({error}).", "Mend it or move it.") from None
    if not isinstance(value, dict):
        raise ManifestError(f"{path} holds no JSON object.", "Mend it or move it.")
    return value


def _this_cell() -> str:
    hook = getattr(current().shell, "displayhook", None)
    count = getattr(hook, "prompt_count", None)
    return f"cell [{count}]" if isinstance(count, int) else "this cell"
