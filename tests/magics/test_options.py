from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import pytest

from deploy_magics.actions.kinds import Cell, Completes, Json, Names, Reads, Source
from deploy_magics.actions.options import options_of
from deploy_magics.errors import UsageError
from deploy_magics.magics.options import parse as parse_line
from deploy_magics.magics.words import quoted, split


def settings() -> Mapping[str, tuple[type, str]]:
    return {"benchmark_symbol": (str, "What to compare with."), "use_price": (bool, "")}


def action(
    name: Annotated[str | None, Completes("model")] = None,
    *,
    to: str | None = None,
    pace: float | str | None = None,
    times: int = 1,
    watch: bool = False,
    follow: bool = True,
    include: Sequence[str] = (),
    data: Mapping[str, Source] | None = None,
    initial_values: Mapping[str, float] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    args: Json = None,
    engine: Literal["fast", "plain"] = "fast",
    payload: Annotated[Any, Reads("object")] = None,
    cell: Cell = None,
    on_event: Annotated[Any, Reads("hidden")] = None,
    **more: Annotated[Any, Names(settings)],
) -> None:
    """Do a thing
    in two lines.

    More words.

    Args:
        name: which model,
            the last one by default.
        to: how far back.
        cell: the strategy.
    """


def parse(line: str, **names: Any) -> dict[str, Any]:
    return parse_line(options_of(action), line, names)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ('"RSI Model"', {"name": "RSI Model"}),
        ("'RSI Model' --to 1y", {"name": "RSI Model", "to": "1y"}),
        ("--to=1y", {"to": "1y"}),
        ("--to 1y --to 2y", {"to": "2y"}),
        ("--times 3", {"times": 3}),
        ("--times 1_000", {"times": 1000}),
        ("--times 1e3", {"times": 1000}),
        ("--pace 0.5", {"pace": 0.5}),
        ("--pace real", {"pace": "real"}),
        ("--watch", {"watch": True}),
        ("--no-follow", {"follow": False}),
        ("--watch=false", {"watch": False}),
        ("--include a.py --include b.py,c.py", {"include": ["a.py", "b.py", "c.py"]}),
        ("--data A=a.csv B=b.csv", {"data": {"A": "a.csv", "B": "b.csv"}}),
        ("--data A=a.csv --data B=b.csv", {"data": {"A": "a.csv", "B": "b.csv"}}),
        ("--data A=a.csv RSI", {"data": {"A": "a.csv"}, "name": "RSI"}),
        ("--data A=a,b.csv", {"data": {"A": "a,b.csv"}}),
        ("--initial-values USD=10000,BTC=1.5", {"initial_values": {"USD": 10000.0, "BTC": 1.5}}),
        ("--initial_values USD=1", {"initial_values": {"USD": 1.0}}),
        (
            "--sweep LOW=20,25 --sweep KIND=ema,sma",
            {"sweep": {"LOW": [20, 25], "KIND": ["ema", "sma"]}},
        ),
        ("""--args '{"to": "1y"}'""", {"args": {"to": "1y"}}),
        ("--engine plain", {"engine": "plain"}),
        ("--benchmark-symbol SPY", {"benchmark_symbol": "SPY"}),
        ("--use-price", {"use_price": True}),
        ("--to 1y   # a year of it", {"to": "1y"}),
        ("# nothing", {}),
        ("--to 1y#2", {"to": "1y#2"}),
        (r"--data A=C:\new\t.csv", {"data": {"A": r"C:\new\t.csv"}}),
        ("--to -5", {"to": "-5"}),
    ],
)
def test_a_line_is_read_by_the_actions_signature(line: str, expected: dict[str, Any]) -> None:
    assert parse(line) == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--tow 1y", "There is no option --tow. Did you mean --to"),
        ("--inital-values A=1", "Did you mean --initial-values?"),
        ("--zzz", "There is no option --zzz."),
        ("--on-event x", "There is no option --on-event."),
        ("--cell x", "There is no option --cell."),
        ("--times soon", "--times takes a whole number, not 'soon'."),
        ("--times 1.5", "--times takes a whole number, not '1.5'."),
        ("--times", "--times needs a value."),
        ("--to --watch", "--to needs a value. how far back."),
        ("--engine fats", "--engine cannot be 'fats'. Did you mean fast?"),
        ("--engine x", "Choose from fast, plain."),
        ("--data prices.csv", "--data takes NAME=VALUE, not 'prices.csv'."),
        ("--initial-values USD=much", "--initial-values USD takes a number, not 'much'."),
        ("--initial-values USD=", "has no value"),
        ("--args {", "--args takes JSON, and this is none"),
        ("--args [1]", "--args takes a JSON object."),
        ("RSI Model", "'Model' is one argument too many. A name with spaces goes in quotes"),
        ('--to "1y', "A quote is not closed"),
        ("--watch=perhaps", "--watch is a switch"),
        ("--data A=prces", "there is no file and no DataFrame 'prces'. Did you mean prices?"),
        ("--data A=number", "number is of type int. Give a DataFrame, or a file."),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, prices=pd.DataFrame({"close": [1.0]}), number=3)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_may_be_a_frame_of_the_kernel() -> None:
    prices = pd.DataFrame({"close": [1.0]})
    assert parse("--data A=prices", prices=prices)["data"]["A"] is prices
    assert parse("--data A=prices.close", prices=prices)["data"]["A"] == "prices.close"


def test_data_may_be_a_file_without_a_suffix(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices").write_text("")
    assert parse("--data A=prices") == {"data": {"A": "prices"}}


def test_an_object_of_the_kernel_or_json_or_text() -> None:
    payload = {"a": object()}
    assert parse("--payload payload", payload=payload)["payload"] is payload
    assert parse("--payload [1,2]")["payload"] == [1, 2]
    assert parse("--payload other")["payload"] == "other"


def test_the_cells_body_goes_to_the_parameter_that_is_marked() -> None:
    assert parse_line(options_of(action), "--to 1y", cell="x = 1\n") == {
        "to": "1y",
        "cell": "x = 1\n",
    }

    def plain() -> None:
        """Nothing."""

    with pytest.raises(UsageError, match="takes a line, not a cell"):
        parse_line(options_of(plain), "", cell="x")


def test_summary_and_help_come_from_the_docstring() -> None:
    options = options_of(action)
    assert options.summary == "Do a thing in two lines."
    named = {option.name: option for option in options.options}
    assert named["name"].help == "which model, the last one by default."
    assert named["name"].completes == "model" and named["name"].positional
    assert named["data"].completes == "frame"
    assert "cell" not in named and "on_event" not in named


def test_several_positionals_and_a_missing_one() -> None:
    def two(first: str, second: int = 2) -> None:
        """Two.

        Args:
            first: the one that is needed.
        """

    assert parse_line(options_of(two), "a 3") == {"first": "a", "second": 3}
    with pytest.raises(UsageError, match=r"The first is missing. the one that is needed."):
        parse_line(options_of(two), "")


def test_any_number_of_positionals() -> None:
    def many(runs: Sequence[str] = (), *, brief: bool = False) -> None:
        """Many."""

    assert parse_line(options_of(many), "a b --brief c") == {"runs": ["a", "b", "c"], "brief": True}


@pytest.mark.parametrize("text", ["plain", "RSI Model", 'say "hi"', "it's", "a#b", r"C:\x", ""])
def test_a_quoted_word_reads_back(text: str) -> None:
    assert [word.text for word in split(f"x {quoted(text)}")] == ["x", text]
