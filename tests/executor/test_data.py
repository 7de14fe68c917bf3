from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy_magics.errors import DataError
from deploy_magics.executor.data import COLUMNS, Bars, PriceSet, cached_bars, load_prices

pytestmark = pytest.mark.usefixtures("cache")

START = 1_492_592_400


def frame(rows: int = 6, step: int = 3600) -> pd.DataFrame:
    time = START + step * np.arange(rows)
    close = 1.07 + 0.001 * np.arange(rows)
    return pd.DataFrame(
        {
            "time": time,
            "open": close - 0.0005,
            "high": close + 0.001,
            "low": close - 0.001,
            "close": close,
            "volume": 100.0 + np.arange(rows),
        }
    )


def bars(source: object) -> Bars:
    return load_prices({"EUR-USD": source}).bars["EUR-USD"]  # type: ignore[dict-item]


REFERENCE = frame()


def as_dates(table: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(table["time"], unit="s")


SHAPES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "as it is": lambda t: t,
    "upper case": lambda t: t.rename(columns=str.upper),
    "short names": lambda t: t.rename(columns={c: c[0] for c in t}),
    "milliseconds": lambda t: t.assign(time=t.time * 1000),
    "microseconds": lambda t: t.assign(time=t.time * 1_000_000),
    "nanoseconds": lambda t: t.assign(time=t.time * 1_000_000_000),
    "float seconds": lambda t: t.assign(time=t.time.astype(float)),
    "epochs as text": lambda t: t.assign(time=t.time.astype(str)),
    "Open time": lambda t: t.rename(columns={"time": "Open time"}),
    "ISO dates": lambda t: t.assign(time=as_dates(t).dt.strftime("%Y-%m-%dT%H:%M:%SZ")),
    "dotted dates": lambda t: t.assign(time=as_dates(t).dt.strftime("%Y.%m.%d %H:%M:%S")),
    "GMT behind": lambda t: t.assign(time=as_dates(t).dt.strftime("%Y-%m-%d %H:%M:%S GMT")),
    "offsets": lambda t: t.assign(
        time=as_dates(t).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").astype(str)
    ),
    "zoned column": lambda t: t.assign(
        time=as_dates(t).dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    ),
    "naive column": lambda t: t.assign(time=as_dates(t)),
    "datetime index": lambda t: t.drop(columns="time").set_axis(pd.DatetimeIndex(as_dates(t))),
    "coarse index": lambda t: t.drop(columns="time").set_axis(
        pd.DatetimeIndex(as_dates(t)).as_unit("s")
    ),
    "epoch index": lambda t: t.set_index("time"),
    "day and clock": lambda t: t.drop(columns="time").assign(
        Date=as_dates(t).dt.strftime("%Y-%m-%d"), Time=as_dates(t).dt.strftime("%H:%M:%S")
    ),
    "two levels": lambda t: (
        t.drop(columns="time")
        .set_axis(pd.DatetimeIndex(as_dates(t)))
        .pipe(lambda x: x.set_axis(pd.MultiIndex.from_product([x.columns, ["EUR-USD"]]), axis=1))
    ),
    "a symbol column": lambda t: pd.concat(
        [t.assign(symbol="EURUSD"), t.assign(symbol="GBPUSD", close=9, high=9)]
    ),
    "dollars": lambda t: t.assign(close=t.close.map("${:,.3f}".format)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_usual_shapes_give_the_same_prices(shape: str) -> None:
    assert bars(SHAPES[shape](REFERENCE)).digest == bars(REFERENCE).digest


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.csv", lambda t, p: t.to_csv(p, index=False)),
        ("semicolons.csv", lambda t, p: t.to_csv(p, index=False, sep=";", decimal=",")),
        ("tabs.tsv", lambda t, p: t.to_csv(p, index=False, sep="\t")),
        ("index.csv", lambda t, p: t.set_index("time").to_csv(p)),
        ("packed.csv.gz", lambda t, p: t.to_csv(p, index=False)),
        ("headless.csv", lambda t, p: t.to_csv(p, index=False, header=False)),
        ("a.parquet", lambda t, p: t.to_parquet(p)),
        ("dates.parquet", lambda t, p: t.set_index(as_dates(t)).to_parquet(p)),
        ("rows.json", lambda t, p: p.write_text(json.dumps(t.to_numpy().tolist()))),
        ("records.json", lambda t, p: p.write_text(json.dumps(t.to_dict("records")))),
        (
            "remark.csv",
            lambda t, p: p.write_text("downloaded on Monday\n" + t.to_csv(index=False)),
        ),
    ],
)
def test_files(name: str, write: Callable[[pd.DataFrame, Path], object], tmp_path: Path) -> None:
    write(REFERENCE, tmp_path / name)
    again = bars(tmp_path / name)
    np.testing.assert_allclose(again.frame, bars(REFERENCE).frame, rtol=1e-12)
    assert (again.columns["time"] == REFERENCE.time).all()


