"""Imports to requirements, and requirements read strictly."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from deploy_magics.errors import RequirementError
from deploy_magics.model import BLANKLY, installed, parse_lines
from deploy_magics.model.imports import Import, find
from deploy_magics.model.requirements import infer
from deploy_magics.model.requirements import settle as settle_requirements


def found(source: str) -> tuple[Import, ...]:
    return find(source, lambda line: f"line {line}")


def lines(source: str, **options: object) -> tuple[str, ...]:
    return infer(found(source), **options).lines  # type: ignore[arg-type]


def test_every_import_has_its_place() -> None:
    source = """
import os, requests.adapters as ra
from .near import x
from . import y
try:
    import ujson
except ImportError:
    ujson = None
def late():
    from yaml import load
    __import__('pytz')
    importlib.import_module("a.b")
if TYPE_CHECKING:
    import not_there
else:
    import really
"""
    assert [(item.module, item.where, item.guarded) for item in found(source)] == [
        ("os", "line 2", False),
        ("requests.adapters", "line 2", False),
        ("ujson", "line 6", True),
        ("yaml", "line 10", False),
        ("pytz", "line 11", False),
        ("a.b", "line 12", False),
        ("really", "line 16", False),
    ]


def test_versions_are_the_kernels() -> None:
    assert lines("import requests, json") == (f"requests=={version('requests')}",)
    assert lines("import requests", python_version="3.0") == ("requests",)


def test_names_differ_from_modules() -> None:
    assert lines("import yaml") == (f"pyyaml=={version('pyyaml')}",)
    assert lines("import sklearn, cv2, talib") == (
        "opencv-python-headless",
        "scikit-learn",
        "ta-lib",
    )


def test_blankly_gets_bounds_with_which_it_imports() -> None:
    inferred = infer(found("import blankly, numpy as np, pandas as pd, requests"))
    assert inferred.lines == BLANKLY
    assert "numpy" in inferred.reasons["numpy<2"]
    assert lines("import blankly\nimport yaml")[-1].startswith("pyyaml")


def test_what_another_brings_is_left_out() -> None:
    assert lines("import pandas, numpy, dateutil") == (f"pandas=={version('pandas')}",)


def test_an_unknown_import_is_refused_with_its_place() -> None:
    with pytest.raises(RequirementError, match="nobody_knows_this, imported in line 2"):
        lines("import os\nimport nobody_knows_this")
    inferred = infer(found("try:\n    import nobody_knows_this\nexcept ImportError: pass"))
    assert inferred.lines == ()
    assert "left out" in inferred.warnings[0]
    assert lines("import helpers", local=["helpers"]) == ()


def test_what_came_from_a_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "source_of", lambda name: "file:///home/me/requests")
    with pytest.raises(RequirementError, match="place of its own"):
        lines("import requests")


def test_the_first_run_settles_what_was_guarded() -> None:
    source = "try:\n    import yaml\nexcept ImportError:\n    import pytz\nimport requests"
    inferred = infer(found(source))
    assert len(inferred.lines) == 3
    settled = settle_requirements(inferred, ["yaml", "requests.api"])
    assert [Requirement(line).name for line in settled.lines] == ["pyyaml", "requests"]
    assert settle_requirements(inferred, ["yaml", "pytz", "requests"]) == inferred


GOOD = {
    "numpy<2\n\n# note\nta-lib>=0.4 # why\r\nrequests[socks]==2.*\rx;python_version<'3.9'": (
        "numpy<2",
        "ta-lib>=0.4",
        "requests[socks]==2.*",
        'x; python_version < "3.9"',
    ),
    "": (),
}


@pytest.mark.parametrize("text", GOOD)
def test_lines_that_pass(text: str) -> None:
    assert parse_lines(text) == GOOD[text]


BAD = [
    "-r other.txt",
    "-c constraints.txt",
    "-e .",
    "--index-url https://evil.example/simple",
    "--find-links=.",
    "--no-binary :all:",
    "numpy --hash=sha256:00",
    "file:///etc/passwd",
    "./local",
    "/abs/path.whl",
    "local.whl",
    "git+https://example.org/x.git",
    "https://example.org/x.whl",
    "x @ https://example.org/x.whl",
    "x @ file:///x",
    "x @ git+ssh://example.org/x",
    "${SECRET}",
    "x==${SECRET}",
    "x \\",
    "x==",
    "x y",
    "x\0y",
    "\ud800",
    "x" * 2000,
    "x[" + "a," * 400 + "a",
]


@pytest.mark.parametrize("line", BAD, ids=lambda line: repr(line[:20]))
def test_lines_that_do_not(line: str) -> None:
    with pytest.raises(RequirementError, match="Line 2") as caught:
        parse_lines(f"numpy\n{line}\n")
    assert "\n" not in str(caught.value)


def test_too_many_lines() -> None:
    with pytest.raises(RequirementError, match="more than"):
        parse_lines("\n".join(f"x{n}" for n in range(1000)))


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text("abx0.-_[]<>=!~;,@ ()'\"\\${}#/:\n\0", max_size=20)), st.text(max_size=20))
def test_any_line(pieces: list[str], text: str) -> None:
    for given_ in ("\n".join(pieces), text, "x;" + text):
        try:
            parsed = parse_lines(given_)
        except RequirementError:
            continue
        assert parse_lines("\n".join(parsed)) == parsed


@settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=40))
def test_imports_of_any_text(text: str) -> None:
    assert isinstance(found(text), tuple)


def test_this_python_is_known() -> None:
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert lines("import requests", python_version=python) == lines("import requests")
