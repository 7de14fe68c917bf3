"""Pictures of a sweep."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deploy_magics.errors import UsageError
from deploy_magics.executor.metrics import metric_name
from deploy_magics.executor.plot import INK, SERIES, Picture, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from deploy_magics.executor.sweep_result import SweepResult

WRITTEN = 150  # cells of a heat map that still have their values written in
LINES = 2000
LINE_COLOURS = ("#d6336c", "#8a6fd1", "#0f9fb5")  # all of them read on white and on black


def plot_sweep(result: SweepResult, metric: str) -> Picture:
    if not result.names:
        raise UsageError("There is nothing to draw: no parameter was swept.")
    table = result.ranked(metric)
    varied = [name for name in result.names if table[name].map(repr).nunique() > 1]
    if len(varied) == 2:
        return heat_map(result, varied[0], varied[1], metric)
    if len(varied) <= 1:
        return _curve(result, varied[0] if varied else result.names[0], metric)
    return parallel(result, metric)


def heat_map(result: SweepResult, x: str, y: str, metric: str) -> Picture:
    """See ``SweepResult.heat_map``; what has no result is left empty."""
    table = result.ranked(metric).iloc[::-1]  # the best last: it is what stays in its cell
    columns, rows = _places(table[x]), _places(table[y])
    values = np.full((len(rows), len(columns)), np.nan)
    for a, b, value in zip(table[x], table[y], table[metric], strict=True):
        if not pd.isna(value):
            values[rows[repr(b)], columns[repr(a)]] = value
    figure = new_figure(min(9.0, 2.8 + 0.55 * len(columns)), min(8.0, 1.6 + 0.4 * len(rows)))
    axes = figure.subplots()
    style(axes)
    axes.grid(False)
    image = axes.imshow(values, cmap="viridis", aspect="auto", origin="lower")
    axes.set_xticks(range(len(columns)), [_short(name) for name in columns], rotation=0)
    axes.set_yticks(range(len(rows)), [_short(name) for name in rows])
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    if values.size <= WRITTEN:
        middle = np.nanmean([np.nanmin(values), np.nanmax(values)])
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                colour = "white" if value < middle else "black"
                axes.text(
                    column, row, f"{value:.3g}", ha="center", va="center", color=colour, fontsize=7
                )
    _bar(figure, image, axes, metric)
    return Picture(figure)


def parallel(result: SweepResult, metric: str) -> Picture:
    """See ``SweepResult.parallel``; the best lines lie on top."""
    table = result.ranked(metric).dropna(subset=[metric]).iloc[:LINES][::-1]
    names = [*result.names, metric]
    figure = new_figure(max(6.0, 1.6 * len(names)), 4.2)
    axes = figure.subplots()
    style(axes)
    heights = np.column_stack([_heights(table[name]) for name in names])
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    scores = table[metric].to_numpy(dtype=float)
    shades = LinearSegmentedColormap.from_list("worst to best", LINE_COLOURS)
    colours = ScalarMappable(Normalize(scores.min(), scores.max()), shades)
    for line, score in zip(heights, scores, strict=True):
        axes.plot(range(len(names)), line, color=colours.to_rgba(score), alpha=0.7, linewidth=1)
    axes.set_xticks(range(len(names)), [*result.names, metric_name(metric)])
    axes.set_yticks([])
    axes.set_ylim(-0.07, 1.07)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlim(-0.2, len(names) - 0.8)
    for place, name in enumerate(names):
        axes.axvline(place, color=INK, linewidth=0.8)
        low, high = _ends(table[name])
        axes.annotate(
            low,
            (place, 0),
            (0, -10),
            textcoords="offset points",
            color=INK,
            fontsize=7,
            ha="center",
        )
        axes.annotate(
            high, (place, 1), (0, 4), textcoords="offset points", color=INK, fontsize=7, ha="center"
        )
    axes.tick_params(axis="x", length=0)
    _bar(figure, colours, axes, metric)
    return Picture(figure)


def _curve(result: SweepResult, name: str, metric: str) -> Picture:
    table = result.ranked(metric)
    places = _places(table[name])
    figure = new_figure(7.0, 3.2)
    axes = figure.subplots()
    style(axes)
    numeric = pd.api.types.is_numeric_dtype(table[name])
    at = table[name] if numeric else table[name].map(lambda value: places[repr(value)])
    order = np.argsort(at.to_numpy())
    axes.plot(at.to_numpy()[order], table[metric].to_numpy()[order], "o-", color=SERIES[0], ms=4)
    if not numeric:
        axes.set_xticks(range(len(places)), [_short(text) for text in places])
    axes.set_xlabel(name, color=INK)
    axes.set_ylabel(metric_name(metric), color=INK)
    return Picture(figure)


def _places(values: pd.Series) -> dict[str, int]:
    """Where each different value stands: numbers by size, others as they come."""
    different = {repr(value): value for value in values}
    try:
        ordered = sorted(different, key=lambda text: different[text])
    except TypeError:
        ordered = list(different)
    return {text: place for place, text in enumerate(ordered)}


def _heights(values: pd.Series) -> np.ndarray:
    """Between 0 and 1."""
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=float)
    else:
        places = _places(values)
        numbers = np.array([places[repr(value)] for value in values], dtype=float)
    low, high = numbers.min(), numbers.max()
    return (numbers - low) / (high - low) if high > low else np.full(len(numbers), 0.5)


def _ends(values: pd.Series) -> tuple[str, str]:
    texts = list(_places(values))
    return _short(texts[0]), _short(texts[-1])


def _short(text: str) -> str:
    text = text.strip("'")
    with contextlib.suppress(ValueError):
        text = f"{float(text):.4g}"
    return text if len(text) <= 14 else f"{text[:13]}…"


def _bar(figure: Figure, colours: Any, axes: Any, metric: str) -> None:
    bar = figure.colorbar(colours, ax=axes)
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.outline.set_visible(False)
    bar.set_label(metric_name(metric), color=INK, fontsize=8)
