"""What a sweep varies: top-level constants of the main script, and arguments of the backtest."""

from __future__ import annotations

import ast
import difflib
import itertools
import json
import random as chance
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from deploy_magics.errors import ModelError, UsageError
from deploy_magics.model import Model

ARGUMENTS = ("to", "start_date", "end_date", "initial_values")
FEES = ("maker_fee", "taker_fee")
MOST = 1_000_000  # combinations of one grid


class Constants:
    """The names that the main script assigns at its top level, and how to change their values.

    A value is replaced in the text and every line stays where it is, so that the tracebacks of a
    changed script name the lines of the notebook's cells as before.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            tree = ast.parse(source)
        except SyntaxError as problem:
            raise ModelError(f"The main script is not Python ({problem.msg}).") from problem
        self._places: dict[str, list[ast.expr]] = {}
        for statement in tree.body:
            for name, value in _assigned(statement):
                self._places.setdefault(name, []).append(value)

    @property
    def names(self) -> list[str]:
        return list(self._places)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def changed(self, values: Mapping[str, Any]) -> str:
        """The script with other values; UsageError for a name that is assigned twice."""
        edits = []
        for name, value in values.items():
            places = self._places[name]
            if len(places) > 1:
                lines = " and ".join(str(place.lineno) for place in places)
                raise UsageError(
                    f"{name} is assigned more than once (lines {lines} of the main script).",
                    "Assign it once to sweep over it.",
                )
            edits.append((*_span(self.source, places[0]), _literal(name, value)))
        text = self.source
        for start, end, literal in sorted(edits, reverse=True):
            extra = text.count("\n", start, end)
            padded = f"({literal}{chr(10) * extra})" if extra else literal
            text = text[:start] + padded + text[end:]
        return text


def with_constants(model: Model, constants: Constants, values: Mapping[str, Any]) -> Model:
    """The same model with other values of its constants."""
    if not values:
        return model
    text = constants.changed(values).encode("utf-8")
    return replace(model, files={**model.files, model.manifest.main_path: text})


def constants_of(model: Model) -> Constants:
    text = model.read(model.manifest.main_path).decode("utf-8-sig")
    return Constants(text.replace("\r\n", "\n"))


def with_arguments(args: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The backtest's arguments with others; settings of the library go among the settings."""
    merged = dict(args)
    for name, value in values.items():
        if name in ARGUMENTS:
            if name == "to":
                merged = {k: v for k, v in merged.items() if k not in ("start_date", "end_date")}
            elif name in ("start_date", "end_date"):
                merged.pop("to", None)
            merged[name] = value
        else:
            merged["settings"] = {**(merged.get("settings") or {}), name: value}
    return merged


def settings_of(model: Model) -> tuple[str, ...]:
    """The names of the library's settings that the model's backtest.json knows, and the fees."""
    try:
        record = json.loads(model.read("backtest.json"))
        return (*record.get("settings", {}), *FEES)
    except (KeyError, ValueError, AttributeError, OSError):
        return FEES


def split_names(
    grid: Mapping[str, Sequence[Any]], constants: Constants, settings: Sequence[str]
) -> tuple[list[str], list[str]]:
    """(constants, arguments) among the names of a grid.

    Raises UsageError, with the nearest name, for one that is neither.
    """
    ours, arguments = [], []
    for name in grid:
        plain = name.replace("-", "_")
        if name in constants:
            ours.append(name)
        elif plain in ARGUMENTS or plain in settings:
            arguments.append(name)
        else:
            known = [*constants.names, *ARGUMENTS, *settings]
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"Did you mean {near[0]}?" if near else ""
            what = ", ".join(item for item in constants.names if item.isupper()) or "none"
            raise UsageError(
                f"{name} is neither assigned at the top of the main script nor an argument.",
                hint or f"The model's constants: {what}.",
            )
    return ours, arguments


def combinations(
    grid: Mapping[str, Sequence[Any]], random: int | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Every combination of the values, or so many different ones drawn from them.

    The same grid and seed draw the same ones, so that a sweep can be resumed.
    """
    lists = {name: _values(name, values) for name, values in grid.items()}
    total = 1
    for values in lists.values():
        total *= len(values)
    if random is not None and random < 1:
        raise UsageError("A random sweep needs one combination or more.", "Give --random N.")
    if random is not None and random < total:
        picked = sorted(chance.Random(seed).sample(range(total), random))
        return [_combination(lists, number) for number in picked]
    if total > MOST:
        raise UsageError(f"The grid has {total:,} combinations.", "Draw some with --random N.")
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def _combination(lists: Mapping[str, list[Any]], number: int) -> dict[str, Any]:
    chosen = {}
    for name in reversed(list(lists)):
        number, at = divmod(number, len(lists[name]))
        chosen[name] = lists[name][at]
    return {name: chosen[name] for name in lists}


def _values(name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
        values = [values]
    unpacked = [value.item() if hasattr(value, "item") else value for value in values]
    if not unpacked:
        raise UsageError(f"{name} has no values to try.", f"Give --sweep {name}=1,2,3.")
    seen: dict[str, Any] = {repr(value): value for value in unpacked}
    return list(seen.values())


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    """Names with the expression of each; ``A, B = 1, 2`` is two, anything wilder is none."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets: list[ast.expr] = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    else:
        return []
    value = statement.value
    assert value is not None
    found: list[tuple[str, ast.expr]] = []
    for target in targets:
        if isinstance(target, ast.Name):
            found.append((target.id, value))
        elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
            for item, part in zip(target.elts, value.elts, strict=False):
                if isinstance(item, ast.Name) and len(target.elts) == len(value.elts):
                    found.append((item.id, part))
    return found


def _span(source: str, node: ast.expr) -> tuple[int, int]:
    """Where an expression begins and ends in the text, in characters."""
    lines = re.split(r"(?<=\n)", source)
    starts = [0, *itertools.accumulate(len(line) for line in lines)]

    def at(line: int, column: int) -> int:  # columns of the tree count bytes
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)


def _literal(name: str, value: Any) -> str:
    text = repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise UsageError(
            f"{name} cannot be set to {text[:60]}.", "Sweep over numbers, texts, lists or dicts."
        )
    return f"({text})" if text.startswith("-") else text
