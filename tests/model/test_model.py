"""A model: built, read, written, always the same bytes, never with a key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy_magics.errors import ArchiveError, ManifestError, RequirementError, UsageError
from deploy_magics.model import Model, settle
from deploy_magics.notebook import slice_cells

CELLS = ["import blankly", "LOW = 30", "unused = 1", "def rule(v):\n    return v < LOW"]
ENTRY = "strategy = blankly.Strategy(None)\nstrategy.add_price_event(rule, symbol='A')"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model.build(
        "RSI",
        slice_cells(CELLS, ENTRY),
        backtest_args={"to": "2y"},
        settings={"settings": {"alpaca": {"cash": "EUR"}}},
        backtest_settings={"settings": {"quote_account_value_in": "EUR"}},
        cell_labels={0: "cell [7]", None: "cell [9]"},
        folder=tmp_path,
        plan="nano",
    )


def test_what_is_in_it(model: Model) -> None:
    assert sorted(model.files) == [
        "backtest.json",
        "blankly.json",
        "bot.py",
        "requirements.txt",
        "settings.json",
    ]
    assert model.requirements == ("blankly==1.18.25b0", "numpy<2")
    assert model.manifest.type == "strategy"
    assert model.manifest.plan == "nano"
    assert model.manifest.backtest_args == {"to": "2y"}
    settings = json.loads(model.read("settings.json"))["settings"]
    assert settings["alpaca"]["cash"] == "EUR"
    assert settings["alpaca"]["websocket_stream"] == "iex"
    backtest = json.loads(model.read("backtest.json"))["settings"]
    assert backtest["quote_account_value_in"] == "EUR"
    assert backtest["GUI_output"] is False
    assert b"unused" not in model.read("bot.py")


def test_lines_lead_back_to_cells(model: Model) -> None:
    lines = model.read("bot.py").decode().splitlines()
    origins = model.origins["bot.py"]
    assert len(lines) == len(origins)
    where = dict(zip(lines, origins, strict=True))
    assert where["import blankly"] == ("cell [7]", 1)
    assert where["    return v < LOW"] == ("cell 4", 2)
    assert where["strategy.add_price_event(rule, symbol='A')"] == ("cell [9]", 2)


def test_there_and_back(model: Model, tmp_path: Path) -> None:
    folder = model.to_folder(tmp_path / "out")
    again = Model.from_folder(folder)
    assert again.digest == model.digest
    assert again.name == "RSI"
    path = model.to_zip(tmp_path / "deep" / "model.zip")
    assert path.read_bytes() == model.zip_bytes()
    from_zip = Model.from_zip(path)
    assert from_zip.digest == model.digest
    assert from_zip.manifest == model.manifest
    assert Model.from_zip(path.read_bytes()).files == from_zip.files


def test_the_same_input_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    program = (
        "from deploy_magics.model import Model\n"
        "print(Model.build('A', 'import json, requests\\nx = {1, 2}\\n').digest)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(found) == 1


def test_time_and_mode_of_files_do_not_count(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "a")
    first = Model.from_folder(folder).digest
    (folder / "bot.py").chmod(0o755)
    os.utime(folder / "bot.py", (1, 1))
    assert Model.from_folder(folder).digest == first


def plain_folder(folder: Path, **manifest: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "blankly.json").write_text(json.dumps({"main_script": "./bot.py", **manifest}))
    (folder / "bot.py").write_text("print(1)\n")
    return folder


def test_a_folder_is_packed_as_it_is_without_keys(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "m", ignore_files=["./data/raw", "*.log", "notes"])
    kept = ["data/prices.csv", "lib/a.py", "lib/deep/b.txt", "tokenizer.json"]
    left = ["keys.json", ".env", ".env.local", "lib/.git/x", "__pycache__/a.pyc", "my.token"]
    left += ["data/raw/x.csv", "run.log", "lib/y.log", "notes/a.md", "id_rsa", "k.pem"]
    for name in kept + left:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    assert set(Model.from_folder(folder).files) == {"blankly.json", "bot.py", *kept}
    named = Model.from_folder(folder, include=["keys.json", "notes"])
    assert {"keys.json", "notes/a.md"} <= set(named.files)
    assert ".env" not in named.files


def test_the_platforms_key_stays_behind(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "m", api_key="abc", api_pass="def", mine=1)
    found = Model.from_folder(folder)
    assert json.loads(found.read("blankly.json")).get("api_key") is None
    assert json.loads(found.read("blankly.json"))["mine"] == 1
    assert any("api_key" in warning for warning in found.warnings)


def test_links_that_lead_out_stay_behind(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "m")
    (tmp_path / "secret").write_text("x")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "into").symlink_to(tmp_path)
    (folder / "near.py").symlink_to(folder / "bot.py")
    found = Model.from_folder(folder)
    assert set(found.files) == {"blankly.json", "bot.py", "near.py"}
    assert len(found.warnings) == 2


def test_folders_and_zips_that_are_no_model(tmp_path: Path, model: Model) -> None:
    with pytest.raises(ManifestError, match="has no blankly"):
        Model.from_folder(tmp_path)
    folder = plain_folder(tmp_path / "m", main_script="./other.py")
    with pytest.raises(ManifestError, match="main script"):
        Model.from_folder(folder)
    with pytest.raises(ArchiveError):
        Model.from_zip(b"PK")


def test_includes(tmp_path: Path) -> None:
    for name in ("data/a.csv", "data/b.csv", "data/.env", "x.txt", "keys.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    def files(*include: str) -> set[str]:
        built = Model.build("A", "x = 1", include=include, folder=tmp_path)
        return set(built.files) - set(Model.build("A", "x = 1", folder=tmp_path).files)

    assert files("data") == {"data/a.csv", "data/b.csv"}
    assert files("data/*.csv", "x.txt") == {"data/a.csv", "data/b.csv", "x.txt"}
    assert files("*") == {"x.txt"}
    assert files("keys.json", "data/.env") == {"keys.json", "data/.env"}
    assert files(str(tmp_path / "x.txt")) == {"x.txt"}
    for wrong in ("absent.csv", "*.none", "a\0b", "/nowhere/at/all"):
        with pytest.raises(UsageError, match="matches no file"):
            files(wrong)


def test_what_the_model_writes_itself_cannot_be_included(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("x")
    with pytest.raises(UsageError, match="written by the model itself"):
        Model.build("A", "x = 1", include=["bot.py"], folder=tmp_path)


def test_paths_that_the_code_opens_are_suggested(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("x")
    (tmp_path / "keys.json").write_text("x")
    source = "a = open('prices.csv')\nb = './prices.csv'\nc = 'keys.json'\nd = '../x'\ne = ''"
    assert Model.build("A", source, folder=tmp_path).suggestions == ("prices.csv",)
    built = Model.build("A", source, folder=tmp_path, include=["prices.csv"])
    assert built.suggestions == ()


def test_local_modules_come_along_with_what_they_import(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("import requests\nfrom pkg import part\n")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "part.py").write_text("import yaml")
    (tmp_path / "other.py").write_text("import nobody_knows_this")
    built = Model.build("A", "import helpers", folder=tmp_path)
    assert {"helpers.py", "pkg/__init__.py", "pkg/part.py"} <= set(built.files)
    assert "other.py" not in built.files
    assert [line.partition("=")[0] for line in built.requirements] == ["pyyaml", "requests"]


def test_given_requirements_win(tmp_path: Path) -> None:
    built = Model.build("A", "import nobody_knows_this", requirements=["x>1", "y"])
    assert built.requirements == ("x>1", "y")
    (tmp_path / "r.txt").write_text("z==1\n")
    assert Model.build("A", "", requirements=tmp_path / "r.txt").requirements == ("z==1",)
    with pytest.raises(RequirementError):
        Model.build("A", "", requirements=["-r x"])
    with pytest.raises(UsageError):
        Model.build("A", "", requirements=tmp_path / "absent.txt")
    with pytest.raises(RequirementError, match="cell 1, line 1"):
        Model.build("A", slice_cells(["import nobody_knows_this as n"], "n.x"))


def test_settled_by_the_first_run() -> None:
    source = "try:\n    import yaml\nexcept ImportError:\n    import pytz\n"
    built = Model.build("A", source)
    settled = settle(built, ["yaml"])
    assert [line.partition("=")[0] for line in settled.requirements] == ["pyyaml"]
    assert settled.digest != built.digest
    assert settle(settled, ["yaml"]) is settled
    given = Model.build("A", source, requirements=["yaml"])
    assert settle(given, []) is given


def test_python_is_one_that_the_library_runs_on() -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert Model.build("A", "x = 1").manifest.python_version == here
    built = Model.build("A", "import blankly").manifest.python_version
    assert built in ("3.8", "3.9", "3.10", "3.11")
    assert Model.build("A", "x = 1", python_version="3.8").manifest.python_version == "3.8"


def test_screeners_are_told_apart() -> None:
    assert Model.build("A", "import blankly\nblankly.Screener(x)").manifest.type == "screener"
    with pytest.raises(ManifestError):
        Model.build("A", "x = 1", type="robot")


def test_literals_that_look_like_credentials() -> None:
    cells = ["API_SECRET = 'c3VwZXJzZWNyZXQxMjM0NTY3ODkw'", "rate = 'USD'"]
    built = Model.build("A", slice_cells(cells, "print(API_SECRET, rate)"))
    assert len(built.warnings) == 1
    assert "cell 1, line 1 looks as if it held a credential" in built.warnings[0]
    assert "c3VwZXJz" not in built.warnings[0]


def test_a_plain_model_warns_of_nothing(model: Model) -> None:
    assert model.warnings == ()
    assert model.suggestions == ()


def test_large_files_are_streamed(tmp_path: Path) -> None:
    """The zip of a sparse file of 256 MiB is hashed with little memory."""
    folder = plain_folder(tmp_path / "m")
    with (folder / "large.bin").open("wb") as out:
        out.truncate(256 << 20)
    program = (
        "import resource, sys\n"
        "from deploy_magics.model import Model\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "Model.from_folder(sys.argv[1]).digest\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    command = [sys.executable, "-c", program, str(folder)]
    grown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(grown) < 64 << 10  # kilobytes
