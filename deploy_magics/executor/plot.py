"""Pictures of results: transparent, in colours that read on white and on black alike."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from deploy_magics.executor.metrics import buy_and_hold
from deploy_magics.executor.thin import thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from deploy_magics.executor.result import BacktestResult

# each has a contrast of 3 or more against white and against #111111
INK = "#808080"
SERIES = ("#2f80ed", "#e8710a", "#1a9a5c", "#b457d9", "#d6336c", "#0f9fb5", "#a17f0d", "#7a6ff0")
GAIN, LOSS = "#1a9a5c", "#e0473e"
HELD = "#909090"
POINTS = 2000  # more than that cannot be told apart in a picture
RESULT = (3, 1, 2)  # heights of a result's panels: equity, drawdown, price
_preparing = threading.Lock()
_prepared: dict[tuple[int, ...], tuple[Figure, list[Axes]]] = {}


class Picture:
    """A Matplotlib figure that shows itself as PNG wherever it is displayed.

    ``figure`` is the figure, to be changed or saved by hand.
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    @cached_property
    def png(self) -> bytes:
        buffer = io.BytesIO()
        options = {"compress_level": 3}
        self.figure.savefig(buffer, format="png", transparent=True, dpi=110, pil_kwargs=options)
        return buffer.getvalue()

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the picture in the format that its name says."""
        place = Path(path).expanduser()
        self.figure.savefig(place, **options)
        return place

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"Picture({width:g} by {height:g} inches; .save(path) writes it)"


def plot_result(result: BacktestResult) -> Picture:
    """Equity against buy and hold, drawdown, and the trades on the price of the first symbol."""
    if not len(result.history):
        return Picture(_nothing("this run has no account history"))
    symbol = next((name for name in result.symbols if name in result.prices), None)
    figure, axes = _panels(RESULT if symbol else RESULT[:2])
    unit = f" ({result.quote_asset})" if result.quote_asset else ""
    _line(axes[0], result.equity, SERIES[0], "Equity")
    held = buy_and_hold(result.prices, result.equity.index)
    if held is not None:
        _line(axes[0], held * result.initial_value, HELD, "Buy and hold", width=1.0)
    axes[0].set_ylabel(f"Equity{unit}", color=INK)
    _legend(axes[0])
    _draw_drawdown(axes[1], result.drawdown)
    if symbol:
        _draw_trades(axes[2], result, symbol)
    title = result.model or "Backtest"
    axes[0].set_title(title, color=INK, loc="left", fontsize=10, y=1.0)
    return Picture(figure)


def plot_comparison(results: Sequence[BacktestResult], names: Sequence[str]) -> Picture:
    """The equity curves of several results from 100, and their drawdowns."""
    figure, axes = _panels((3, 1))
    for number, (result, name) in enumerate(zip(results, names, strict=True)):
        if len(result.history):
            colour = SERIES[number % len(SERIES)]
            _line(axes[0], 100 * result.equity / result.initial_value, colour, name)
            _line(axes[1], 100 * result.drawdown, colour, name, width=0.9)
    axes[0].set_ylabel("Equity (start = 100)", color=INK)
    axes[1].set_ylabel("Drawdown (%)", color=INK)
    _legend(axes[0])
    return Picture(figure)


def prepare() -> None:
    """Make the panels of the next result's picture and draw them once, empty: fonts, ticks and
    their texts are then there when the result comes. To be called in a thread while it runs."""
    with _preparing:
        if RESULT in _prepared:
            return
        figure, axes = _new_panels(RESULT)
        year = np.array(["2017-01-01", "2018-01-01"], "datetime64[s]")
        lines = [panel.plot(year, [0.0, 1.0])[0] for panel in axes]
        _ = Picture(figure).png
        for panel, line in zip(axes, lines, strict=True):
            line.remove()
            panel.relim()
        _prepared[RESULT] = figure, axes


def new_figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """A figure of its own: no global state, nothing to close, safe in any thread."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def style(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(color=INK, alpha=0.25, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    axes.yaxis.label.set_fontsize(8)


def _panels(heights: tuple[int, ...]) -> tuple[Figure, list[Axes]]:
    with _preparing:  # what is half made is there sooner than another one
        ready = _prepared.pop(heights, None)
    return ready or _new_panels(heights)


def _new_panels(heights: tuple[int, ...]) -> tuple[Figure, list[Axes]]:
    height = 1.1 + 0.75 * sum(heights)
    figure = new_figure(8.0, height, layout=None)  # to find the margins out takes half of the time
    figure.subplots_adjust(0.095, 0.3 / height, 0.995, 1 - 0.3 / height, hspace=0.12)
    grid = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": list(heights)}
    )
    axes = list(grid[:, 0])
    for panel in axes:
        style(panel)
        # titles and labels where they belong: to look for free places takes a tenth of the time
        panel.set_title("", y=1.0)
        panel.yaxis.set_label_coords(-0.075, 0.5)
    return figure, axes


def _line(axes: Axes, series: pd.Series, colour: str, label: str, width: float = 1.3) -> None:
    times, values = _thin(series)
    axes.plot(times, values, color=colour, linewidth=width, label=label)


def _thin(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    times = series.index.to_numpy("datetime64[ns]")
    values = series.to_numpy(dtype=float)
    places = thinned(values, POINTS)
    return times[places], values[places]


def _draw_drawdown(axes: Axes, drawdown: pd.Series) -> None:
    times, values = _thin(100 * drawdown)
    axes.fill_between(times, values, 0.0, color=LOSS, alpha=0.35, linewidth=0)
    axes.plot(times, values, color=LOSS, linewidth=0.8)
    axes.set_ylabel("Drawdown (%)", color=INK)


def _draw_trades(axes: Axes, result: BacktestResult, symbol: str) -> None:
    _line(axes, result.prices[symbol]["close"], INK, symbol, width=0.9)
    trades = result.trades[result.trades["symbol"] == symbol]
    long = trades["side"] == "long"
    bought = [(trades[long], "entry"), (trades[~long], "exit")]
    sold = [(trades[long], "exit"), (trades[~long], "entry")]
    for parts, marker, colour, label in (
        (bought, "^", GAIN, "Bought"),
        (sold, "v", LOSS, "Sold"),
    ):
        times = pd.concat([part[f"{kind}_time"] for part, kind in parts])
        prices = pd.concat([part[f"{kind}_price"] for part, kind in parts])
        known = times.notna().to_numpy()
        at = times[known].dt.tz_localize(None).to_numpy("datetime64[ns]")
        axes.scatter(at, prices[known], marker=marker, s=26, color=colour, label=label, zorder=3)
    axes.set_ylabel(symbol, color=INK)
    _legend(axes)


def _legend(axes: Axes) -> None:
    legend = axes.legend(loc="best", fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_color(INK)


def _nothing(why: str) -> Figure:
    figure = new_figure(8.0, 1.0)
    figure.text(0.5, 0.5, why, color=INK, ha="center", va="center")
    return figure
