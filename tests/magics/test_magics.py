import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter

import deploy_magics
from deploy_magics.actions import names, workspace
from deploy_magics.errors import DeployMagicsError, NotSignedInError, UsageError
from deploy_magics.magics.command import Command
from deploy_magics.magics.completion import complete as complete_words
from deploy_magics.magics.register import Magic, commands


def complete(shell: Any, line: str) -> list[str]:
    with provisionalcompleter():
        found = list(shell.Completer.completions(line, len(line)))
    return [each.text for each in found]


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import deploy_magics; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} "
        "- set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['deploy_magics']"


def test_every_magic_is_a_function_of_the_same_name() -> None:
    renamed = {"model": "show_model"}  # deploy_magics.model is the room where models are made
    for command in commands():
        name = renamed.get(command.name, command.name)
        assert name in dir(deploy_magics) and name in deploy_magics.__all__, name
        found = getattr(deploy_magics, name)
        if isinstance(command, Command):
            assert found is command.function()
        else:
            assert all(callable(getattr(found, word)) for word in dir(found))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = deploy_magics.nothing
    with pytest.raises(AttributeError, match=r"%bot has no 'statuss'\. Did you mean status"):
        _ = deploy_magics.bot.statuss


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.name)
def test_every_magic_says_what_it_does_and_what_each_option_is(command: Any) -> None:
    text = command.help()
    assert text.splitlines()[0].startswith("%")
    for line in text.splitlines()[2:]:
        assert not line.startswith("  --") or len(line.split()) > 1, line
    assert all(len(line.split("  ")[-1]) < 160 for line in text.splitlines())


def test_the_help_of_a_magic(shell: Any) -> None:
    shown = repr(shell.run_cell("%deploy_logs --help"))
    assert shown.startswith("%deploy_logs [MODEL] [options]\n\nShow what a run printed.")
    assert "--follow" in shown and "--tail TAIL" in shown
    magic = shell.find_line_magic("deploy_logs")
    assert isinstance(magic, Magic) and magic.__doc__ == shown
    assert "<pre>" in shell.run_cell("%deploy_logs --help")._repr_html_()


def test_loading_twice_and_unloading(shell: Any) -> None:
    before = workspace.current().log
    shell.run_line_magic("reload_ext", "deploy_magics")
    shell.run_line_magic("reload_ext", "deploy_magics")
    assert shell.find_line_magic("backtest") is not None
    assert workspace.current().shell is shell and workspace.current().log is not before
    shell.run_line_magic("unload_ext", "deploy_magics")
    assert shell.find_line_magic("backtest") is None
    assert shell.find_cell_magic("backtest") is None
    assert workspace.current().shell is None
    shell.run_line_magic("load_ext", "deploy_magics")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%backtest", "There is no model yet. Put %%backtest on the first line"),
        ("%%backtest\n   \n", "The cell is empty."),
        ("%%backtest --too 1y\nx = 1", "There is no option --too. Did you mean --to"),
        ("%%backtest --to soon\nx = 1", "--to cannot be 'soon'."),
        ("%%backtest nowhere\nx = 1", "A cell and a path are two models."),
        ("%backtest nowhere", "There is no model at 'nowhere'."),
        ("%%backtest --on mars\nx = 1", "--on cannot be 'mars'."),
        ("%%backtest --limits tme=1s\nx = 1", "There is no limit 'tme'. Did you mean time?"),
        ("%backtests --last 0", "--last counts from 1."),
        ("%model --save . --path x nowhere", "--path says where the model is already."),
        ("%deploy_projects --description x", "--description goes with --create"),
        ("%deploy_logs --tail -1", "--tail counts lines"),
        ("%deploy_login --token-env NOT_SET_HERE --server http://x", "NOT_SET_HERE is not set"),
        ("%deploy_login --server nowhere --token-env HOME", "'nowhere' is not a server's address"),
        ("%%deploy\nx = 1", "A paper run needs prices."),
        ("%%deploy --live --pace 3\nx = 1", "--live trades on the model's own exchange."),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(shell: Any, cell: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        shell.run_cell(cell)
    assert said in str(caught.value)
    (line,) = caught.value._render_traceback_()
    assert line.startswith("UsageError: ") and "\n" not in line


def test_nobody_signed_in(shell: Any) -> None:
    for line in ("%deploy_versions", "%deploy_status", "%deploy_projects", "%deploy_logout"):
        with pytest.raises(NotSignedInError, match="Say %deploy_login"):
            shell.run_cell(line)


def test_text_in_a_line_or_a_cell_is_never_expanded(shell: Any) -> None:
    shell.run_cell("NAME = 'oops'")
    package = shell.run_cell("%%model --name '$NAME {NAME}'\ntext = '$NAME {NAME} :x'\n")
    assert package.model.name == "$NAME {NAME}"
    assert b"text = '$NAME {NAME} :x'" in package.model.read("bot.py")


def test_a_model_of_cells_and_why(shell: Any, home: Path) -> None:
    shell.run_cell("LOW = 30\nUNUSED = 1", store_history=True)
    shell.run_cell("def low(rsi):\n    return rsi < LOW", store_history=True)
    package = shell.run_cell("%%model --name 'My Model'\nprint(low(3))\n", store_history=True)
    source = package.model.read("bot.py").decode()
    assert "LOW = 30" in source and "UNUSED" not in source
    assert package.statements[0][0] == "cell [1]"
    assert any(why for _, why, _ in package.statements)
    for shown in (repr(package), package._repr_html_()):
        assert "My Model" in shown and "cell [2]" in shown and "blankly.json" in shown
    saved = shell.run_cell("%model --save out --zip model.zip")
    assert (home / "out" / "blankly.json").is_file() and (home / "model.zip").is_file()
    assert "Written to out" in repr(saved)
    again = shell.run_cell("%model --path out")
    assert (
        again.model.digest
        == package.model.digest
        == shell.run_cell("%model model.zip").model.digest
    )


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%model out/file.txt --save x", "There is no model at"),
        ("%model --path out --save full", "full holds something else."),
        ("%model --path out --zip out", "out is a folder."),
        ("%model --path out --zip no/where.zip", "There is no folder no."),
    ],
)
def test_where_a_model_is_not_written(shell: Any, home: Path, cell: str, said: str) -> None:
    shell.run_cell("%%model --save out\nx = 1\n")
    (home / "full").mkdir()
    (home / "full" / "precious.txt").write_text("mine")
    with pytest.raises(DeployMagicsError) as caught:
        shell.run_cell(cell)
    assert said in str(caught.value)


