import io
import sys
from datetime import datetime, timezone
from typing import Any

import pytest

from deploy_magics import display
from deploy_magics.display import ask, surface
from deploy_magics.display.progress import NotebookProgress, TextProgress, duration
from deploy_magics.display.table import clean
from deploy_magics.errors import InteractionError, RunCancelledError


class Published(list[tuple[str, Any]]):
    """What a front end was sent."""


class Publisher:
    def __init__(self, sent: Published) -> None:
        self._sent = sent

    def publish(self, data: Any, metadata: Any = None, **more: Any) -> None:
        self._sent.append(("update" if more.get("update") else "show", {"data": data, **more}))


class Kernel:
    _allow_stdin = False


class Shell:
    def __init__(self) -> None:
        self.sent = Published()
        self.display_pub = Publisher(self.sent)
        self.kernel = Kernel()


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Shell:
    shell = Shell()
    for module in (surface, ask):
        monkeypatch.setattr(module, "shell", lambda: shell)
    return shell


@pytest.mark.parametrize(
    ("said", "expected"),
    [("silent", "silent"), ("text", "text"), ("widget", "widget"), ("", "text"), ("odd", "text")],
)
def test_the_environment_says_how_things_are_shown(
    monkeypatch: pytest.MonkeyPatch, said: str, expected: str
) -> None:
    monkeypatch.setenv("DEPLOY_MAGICS_DISPLAY", said)
    assert display.mode() == expected


def test_a_notebook_gets_widgets(kernel: Shell) -> None:
    assert display.mode() == "widget"
    assert type(display.progress(1, "x")) is NotebookProgress


def test_showing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    display.show("a line")
    display.show(display.Note("noted", ["more"]))
    monkeypatch.setenv("DEPLOY_MAGICS_DISPLAY", "silent")
    display.show("nothing")
    assert capsys.readouterr().out == "a line\nnoted\n  more\n"


def test_the_panel_is_told_and_nobody_else(kernel: Shell) -> None:
    display.announce("changed", {})
    ((kind, sent),) = kernel.sent
    assert kind == "update" and sent["data"] == {}
    assert sent["transient"] == {
        "display_id": "deploy_magics",
        "deploy_magics": {"kind": "changed"},
    }


def test_nothing_is_announced_outside_a_kernel() -> None:
    display.announce("changed", {})


HOSTILE = "<script>alert(1)</script>\x1b[31mred\r\n"


def test_what_others_say_is_never_markup_nor_a_terminal_command() -> None:
    table = display.Table(["a"], [[HOSTILE]], title=HOSTILE, note=HOSTILE)
    assert "<script>" not in table._repr_html_() + display.Note(HOSTILE)._repr_html_()
    assert "\x1b" not in repr(table) + repr(display.Note(HOSTILE))
    assert clean("tab\tand\nline") == "tab\tand\nline"


def test_a_table_as_text() -> None:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)
    table = display.Table(
        ["name", "runs", "at"], [["RSI", 3, moment], ["日本", 12, None]], right=[1], title="Two"
    )
    first, head, one, two = repr(table).splitlines()
    assert first == "Two"
    assert head.startswith("name  runs  at")
    assert one.startswith("RSI      3  2026-01-0")
    assert two == "日本    12"
    assert repr(display.Table(["a"], [], empty="None yet.")) == "None yet."
    assert "None yet." in display.Table(["a"], [], empty="None yet.")._repr_html_()
    assert "text-align:right" in table._repr_html_()


def test_a_wide_table_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    headings = [f"column {number}" for number in range(8)]
    table = display.Table(headings, [["name", *range(1, 8)]], note="a note")
    whole = repr(table).splitlines()
    assert len(whole) == 3
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    folded = repr(table).splitlines()
    assert max(map(len, folded)) <= 40
    assert folded[0] == "column 0  column 1  column 2  column 3"
    assert folded[2] == "column 0  column 4  column 5  column 6"
    assert folded[5] == "name      7" and folded[6] == "a note"
    monkeypatch.setenv("COLUMNS", "5")
    assert repr(table).splitlines()[0] == "column 0  column 1"


def test_progress_counts_and_estimates() -> None:
    line = display.Progress(200, "Backtesting")
    line.update(0)
    assert line._first is not None and line.left is None
    line._first = (line._first[0] - 10, 0)
    line.update(50, note="2017")
    assert line.fraction == 0.25 and 0 < line.rate <= 5 and (line.left or 0) >= 30
    assert line.line().startswith("Backtesting · 25% · 2017 · ")
    assert display.Progress(None, "x").left is None


def test_progress_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    with display.progress(10, "Uploading") as line:
        assert type(line) is TextProgress
        line.phase("going")
        line._began -= 1
        line.update(5)
    shown = screen.getvalue()
    assert "Uploading · going" in shown
    assert shown.endswith("\r" + " " * (len(shown.split("\r")[-2])) + "\r") or shown.endswith("\r")


@pytest.mark.parametrize("columns", [200, 80, 60, 20])
def test_progress_keeps_to_one_line_of_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    line = display.progress(1000, "Backtesting a model")
    line.update(0)
    line._first = (line._first or (0, 0))[0] - 10, 0
    line._began -= 10
    line.update(420, note="2017-08-19 14:00 · 432 bars/s · account 10,000.65")
    drawn = screen.getvalue().split("\r")[-1]
    assert len(drawn) < columns
    assert "42%" in drawn
    assert ("[#" in drawn) == (columns >= 80)
    assert ("Backtesting" in drawn) == (columns == 200)