def test_a_frame_of_what_was_read() -> None:
    read = bars(REFERENCE)
    assert read.frame.index[0] == pd.Timestamp("2017-04-19 09:00", tz="UTC")
    assert list(read.frame.columns) == list(COLUMNS[1:])
    assert read.resolution == 3600
    assert read.notes == ()


def test_dates_without_a_clock() -> None:
    daily = frame(4, 86400).assign(time=["20170131", "20170201", "20170202", "20170203"])
    assert bars(daily).frame.index[0] == pd.Timestamp("2017-01-31", tz="UTC")
    assert bars(daily.assign(time=daily.time.astype(int))).digest == bars(daily).digest


def test_closes_alone() -> None:
    series = pd.Series(REFERENCE.close.values, index=as_dates(REFERENCE))
    read = bars(series)
    assert (read.columns["open"] == read.columns["close"]).all()
    assert read.notes == ("no volume: taken as 0",)


def test_ticks_become_bars() -> None:
    times = pd.to_datetime([START * 1000 + ms for ms in (0, 100, 900, 1000, 2500)], unit="ms")
    ticks = pd.DataFrame({"time": times, "price": [5.0, 7, 6, 4, 8], "qty": [1, 2, 3, 4, 5]})
    read = bars(ticks)
    expected = [[5, 7, 5, 6, 6], [4, 4, 4, 4, 4], [8, 8, 8, 8, 5]]
    assert read.frame.to_numpy().tolist() == expected
    assert read.resolution == 1
    assert "5 ticks put into 3 bars of whole seconds" in read.notes


def test_repairs_are_noted() -> None:
    table = frame(300)
    table = pd.concat([table.iloc[50:], table.iloc[:50], table.iloc[[7]]])
    table.iloc[3, 4] = np.nan
    table.iloc[4, 5] = np.nan
    table.iloc[5, 2] = 0.5
    prices = load_prices({"EUR-USD": table})
    assert len(prices.bars["EUR-USD"]) == 299
    text = "\n".join(prices.notes)
    for part in (
        "EUR-USD: rows were not in the order of time: sorted",
        "1 row without a price or a time, the first at 2017-04-21 14:00:00: left out",
        "1 row without a valid volume: taken as 0",
        "1 row given twice: one kept",
        "1 row with a price outside low to high: range widened",
        "1 gap in the times, the longest of 0 days 02:00:00 after 2017-04-21 13:00:00",
    ):
        assert part in text
    assert (np.diff(prices.bars["EUR-USD"].columns["time"]) > 0).all()


