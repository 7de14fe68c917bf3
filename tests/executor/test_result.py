from __future__ import annotations

import io
import json
import math
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from deploy_magics.errors import RunError, UsageError
from deploy_magics.executor import exact_json, plot
from deploy_magics.executor.data import load_prices
from deploy_magics.executor.result import BacktestResult

pytestmark = pytest.mark.usefixtures("cache")
Make = Callable[..., BacktestResult]


def test_the_account(make_result: Make) -> None:
    result = make_result()
    assert result.equity.index[0] == pd.Timestamp("2017-05-01", tz="UTC")
    assert len(result.equity) == 100
    assert list(result.positions.columns) == ["EUR", "USD"]
    assert result.initial_value == 10_000
    assert result.final_value == result.equity.iloc[-1]
    assert (result.drawdown <= 0).all()
    assert result.drawdown.min() < 0


def test_returns_are_at_the_librarys_steps(make_result: Make) -> None:
    result = make_result()
    assert len(result.returns) == 4
    # the library takes the row before the one at that very time
    expected = result.equity.iloc[23] / result.equity.iloc[0] - 1
    assert result.returns.iloc[0] == pytest.approx(expected)


def test_orders_and_trades(make_result: Make) -> None:
    result = make_result()
    assert result.orders["time"].iloc[0] == pd.Timestamp("2017-05-01 20:00", tz="UTC")
    assert len(result.trades) == 1
    assert result.metrics["trades"] == 1
    assert result.metrics["cagr"] == 7.0
    assert math.isnan(result.metrics["sortino"])


def test_what_it_was_run_with(make_result: Make, prices_frame: pd.DataFrame) -> None:
    prices = load_prices({"EUR-USD": prices_frame.iloc[::-1]})
    result = make_result(prices=prices, args={"to": "1y"})
    assert result.data_digests == prices.digests
    assert result.notes == ("EUR-USD: rows were not in the order of time: sorted",)
    assert result.model == "RSI"
    assert result.code == {"bot.py": "LOW = 30\nHIGH = 70\n"}
    assert result.logs == "hello\n"
    assert result.args == result.args_used == {"to": "1y"}
    frame = result.prices["EUR-USD"]
    assert frame.index[0] == result.equity.index[0]
    assert frame.index[-1] == result.equity.index[-1]
    assert "buy_and_hold_pct" in result.metrics


def test_several_strategies_and_screeners(make_folder: Callable[..., Path]) -> None:
    more = {"metrics": {"cagr": 1.0}, "symbols": ["A-B"], "orders": [], "quote_asset": "B"}
    folder = make_folder(strategies=[more], screeners=[{"A": True}])
    with np.load(folder / "result.npz") as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    kept |= {f"1/{name}": values[:50] for name, values in list(kept.items())}
    np.savez(folder / "result.npz", **kept)
    result = BacktestResult.from_run_folder(folder)
    assert [len(part.equity) for part in (result, *result.further)] == [100, 50]
    assert result.further[0].id == "run.1"
    assert result.further[0].metrics["cagr"] == 1.0
    assert result.screeners == [{"A": True}]
    assert "1 more strategy ran" in repr(result)


def test_no_account_at_all(make_folder: Callable[..., Path]) -> None:
    """A screener's run."""
    folder = make_folder(metrics={}, orders=[], screeners=[{"A": 1}])
    (folder / "result.npz").unlink()
    result = BacktestResult.from_run_folder(folder)
    assert math.isnan(result.final_value)
    assert result.trades.empty
    assert result.returns.empty
    assert repr(result) == "Backtest · EUR-USD\n"
    assert result._repr_html_()
    assert result.plot().png
    assert BacktestResult.from_json(result.to_json()).screeners == [{"A": 1}]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "result.json").unlink(), "without a result"),
        (lambda f: (f / "result.json").write_text('{"protocol": 1, "metr'), "cannot be read"),
        (lambda f: (f / "result.json").write_text('{"protocol": 9}'), "another protocol"),
        (lambda f: (f / "result.json").write_text('{"protocol": 1}'), "not whole"),
        (lambda f: (f / "result.json").write_text("[]"), "another protocol"),
        (
            lambda f: (f / "result.npz").write_bytes((f / "result.npz").read_bytes()[:99]),
            "cut|read",
        ),
        (
            lambda f: np.savez(
                f / "result.npz",
                **{"history/time": np.arange(3.0), "history/value": np.arange(2.0)},
            ),
            "differ in length",
        ),
        (
            lambda f: np.savez(f / "result.npz", x=np.array([object()], dtype=object)),
            "cannot be read",
        ),
    ],
)
def test_a_damaged_result_is_said_to_be(
    make_folder: Callable[..., Path], damage: Callable[[Path], object], says: str
) -> None:
    folder = make_folder()
    damage(folder)
    with pytest.raises(RunError, match=says):
        BacktestResult.from_run_folder(folder)


def test_json_and_back(make_result: Make, prices_frame: pd.DataFrame) -> None:
    prices = load_prices({"EUR-USD": prices_frame})
    prices.write()  # as a run does
    result = make_result(
        prices=prices,
        callback_errors=[{"count": 3, "traceback": "ValueError: no"}],
    )
    result.metrics["profit_factor"] = math.inf
    result.further = [make_result("other", seed=2)]
    text = result.to_json()
    assert json.loads(text)["deploy_magics_result"] == 1
    again = BacktestResult.from_json(text)
    assert again.to_json() == text
    pd.testing.assert_frame_equal(again.history, result.history, check_exact=True)
    pd.testing.assert_frame_equal(again.trades, result.trades, check_exact=True)
    assert again.metrics["profit_factor"] == math.inf
    assert math.isnan(again.metrics["sortino"])
    assert again.prices["EUR-USD"].equals(result.prices["EUR-USD"])
    assert repr(again) == repr(result)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"deploy_magics_result": 2}', "null", "x"])