def test_progress_makes_room_for_what_else_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    line = display.progress(10, "Backtesting")
    line.phase("running")
    with line.aside():
        screen.write("said\n")
    line.phase("formatting")
    line.finish()
    rows = screen.getvalue().split("\r")
    assert "said\nBacktesting" not in screen.getvalue()
    assert rows[2].isspace() and rows[3] == "said\n"


def test_progress_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with display.progress(10, "Uploading") as line:
        line.phase("going")
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_progress_in_a_notebook(kernel: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    class Handle:
        def update(self, thing: Any) -> None:
            drawn.append(thing._repr_html_())

    def shown(thing: Any, display_id: bool = False) -> Handle:
        drawn.append(thing._repr_html_())
        return Handle()

    monkeypatch.setattr("IPython.display.display", shown)
    with display.progress(10, "Back<testing") as line:
        line.phase("starting")
        line._began -= 1
        line._shown -= 1
        line.update(5, note="now")
        line.finish(text="10 bars")
    assert "<progress" in drawn[0] and "Back&lt;testing" in drawn[0]
    assert 'value="0.5000"' in drawn[1] and "now" in drawn[1]
    assert "10 bars" in drawn[-1] and "<progress" not in drawn[-1]
    said = [sent["transient"]["deploy_magics"] for _, sent in kernel.sent]
    assert [each["state"] for each in said] == ["running", "running", "succeeded"]
    assert len({each["id"] for each in said}) == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (RunCancelledError("x"), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
        (OSError(), "failed"),
    ],
)
def test_progress_says_how_it_ended(error: BaseException, state: str) -> None:
    line = display.Progress(1, "x")
    with pytest.raises(type(error)), line:
        raise error
    assert line.state == state


def test_what_is_done_at_once_needs_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TextProgress, "_draw", lambda self: pytest.fail("drawn"))
    with display.progress(10, "Uploading") as line:
        line.update(5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0.2 s"),
        (9.94, "9.9 s"),
        (42, "42 s"),
        (600, "10 min"),
        (9000, "2.5 h"),
        (864000, "10 d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_nobody_there_is_an_error_that_names_the_option(kernel: Shell) -> None:
    for question in (display.confirm, display.secret):
        with pytest.raises(InteractionError, match="Say --yes"):
            question("Go on?", "Say --yes.")


def test_a_front_end_that_finds_out_late_that_nobody_is_there(
    kernel: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StdinNotImplementedError(NotImplementedError):
        pass

    def no_input(prompt: str) -> str:
        raise StdinNotImplementedError

    kernel.kernel._allow_stdin = True
    monkeypatch.setattr("builtins.input", no_input)
    with pytest.raises(InteractionError, match="Say --yes"):
        display.confirm("Go on?", "Say --yes.")


@pytest.mark.parametrize(
    ("typed", "said"), [("y", True), (" YES ", True), ("", False), ("n", False)]
)
def test_a_yes_or_no(
    kernel: Shell, monkeypatch: pytest.MonkeyPatch, typed: str, said: bool
) -> None:
    kernel.kernel._allow_stdin = True
    monkeypatch.setattr("builtins.input", lambda prompt: typed)
    assert display.confirm("Go on?", "Say --yes.") is said


class Thing:
    def __repr__(self) -> str:
        return "a thing"

    def _repr_html_(self) -> str:
        return "<b>thing</b>"


class Widget:
    def _repr_mimebundle_(self) -> dict[str, Any]:
        return {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "W"}


def test_a_widget_stands_beside_what_a_thing_says_of_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    format_shell = _bare_shell()
    monkeypatch.setattr(surface, "shell", lambda: format_shell)
    display.use_widget(f"{Thing.__module__}:Thing", lambda thing: Widget())
    formatter = format_shell.display_formatter
    monkeypatch.setenv("DEPLOY_MAGICS_DISPLAY", "widget")
    data, _ = formatter.format(Thing())
    assert data["application/vnd.jupyter.widget-view+json"] == {"model_id": "1"}
    assert data["text/plain"] == "a thing" and data["text/html"] == "<b>thing</b>"
    monkeypatch.setenv("DEPLOY_MAGICS_DISPLAY", "text")
    data, _ = formatter.format(Thing())
    assert "application/vnd.jupyter.widget-view+json" not in data


def test_a_widget_that_cannot_be_made_takes_nothing_away(monkeypatch: pytest.MonkeyPatch) -> None:
    format_shell = _bare_shell()
    monkeypatch.setattr(surface, "shell", lambda: format_shell)
    monkeypatch.setenv("DEPLOY_MAGICS_DISPLAY", "widget")

    def broken(thing: Thing) -> Widget:
        raise RuntimeError("no widget today")

    display.use_widget(f"{Thing.__module__}:Thing", broken)
    with pytest.warns(UserWarning, match="no widget today"):
        data, _ = format_shell.display_formatter.format(Thing())
    assert data["text/plain"] == "a thing"


def _bare_shell() -> Any:
    from IPython.core.formatters import DisplayFormatter

    class Bare:
        display_formatter = DisplayFormatter()  # type: ignore[no-untyped-call]

    return Bare()
