"""What a sweep gives: a tidy table, the best combination, pictures, the walk forward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from deploy_magics.display import Table
from deploy_magics.errors import UsageError
from deploy_magics.executor.data import PriceSet
from deploy_magics.executor.environment import Environment
from deploy_magics.executor.metrics import KEY_METRICS, format_metric, metric_name
from deploy_magics.executor.result import BacktestResult
from deploy_magics.executor.sweep_points import Outcome, Point
from deploy_magics.model import Model

if TYPE_CHECKING:
    from deploy_magics.executor.local import Limits
    from deploy_magics.executor.plot import Picture

# smaller is better
LOSSES = frozenset(
    {"max_drawdown", "volatility", "variance", "value_at_risk", "cavr", "fees", "longest_trade"}
)
SHOWN = 10
Pair = tuple[Point, Outcome]


def better(pairs: Sequence[Pair], metric: str) -> Pair | None:
    """The pair with the best value of a metric; the first of equal ones, None without any."""
    sign = -1.0 if metric in LOSSES else 1.0
    known = [
        (sign * float(outcome.metrics[metric]), -point.number, (point, outcome))
        for point, outcome in pairs
        if outcome.metrics is not None and _is_number(outcome.metrics.get(metric))
    ]
    return max(known, key=lambda item: item[:2])[2] if known else None


@dataclass
class Combination:
    """Values and what came of them; ``run`` gives the whole result."""

    parameters: dict[str, Any]
    metrics: dict[str, Any]
    model: Model = field(repr=False)
    args: dict[str, Any] = field(repr=False)
    sweep: SweepResult = field(repr=False)

    def run(self) -> BacktestResult:
        """Run it on this machine, for its account, its trades and its picture."""
        from deploy_magics.executor.local import run_backtest

        return run_backtest(
            self.model,
            prices=self.sweep.prices,
            args=self.args,
            environment=self.sweep.environment,
            engine=self.sweep.engine,
            limits=self.sweep.limits,
        )


@dataclass(repr=False)
class SweepResult:
    """The runs of a sweep.

    Attributes:
        names: the parameters. ``by``: the metric that decides.
        points: each point with its outcome, as they were done.
        interrupted: whether there are more.
    """

    names: tuple[str, ...]
    by: str
    model: Model
    prices: PriceSet | None
    environment: Environment
    engine: str = "fast"
    limits: Limits | None = None
    points: list[Pair] = field(default_factory=list)
    interrupted: bool = False
    leader: Pair | None = None

    def add(self, point: Point, outcome: Outcome) -> None:
        self.points.append((point, outcome))
        if point.part != "tried on":
            pairs = [(point, outcome)] if self.leader is None else [self.leader, (point, outcome)]
            self.leader = better(pairs, self.by) or self.leader

    @property
    def table(self) -> pd.DataFrame:
        """A row for each run, in the grid's order: parameters, fold, metrics, what went wrong."""
        rows = []
        for point, outcome in sorted(self.points, key=lambda pair: pair[0].number):
            row: dict[str, Any] = dict(point.parameters)
            if point.fold is not None:
                first, last = (
                    (point.fold.start, point.fold.middle)
                    if point.part == "chosen on"
                    else (point.fold.middle, point.fold.end)
                )
                row |= {"fold": point.fold.number, "part": point.part}
                row |= {"from": _date(first), "until": _date(last)}
            row |= outcome.metrics or {}
            row |= {"callback_errors": outcome.callback_errors}
            row |= {"error": outcome.error, "seconds": outcome.seconds}
            rows.append(row)
        table = pd.DataFrame(rows)
        ends = [name for name in ("callback_errors", "error", "seconds") if name in table]
        return table[[name for name in table.columns if name not in ends] + ends]

    @property
    def errors(self) -> pd.DataFrame:
        """The rows that failed."""
        table = self.table
        return table[table["error"] != ""] if len(table) else table

    @property
    def metrics(self) -> list[str]:
        names = dict.fromkeys(name for _, outcome in self.points for name in outcome.metrics or ())
        return list(names)

    def ranked(self, metric: str | None = None) -> pd.DataFrame:
        """The table with the best first; with folds, the mean of what each was chosen on."""
        metric = self._known(metric)
        table = self.table
        if "fold" in table:
            table = table[table["part"] == "chosen on"]
            keys = [repr(values) for values in table[list(self.names)].to_numpy().tolist()]
            first = table.groupby(keys, sort=False)[list(self.names)].first()
            means = table.groupby(keys, sort=False)[self.metrics].mean()
            table = pd.concat([first, means], axis=1).reset_index(drop=True)
        return table.sort_values(metric, ascending=metric in LOSSES, na_position="last")

    def best(self, metric: str | None = None) -> Combination:
        """The best by a metric (by default the sweep's own); UsageError where there is none."""
        metric = self._known(metric)
        pair = better([pair for pair in self.points if pair[0].part != "tried on"], metric)
        if pair is not None and pair[0].fold is not None:
            wanted = {name: self.ranked(metric).iloc[0][name] for name in self.names}
            pair = next(p for p in self.points if _same(p[0].parameters, wanted))
        if pair is None or pair[1].metrics is None:
            raise UsageError(f"No combination has a {metric}.", "See .errors.")
        point, outcome = pair
        return Combination(
            point.parameters, dict(outcome.metrics or {}), point.model, point.args, self
        )

    @property
    def walk_forward(self) -> pd.DataFrame:
        """For each fold the values that were chosen, and the metric on both stretches of time."""
        rows = []
        for point, outcome in self.points:
            if point.part != "tried on" or point.fold is None:
                continue
            chosen = next(
                (
                    other.metrics
                    for before, other in self.points
                    if before.fold == point.fold
                    and before.part == "chosen on"
                    and before.parameters == point.parameters
                ),
                None,
            )
            tried = outcome.metrics or {}
            rows.append(
                {
                    "fold": point.fold.number,
                    "from": _date(point.fold.middle),
                    "until": _date(point.fold.end),
                    **point.parameters,
                    f"{self.by} chosen on": (chosen or {}).get(self.by, math.nan),
                    f"{self.by} tried on": tried.get(self.by, math.nan),
                    "return_pct": tried.get("return_pct", math.nan),
                }
            )
        rows.sort(key=lambda row: row["fold"])
        return pd.DataFrame(rows)

    def plot(self, metric: str | None = None) -> Picture:
        """A curve for one parameter, a heat map for two, parallel coordinates for more."""
        from deploy_magics.executor.sweep_plot import plot_sweep

        return plot_sweep(self, self._known(metric))

    def heat_map(self, x: str, y: str, metric: str | None = None) -> Picture:
        """The best value of a metric for each pair of values of two parameters."""
        from deploy_magics.executor.sweep_plot import heat_map

        return heat_map(self, x, y, self._known(metric))

    def parallel(self, metric: str | None = None) -> Picture:
        """A line for each combination through all parameters to the metric."""
        from deploy_magics.executor.sweep_plot import parallel

        return parallel(self, self._known(metric))

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return "\n\n".join(repr(table) for table in self._tables())

    def _repr_html_(self) -> str:
        from deploy_magics.executor.page import image_html

        picture = image_html(self.plot().png) if self.leader and self.names else ""
        tables = "".join(table._repr_html_() for table in self._tables())
        return f"<div>{picture}{tables}</div>"

    def _tables(self) -> list[Table]:
        failed = sum(outcome.metrics is None for _, outcome in self.points)
        known = sum(outcome.from_store for _, outcome in self.points)
        parts = [f"{len(self.points)} runs of {self.model.name}"]
        parts += [f"{known} from the store"] if known else []
        parts += [f"{failed} failed: see .errors"] if failed else []
        raised = sum(outcome.callback_errors > 0 for _, outcome in self.points)
        parts += [f"{raised} with callbacks that raised"] if raised else []
        parts += ["interrupted: the same sweep goes on from here"] if self.interrupted else []
        if self.leader is None:
            return [Table([], [], title=" · ".join(parts), empty="No run succeeded.")]
        shown = [self.by, *(key for key in KEY_METRICS if key != self.by and key in self.metrics)]
        tables = [_shown(self.ranked().head(SHOWN), [*self.names, *shown], " · ".join(parts))]
        walk = self.walk_forward
        if len(walk):
            tables.append(_shown(walk, list(walk.columns), "Walk forward"))
        return tables

    def _known(self, metric: str | None) -> str:
        name = metric or self.by
        if self.metrics and name not in self.metrics:
            import difflib

            near = difflib.get_close_matches(name, self.metrics, 1)
            some = ", ".join(self.metrics[:8])
            hint = f"Did you mean {near[0]}?" if near else f"There are {some}, …"
            raise UsageError(f"A backtest has no metric {name}.", hint)
        return name


def _shown(frame: pd.DataFrame, columns: list[str], title: str) -> Table:
    rows = [
        [_cell(name, value) for name, value in zip(columns, row, strict=True)]
        for row in frame[columns].itertuples(index=False, name=None)
    ]
    headings = [metric_name(name) if name in KEY_METRICS else name for name in columns]
    return Table(headings, rows, title=title, right=range(len(headings)))


def _cell(name: str, value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float) and not (value.is_integer() and name not in KEY_METRICS):
        return format_metric(name, value)
    return str(value)


def _date(seconds: int) -> pd.Timestamp:
    return pd.Timestamp(seconds, unit="s", tz="UTC")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not math.isnan(value)


def _same(parameters: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(bool(parameters[name] == value) for name, value in wanted.items())
