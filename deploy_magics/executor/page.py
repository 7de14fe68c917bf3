"""A result as text, as HTML for a notebook, and as a page to send. Everything is escaped."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from deploy_magics.display.table import clean
from deploy_magics.executor.metrics import metrics_table

if TYPE_CHECKING:
    from deploy_magics.executor.result import BacktestResult

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse } td, th { padding: .15em .8em; text-align: right }
td:first-child, th:first-child { text-align: left }
tr { border-bottom: 1px solid #8884 } img { max-width: 100% }
pre { background: #8881; padding: 1em; overflow: auto } .table { overflow: auto }
"""
SHOWN_TRADES = 200
COLUMNS = 78  # of a terminal


def result_text(result: BacktestResult) -> str:
    """The metrics in a table, what the user must know below it."""
    rows = metrics_table(result)
    width = max((len(name) for _, name, _ in rows), default=0)
    digits = max((len(value) for _, _, value in rows), default=0)
    about, account = _headline_parts(result)
    headline = " · ".join([*about, *account])
    if len(headline) > COLUMNS:
        headline = " · ".join(about) + "\n" + textwrap.indent(" · ".join(account), "  ")
    lines = [headline.rstrip(), ""]
    lines += [f"  {name:<{width}}  {value:>{digits}}" for _, name, value in rows]
    warnings = [line for text in _warnings(result) for line in _wrapped(text)]
    if warnings:
        lines += ["", *warnings]
    return "\n".join(map(clean, lines))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, COLUMNS, initial_indent="  ", subsequent_indent="    ", break_long_words=False
    )


def result_html(result: BacktestResult, png: bytes | None = None) -> str:
    """For a notebook: the headline, the picture, the metrics in two columns."""
    parts = [f"<p><b>{escape(_headline(result))}</b></p>"]
    if len(result.history):
        parts.append(_image(png if png is not None else result.plot().png))
    parts.append(_metrics_html(result, columns=2))
    parts += [f"<p>⚠ {escape(text)}</p>" for text in _warnings(result)]
    return f"<div>{''.join(parts)}</div>"


def result_page(result: BacktestResult) -> str:
    """A whole page without a reference to anything outside it."""
    title = escape(result.model or "Backtest")
    made = datetime.fromtimestamp(result.created_at, tz=timezone.utc)
    parts = [
        f"<h1>{title}</h1><p>{escape(_headline(result))} · {made:%Y-%m-%d %H:%M} UTC</p>",
        _image(result.plot().png),
        f"<h2>Metrics</h2>{_metrics_html(result, columns=2)}",
        *(f"<p>⚠ {escape(text)}</p>" for text in _warnings(result)),
        f"<h2>Trades</h2>{_trades_html(result.trades)}",
        f"<h2>How it was run</h2>{_facts_html(result)}",
    ]
    for name, text in result.code.items():
        if name.endswith(".py"):
            parts.append(f"<h2>{escape(name)}</h2><pre>{escape(text)}</pre>")
    if result.logs:
        parts.append(f"<h2>Log</h2><pre>{escape(result.logs[-20_000:])}</pre>")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{title}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are escaped; the first column is a name, the others are numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        shown = (
            f"<{tag} style='text-align:{'right' if number else 'left'}'>{escape(cell)}</{tag}>"
            for number, cell in enumerate(cells)
        )
        return f"<tr>{''.join(shown)}</tr>"

    head = f"<thead>{line(header, 'th')}</thead>" if header else ""
    body = "".join(line(row, "td") for row in rows)
    return f"<table>{head}<tbody>{body}</tbody></table>"


def image_html(png: bytes, width: int = 800) -> str:
    data = base64.b64encode(png).decode("ascii")
    return f"<img alt='' style='max-width:100%' width='{width}' src='data:image/png;base64,{data}'>"


def _image(png: bytes) -> str:
    return f"<div>{image_html(png)}</div>"


def _headline(result: BacktestResult) -> str:
    about, account = _headline_parts(result)
    return " · ".join([*about, *account])


def _headline_parts(result: BacktestResult) -> tuple[list[str], list[str]]:
    """What was run, and what came of it."""
    parts, account = [f"Backtest of {result.model}" if result.model else "Backtest"], []
    if result.symbols:
        shown = ", ".join(result.symbols[:4])
        parts.append(shown if len(result.symbols) <= 4 else f"{shown}, …")
    if len(result.history):
        first, last = result.history.index[0], result.history.index[-1]
        parts.append(f"{first:%Y-%m-%d} to {last:%Y-%m-%d}")
        quote = result.quote_asset or ""
        values = f"{result.initial_value:,.2f} → {result.final_value:,.2f} {quote}"
        account.append(values.rstrip())
    if result.from_cache:
        made = datetime.fromtimestamp(result.created_at, tz=timezone.utc)
        account.append(f"unchanged, from the run of {made:%Y-%m-%d %H:%M} UTC")
    return parts, account


def _warnings(result: BacktestResult) -> list[str]:
    texts = []
    for error in result.callback_errors:
        count = int(error.get("count", 1))
        last = str(error.get("traceback", "")).strip().splitlines()
        times = "once" if count == 1 else f"{count} times"
        texts.append(f"A callback raised {times}: {last[-1] if last else 'unknown error'}")
    if result.further:
        count = len(result.further)
        texts.append(f"{count} more {'strategy' if count == 1 else 'strategies'} ran: see .further")
    return texts + list(result.notes)


def _metrics_html(result: BacktestResult, columns: int) -> str:
    cells = [(name, value) for _, name, value in metrics_table(result)]
    height = -(-len(cells) // columns)
    blocks = [cells[start : start + height] for start in range(0, len(cells), max(height, 1))]
    tables = "".join(
        f"<td style='vertical-align:top;text-align:left'>{html_table((), block)}</td>"
        for block in blocks
    )
    return f"<table><tbody><tr>{tables}</tr></tbody></table>"


def _trades_html(trades: pd.DataFrame) -> str:
    if trades.empty:
        return "<p>No trade.</p>"
    rows = [[_cell(value) for value in row] for row in trades.head(SHOWN_TRADES).to_numpy()]
    names = [name.replace("_", " ").capitalize() for name in trades.columns]
    more = len(trades) - SHOWN_TRADES
    rest = f"<p>and {more} more</p>" if more > 0 else ""
    return f"<div class='table'>{html_table(names, rows)}</div>{rest}"


def _cell(value: Any) -> str:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.2f}"
    return str(value)


def _facts_html(result: BacktestResult) -> str:
    facts = {
        "Arguments": json.dumps(result.args_used or result.args, default=str),
        "Model": result.model_digest[:16],
        "Data": ", ".join(f"{name} {digest[:12]}" for name, digest in result.data_digests.items()),
        "Environment": ", ".join(f"{name} {value}" for name, value in result.versions.items()),
        "Requirements": ", ".join(result.environment.get("requirements", ())),
        "Engine": result.engine,
        "Run": result.id,
    }
    return html_table((), [(name, value) for name, value in facts.items() if value])
