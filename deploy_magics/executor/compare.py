"""Several results side by side: figures with differences, curves, what changed between them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

import pandas as pd

from deploy_magics.display import Table, escape
from deploy_magics.errors import UsageError
from deploy_magics.executor.metrics import format_metric, metric_name, metrics_table
from deploy_magics.executor.page import image_html
from deploy_magics.executor.plot import Picture, plot_comparison
from deploy_magics.executor.result import BacktestResult

ABSENT = "–"


def compare(results: Sequence[BacktestResult], names: Sequence[str] | None = None) -> Comparison:
    """Results beside the first of them; UsageError for less than two."""
    if len(results) < 2:
        raise UsageError("A comparison needs two runs or more.", "See %backtests for the ids.")
    return Comparison(list(results), list(names) if names else _names(results))


class Comparison:
    """Results side by side; differences are against the first.

    Attributes:
        names: how each result is called, no two alike.
    """

    def __init__(self, results: list[BacktestResult], names: list[str]) -> None:
        self.results = results
        self.names = names

    @cached_property
    def table(self) -> pd.DataFrame:
        """Metrics by key; a column for each result, and 'Δ name' for each but the first."""
        keys = list(dict.fromkeys(key for result in self.results for key, _, _ in _rows(result)))
        columns: dict[str, list[Any]] = {}
        first = self.results[0].metrics
        for name, result in zip(self.names, self.results, strict=True):
            columns[name] = [result.metrics.get(key, math.nan) for key in keys]
            if result is not self.results[0]:
                columns[f"Δ {name}"] = [_minus(result.metrics.get(k), first.get(k)) for k in keys]
        return pd.DataFrame(columns, index=pd.Index(keys, name="metric"))

    @cached_property
    def changed_arguments(self) -> pd.DataFrame:
        """The arguments, data, Python and versions that are not the same in all, by name."""
        facts = [_facts(result) for result in self.results]
        names = list(dict.fromkeys(name for known in facts for name in known))
        rows = {
            name: [known.get(name, ABSENT) for known in facts]
            for name in names
            if len({str(known.get(name, ABSENT)) for known in facts}) > 1
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=self.names)

    @cached_property
    def code_changes(self) -> dict[str, str]:
        """For each result whose code is not the first one's, a unified diff against it."""
        first, changes = self.results[0], {}
        for name, result in zip(self.names[1:], self.results[1:], strict=True):
            text = "\n".join(_diff(first.code, result.code, self.names[0], name))
            if text:
                changes[name] = text
        return changes

    def plot(self) -> Picture:
        """The equity curves from 100, and the drawdowns, in one picture."""
        return plot_comparison(self.results, self.names)

    def __repr__(self) -> str:
        parts = [repr(self.metrics_shown())]
        if len(self.changed_arguments):
            parts.append(repr(self.arguments_shown()))
        parts += [f"Code of {name}\n{text}" for name, text in self.code_changes.items()]
        if len(parts) == 1:
            parts.append("The same code, arguments and data.")
        return "\n\n".join(parts)

    def _repr_png_(self) -> bytes:
        return self._png

    @cached_property
    def _png(self) -> bytes:
        return self.plot().png

    def _repr_html_(self) -> str:
        parts = [image_html(self._png), self.metrics_shown()._repr_html_()]
        if len(self.changed_arguments):
            parts.append(self.arguments_shown()._repr_html_())
        parts += [
            f"<details open><summary>Code of {escape(name)}</summary>{_diff_html(text)}</details>"
            for name, text in self.code_changes.items()
        ]
        return f"<div>{''.join(parts)}</div>"

    def metrics_shown(self) -> Table:
        """``table`` as it is read: names, rounded values, a sign before what has grown."""
        rows = []
        names: dict[str, str] = {}
        for result in self.results:
            names |= result.metric_names
        for key, values in self.table.iterrows():
            texts = [_written(str(key), column, value) for column, value in values.items()]
            rows.append([metric_name(str(key), names), *texts])
        headings = ["Metric", *self.table.columns]
        return Table(headings, rows, title="Metrics", right=range(1, len(headings)))

    def arguments_shown(self) -> Table:
        """``changed_arguments`` as it is read."""
        rows = [[name, *map(str, row)] for name, *row in self.changed_arguments.itertuples()]
        return Table(["What differs", *self.names], rows)


def _rows(result: BacktestResult) -> Iterator[tuple[str, str, str]]:
    return iter(metrics_table(result))


def _minus(value: Any, first: Any) -> float:
    """NaN where there is nothing to subtract."""
    numbers = all(
        isinstance(item, (int, float)) and not isinstance(item, bool) for item in (value, first)
    )
    if not numbers:
        return math.nan
    return 0.0 if value == first else float(value) - float(first)


def _written(key: str, column: Any, value: Any) -> str:
    text = format_metric(key, value)
    difference = str(column).startswith("Δ ")
    return f"+{text}" if difference and isinstance(value, float) and value > 0 else text


def _names(results: Sequence[BacktestResult]) -> list[str]:
    """The model's name where that tells them apart, else with the time, else with the id."""
    plain = [result.model or "Backtest" for result in results]
    times = [f"{datetime.fromtimestamp(result.created_at):%H:%M:%S}" for result in results]
    timed = [f"{name} {time}" for name, time in zip(plain, times, strict=True)]
    for names in (plain, timed):
        if len(set(names)) == len(names):
            return names
    return [f"{name} {number}" for number, name in enumerate(plain, start=1)]


def _facts(result: BacktestResult) -> dict[str, Any]:
    used = {name: value for name, value in result.args_used.items() if value is not None}
    facts: dict[str, Any] = {}
    for name, value in {**result.args, **used}.items():
        if isinstance(value, dict):
            facts |= {f"{name}.{key}": item for key, item in value.items()}
        elif name in ("start_date", "end_date") and isinstance(value, (int, float)):
            facts[name] = f"{datetime.fromtimestamp(value, tz=timezone.utc):%Y-%m-%d %H:%M}"
        else:
            facts[name] = value
    facts |= {f"data {symbol}": digest[:12] for symbol, digest in result.data_digests.items()}
    facts |= {f"version of {name}": value for name, value in result.versions.items()}
    return {**facts, "engine": result.engine, "where": result.where}


def _diff(
    first: Mapping[str, str], second: Mapping[str, str], from_name: str, to_name: str
) -> Iterator[str]:
    for path in sorted({*first, *second}):
        before, after = first.get(path, ""), second.get(path, "")
        if before != after:
            yield from difflib.unified_diff(
                before.splitlines(),
                after.splitlines(),
                f"{path} ({from_name})",
                f"{path} ({to_name})",
                lineterm="",
                n=2,
            )


def _diff_html(text: str) -> str:
    colours = {"+": "#1a9a5c", "-": "#e0473e", "@": "#808080"}
    lines = []
    for line in text.splitlines():
        colour = colours.get(line[:1])
        shown = escape(line)
        lines.append(f"<span style='color:{colour}'>{shown}</span>" if colour else shown)
    return f"<pre>{'<br>'.join(lines)}</pre>"