def test_what_is_no_result(text: str) -> None:
    with pytest.raises(RunError, match="not a result"):
        BacktestResult.from_json(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=80)
@given(values, st.lists(st.floats(width=64)))
def test_exact_json(value: Any, numbers: list[float]) -> None:
    again = exact_json.loads(exact_json.dumps({"value": value, "array": np.array(numbers)}))
    assert repr(again["value"]) == repr(value)
    assert again["array"].tobytes() == np.array(numbers).tobytes()


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        '{"$array": {"type": "O", "data": ""}}',
        '{"$array": {"type": "<f8", "data": "!"}}',
    ],
)
def test_json_that_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        exact_json.loads(text)


def test_the_text(make_result: Make) -> None:
    result = make_result(callback_errors=[{"count": 2, "traceback": "Trace\nValueError: no"}])
    text = repr(result)
    assert text.startswith("Backtest of RSI · EUR-USD · 2017-05-01 to 2017-05-05\n  10,000.00 → ")
    assert max(map(len, text.splitlines())) < 80
    assert re.search(r"^  Sharpe Ratio +2\.50$", text, re.MULTILINE)
    assert "A callback raised 2 times: ValueError: no" in text
    assert "unchanged, from the run of" in repr(result.cached())
    assert not result.from_cache


def test_what_a_notebook_shows(make_result: Make, fake_model: Any) -> None:
    result = make_result(model=fake_model(name="<script>x</script>"), rows=9000)
    formatter = DisplayFormatter(parent=None)
    formatter.active_types = formatter.format_types
    bundle, _ = formatter.format(result)
    assert set(bundle) == {"text/plain", "text/html", "image/png"}
    assert "<script>" not in bundle["text/html"]
    assert "data:image/png;base64," in bundle["text/html"]
    with Image.open(io.BytesIO(bundle["image/png"])) as image:
        assert image.mode == "RGBA"
        assert image.getpixel((2, 2))[3] == 0  # reads on any background
        assert image.width > 700


def test_a_terminal_draws_no_picture(make_result: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BacktestResult, "plot", lambda self: pytest.fail("drawn for nobody"))
    formatter = DisplayFormatter(parent=None)
    formatter.active_types = ["text/plain"]
    assert set(formatter.format(make_result())[0]) == {"text/plain"}


def test_the_picture(make_result: Make, prices_frame: pd.DataFrame, tmp_path: Path) -> None:
    result = make_result(prices=load_prices({"EUR-USD": prices_frame}))
    picture = result.plot()
    labels = [axes.get_ylabel() for axes in picture.figure.axes]
    assert labels == ["Equity (USD)", "Drawdown (%)", "EUR-USD"]
    assert [line.get_label() for line in picture.figure.axes[0].lines] == ["Equity", "Buy and hold"]
    assert [c.get_offsets().shape[0] for c in picture.figure.axes[2].collections] == [1, 1]
    assert picture.save(tmp_path / "a.svg").read_text().startswith("<?xml")
    assert picture._repr_png_() == picture.png


def test_a_long_line_keeps_its_extremes() -> None:
    values = np.sin(np.arange(300_001) / 5000)
    values[[7, 123_456]] = -3, 5
    values[1000:2000] = np.nan
    index = pd.date_range("2017-05-01", periods=len(values), freq="min", tz="UTC")
    times, kept = plot._thin(pd.Series(values, index=index))
    assert len(kept) <= plot.POINTS + 2
    assert (np.nanmin(kept), np.nanmax(kept)) == (-3, 5)
    assert (np.diff(times) > np.timedelta64(0)).all()
    assert (times[0], times[-1]) == (index[0].to_datetime64(), index[-1].to_datetime64())


def test_pictures_in_threads(make_result: Make) -> None:
    result = make_result(rows=5000)
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(result.plot().png)) for _ in range(4)]
    threads[:0] = [threading.Thread(target=plot.prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 4
    assert len(set(made)) == 1  # on panels made before the result came, or after


def test_a_picture_on_prepared_panels_is_the_same(
    make_result: Make, prices_frame: pd.DataFrame
) -> None:
    result = make_result(prices=load_prices({"EUR-USD": prices_frame}))
    fresh = result.plot().png
    plot.prepare()
    assert result.plot().png == fresh
    assert result.plot().png == fresh


def test_a_page_to_send(make_result: Make, fake_model: Any, tmp_path: Path) -> None:
    model = fake_model(name="A & B", files={"bot.py": b"x = 1 < 2\n", "data.bin": b"\xff"})
    page = make_result(model=model).to_html(tmp_path / "page.html").read_text()
    assert "<h1>A &amp; B</h1>" in page
    assert "x = 1 &lt; 2" in page
    assert "http" not in page.replace("<meta http-equiv", "")
    assert "Win Rate (%)" in page
    assert page.count("<table") >= 4


def test_a_tearsheet(make_result: Make, tmp_path: Path) -> None:
    result = make_result(rows=1500)
    path = result.tearsheet(tmp_path / "sheet.html")
    assert "RSI" in path.read_text("utf-8")
    assert "<iframe srcdoc=" in result.tearsheet()._repr_html_()
    with pytest.raises(UsageError, match="two days"):
        make_result("short", rows=10).tearsheet()