def test_one_time_with_two_bars_keeps_the_last() -> None:
    table = pd.concat([frame(300), frame(1).assign(close=1.0701)])
    read = bars(table)
    assert read.columns["close"][0] == 1.0701
    assert "different bars" in read.notes[1]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (frame().assign(close=-1.0), "negative one at 2017-04-19 09:00:00"),
        (frame().assign(low=0.0), "zero one"),
        (frame().assign(close=np.inf), "infinite"),
        (frame().assign(close=np.nan), "no row has both"),
        (frame().assign(close="abc"), "close is not numbers"),
        (frame().drop(columns="time"), "no column of times"),
        (frame()[["time", "open"]], "no column of closing prices"),
        (frame().assign(time="soon"), "times cannot be read, such as 'soon'"),
        (pd.concat([frame(), frame() * [1, 2, 2, 2, 2, 1]]), "more than one symbol"),
        (frame(1), "1 usable rows"),
        (frame().assign(time=START), "several different bars"),
        (frame(0), "no rows"),
        (frame().assign(symbol=list("ABABAB")), "the table holds A, B, and not EUR-USD"),
    ],
)
def test_what_is_refused(table: pd.DataFrame, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        bars(table)
    assert str(caught.value).startswith("EUR-USD: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b""), ("b.csv", b"\x00\xff\xfe"), ("c.parquet", b"nothing"), ("d.json", b"{")],
)
def test_files_that_are_something_else(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError):
        bars(tmp_path / name)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        bars(tmp_path / "none.csv")


@pytest.mark.parametrize("symbol", ["", "../x", "a b", "x" * 65 + "..", "a\nb"])
def test_symbols(symbol: str) -> None:
    if symbol == "../x":  # a slash is a symbol's; it never becomes a path
        load_prices({symbol: REFERENCE}).write()
    else:
        with pytest.raises(DataError, match="not a symbol"):
            load_prices({symbol: REFERENCE})


def test_nothing_given() -> None:
    with pytest.raises(DataError, match="SYMBOL=source"):
        load_prices({})


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    pd.concat([REFERENCE, REFERENCE.iloc[[1]]]).to_csv(path, index=False)
    first = load_prices({"A": path})
    monkeypatch.setattr("deploy_magics.executor.data._checked", None)
    second = load_prices({"A": path})
    assert (second.digest, second.notes) == (first.digest, first.notes)


def test_written_for_a_run(tmp_path: Path) -> None:
    prices = load_prices({"A/B": REFERENCE, "C-D": frame(9, 60)})
    for folder in (None, tmp_path / "prices"):
        entries = prices.write(folder)
        assert [entry["symbol"] for entry in entries] == ["A/B", "C-D"]
        assert [entry["resolution"] for entry in entries] == [3600, 60]
        with np.load(entries[1]["path"]) as arrays:
            assert list(arrays) == list(COLUMNS)
            assert arrays["time"].dtype == np.int64
            assert len(arrays["time"]) == 9
    kept = cached_bars("A/B", prices.digests["A/B"])
    assert kept is not None
    assert kept.digest == prices.digests["A/B"]
    assert cached_bars("A/B", "0" * 64) is None


prices_ = st.floats(1e-9, 1e12, allow_nan=False)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(prices_, prices_, st.floats(0, 1e15)), min_size=2, max_size=30),
    st.integers(1, 86400),
)
def test_upload_and_back(rows: list[tuple[float, float, float]], step: int) -> None:
    table = pd.DataFrame(rows, columns=["open", "close", "volume"])
    table["high"] = table[["open", "close"]].max(axis=1)
    table["low"] = table[["open", "close"]].min(axis=1)
    table["time"] = START + step * np.arange(len(table))
    sent = load_prices({"X": table, "Y": table * [1, 2, 1, 2, 2, 1]})
    got = PriceSet.from_files(sent.to_upload())
    assert got.digests == sent.digests
    assert got.digest == sent.digest
    assert PriceSet.from_files({"X": sent.to_upload()["X"]}).digest != sent.digest


def test_frames_by_symbol() -> None:
    prices = load_prices({"A": REFERENCE, "B": REFERENCE})
    assert set(prices.frames) == {"A", "B"}
    assert prices.frames["B"].equals(prices.frames["A"])
    assert "A: 6 bars of 3600 s, 2017-04-19 to 2017-04-19" in repr(prices)