def test_requirements_and_files_that_are_given(shell: Any, home: Path) -> None:
    (home / "more.txt").write_text("six\n")
    (home / "data").mkdir()
    (home / "data" / "a.csv").write_text("1")
    package = shell.run_cell("%%model --requirements numpy>=1.20,<2 --include data\nx = 1\n")
    assert package.model.requirements == ("numpy>=1.20,<2",) or set(
        package.model.requirements[0].removeprefix("numpy").split(",")
    ) == {">=1.20", "<2"}
    assert "data/a.csv" in package.model.files
    assert shell.run_cell("%model --requirements more.txt").model.requirements == ("six",)
    assert "data/a.csv" in workspace.current().last.model.files  # type: ignore[union-attr]


def test_settings_beside_the_notebook_are_taken(shell: Any, home: Path) -> None:
    (home / "settings.json").write_text('{"settings": {"keyless": {"cash": "EUR"}}}')
    package = shell.run_cell("%%model\nx = 1\n")
    assert b'"EUR"' in package.model.read("settings.json")
    (home / "settings.json").write_text("[")
    with pytest.raises(DeployMagicsError, match=r"settings.json cannot be read"):
        shell.run_cell("%%model\nx = 1\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%backtest --star", ["--start-date"]),
        ("%backtest --initial", ["--initial-values"]),
        ("%%backtest --bench", ["--benchmark-symbol"]),
        ("%backtest --engine f", ["fast"]),
        ("%backtest --engine=f", ["--engine=fast"]),
        ("%backtest --data A=pri", ["A=prices", "A=prices.csv"]),
        ("%backtest --data A=prices.csv B=pri", ["B=prices", "B=prices.csv"]),
        ("%backtest --to 1y --fre", ["--fresh"]),
        ("%deploy_versions R", ['"RSI Model"']),
        ('%deploy_versions "RSI', ['"RSI Model"']),
        ("%deploy --name rs", ['"RSI Model"']),
        ("%deploy_rollback --to ", ["1", "2"]),
        ("%model fol", ["folder/"]),
        ("%deploy_logs --follow --t", ["--tail"]),
        ("%deploy_logs zzz", []),
    ],
)
def test_what_tab_offers(
    shell: Any, home: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: list[str]
) -> None:
    (home / "prices.csv").write_text("")
    (home / "folder").mkdir()
    shell.user_ns["prices"] = pd.DataFrame()
    shell.user_ns["price"] = 3
    known = {"model": ["RSI Model", "Other"], "version": ["1", "2"]}
    monkeypatch.setattr(names, "names_of", lambda what: known.get(what, []))
    assert complete(shell, line) == expected


def test_tab_offers_options_where_a_name_may_come(shell: Any) -> None:
    offered = complete(shell, "%deploy_stop ")
    assert "--version" in offered and "--wait" in offered


def test_tab_says_nothing_where_nobody_is_signed_in_or_a_quote_is_open(shell: Any) -> None:
    command = next(each for each in commands() if each.name == "deploy_versions")
    for line in ("x", "'x\"", '"', "--project ", "--project 'a b"):
        assert complete_words(command, line, {}) == []


def test_what_is_returned_can_be_assigned(shell: Any) -> None:
    shell.run_cell("shown = %backtests")
    assert len(shell.user_ns["shown"]) == 0
