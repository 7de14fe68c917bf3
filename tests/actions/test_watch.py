from pathlib import Path

import pytest

from deploy_magics.actions.watch import HELD_LOOKS, MOST, UNSEEN, Prints, Watch
from deploy_magics.display import Progress
from deploy_magics.errors import ModelFailedError

TRACE = "Traceback (most recent call last):\n  cell [3], line 2\n    x\nNameError: x"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


def test_prints_come_as_they_come(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prints = Prints(log.parent)
    prints.more()
    log.write_text("one\ntw")
    prints.more()
    log.write_text("one\ntwo\n\x1b[2J")
    prints.more()
    prints.last("")
    assert capsys.readouterr().out == "one\ntwo\n�[2J\n"


def test_a_traceback_that_the_error_shows_is_printed_once(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prints = Prints(log.parent)
    log.write_text(f"before\n{TRACE}\n")
    prints.more()
    prints.last(TRACE)
    assert capsys.readouterr().out == "before\n"


def test_a_traceback_that_does_not_end_the_run_is_printed(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prints = Prints(log.parent)
    log.write_text(f"{TRACE}\n(reported once, at simulated 2017)\n")
    prints.more()
    assert capsys.readouterr().out.startswith(TRACE)
    log.write_text(log.read_text() + TRACE)
    for _ in range(HELD_LOOKS):
        prints.more()
        assert capsys.readouterr().out == ""
    prints.more()
    assert capsys.readouterr().out == TRACE


def test_a_run_that_fails_says_it_once(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text(f"hello\n{TRACE}\n")
    with pytest.raises(ModelFailedError), Watch("RSI", log.parent) as watch:
        watch.event({"event": "phase", "name": "running"})
        watch.event({"event": "progress", "done": 5, "total": 10, "time": 1.5e9, "equity": 3.0})
        raise ModelFailedError("no", traceback=TRACE)
    assert capsys.readouterr().out.strip() == "hello"


def test_a_run_that_ends_well_says_how_long_it_took(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Watch("RSI", log.parent) as watch:
        watch.event({"event": "progress", "done": 1200, "total": 1200})
    assert capsys.readouterr().out.startswith("1,200 bars in ")


def test_more_prints_than_can_be_shown(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prints = Prints(log.parent)
    log.write_text("x" * (MOST - 10))
    prints.more()
    capsys.readouterr()
    with log.open("a") as file:
        file.write("y" * MOST)
    prints.more()
    prints.more()
    prints.last("")
    assert capsys.readouterr().out == "y" * 10 + UNSEEN


def test_half_a_line_waits_where_it_would_be_written_over(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(Progress):
        written_over = True

    prints = Prints(log.parent, Terminal(None, "x"))
    log.write_text("one\nhalf")
    prints.more()
    assert capsys.readouterr().out == "one\n"
    prints.last("")
    assert capsys.readouterr().out == "half\n"
