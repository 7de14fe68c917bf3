"""Results as widgets, and what stays of them in a saved notebook."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy_magics.actions.payload import line, result_payload
from deploy_magics.executor.compare import compare
from deploy_magics.executor.result import BacktestResult
from deploy_magics.widgets import result as module


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the bundle had been built, whether it was or not."""
    bundle = tmp_path / "result.js"
    bundle.write_text("export default { render() {} }")
    monkeypatch.setattr(module, "BUNDLE", bundle)


def test_a_result_is_plain_data_without_nan(result: BacktestResult) -> None:
    data = result_payload(result, points=100)
    json.dumps(data, allow_nan=False)
    assert data["title"] == "RSI <b>Model</b>"
    assert data["subtitle"] == "EUR-USD · 2024-01-01 to 2024-03-24 · 100 USD"
    assert [order["side"] for order in data["trades"]] == ["buy", "sell"]
    assert data["metrics"][0] == {"key": "return_pct", "name": "Return (%)", "value": "1.50"}


def test_lines_are_thinned_but_keep_their_extremes(result: BacktestResult) -> None:
    points = line(result.equity, 100)
    values = [point["value"] for point in points]
    assert len(points) <= 102
    assert max(values) == result.equity.max()
    assert min(values) == result.equity.min()
    times = [point["time"] for point in points]
    assert times == sorted(set(times))
    assert times[0] == result.history.index[0].timestamp()
    assert times[-1] == result.history.index[-1].timestamp()


def test_the_widget_carries_the_data_and_what_stays_without_a_kernel(
    built: None, result: BacktestResult
) -> None:
    widget = module.result_widget(result)
    assert isinstance(widget, module.ResultWidget)
    assert widget.shown["result"]["id"] == "run-1"
    data, _ = bundle(widget)
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data[module.MIME]["result"]["id"] == "run-1"
    assert len(json.dumps(data[module.MIME])) < 100_000


def test_a_comparison_has_its_results_differences_and_code(
    built: None, result: BacktestResult
) -> None:
    other = replace(result, id="run-2", metrics={"return_pct": 2.0}, code={"bot.py": "LOW = 25"})
    widget = module.result_widget(compare([result, other], ["first", "second"]))
    shown = widget.shown["comparison"]
    json.dumps(shown, allow_nan=False)
    assert [each["id"] for each in shown["results"]] == ["run-1", "run-2"]
    assert shown["metrics"]["head"] == ["Metric", "first", "second", "Δ second"]
    assert shown["metrics"]["rows"][0] == ["Return (%)", "1.50", "2.00", "+0.50"]
    assert "+LOW = 25" in shown["code"][0]["diff"]
    assert bundle(widget)[0][module.MIME]["comparison"]["names"] == ["first", "second"]


def test_without_the_bundle_the_static_form_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "BUNDLE", tmp_path / "missing.js")

    class Thing:
        def __repr__(self) -> str:
            return "thing"

        def _repr_html_(self) -> str:
            return "<p>thing</p>"

    data = module.result_widget(Thing())._repr_mimebundle_()
    assert data == {"text/plain": "thing", "text/html": "<p>thing</p>"}


def bundle(widget: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    made = widget._repr_mimebundle_()
    assert isinstance(made, tuple)
    return made
