"""blankly.json: read strictly, written back as a user had it."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy_magics.errors import ManifestError
from deploy_magics.model import Manifest

EDITED = {
    "main_script": "./src/my_bot.py",
    "python_version": "3.9",
    "requirements": "../requirements.txt",
    "working_directory": "./work",
    "ignore_files": ["price_caches", "*.csv"],
    "backtest_args": {"to": "2y", "initial_values": {"USD": 5}},
    "type": "screener",
    "plan": "nano",
    "project_id": "p1",
    "model_id": "m1",
    "model_name": "RSI",
    "my_own": {"nested": [1, 2.5, None, "ä"]},
    "screener": {"schedule": "30 14 * * 1-5", "timezone": "UTC"},
    "api_key": "k",
}


def test_an_edited_file_comes_back_as_it_was() -> None:
    manifest = Manifest.from_json(json.dumps(EDITED))
    assert json.loads(manifest.to_json()) == EDITED
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.main_path == "work/src/my_bot.py"
    assert manifest.requirements_path == "requirements.txt"
    assert manifest.schedule == "30 14 * * 1-5"


def test_defaults_are_those_of_the_library() -> None:
    manifest = Manifest.from_json("{}")
    assert manifest.main_path == "bot.py"
    assert manifest.type == "strategy"
    assert manifest.backtest_args == {"to": "1y"}
    assert "price_caches" in manifest.ignore_files


def test_the_platforms_key_can_be_left_out() -> None:
    manifest = Manifest.from_json('{"api_key": "k", "api_pass": "p", "x": 1}')
    assert manifest.has_keys
    assert not manifest.without_keys().has_keys
    assert json.loads(manifest.without_keys().to_json())["x"] == 1


WRONG = {
    "no_json": ("{", "line 1"),
    "no_object": ("[1]", "not a JSON object"),
    "twice": ('{"type": "strategy", "type": "screener"}', "twice"),
    "nan": ('{"backtest_args": {"x": NaN}}', "NaN"),
    "number_for_python": ('{"python_version": 3.10}', '"3.11"'),
    "python_two": ('{"python_version": "2.7"}', "python_version"),
    "other_type": ('{"type": "robot"}', "strategy, screener"),
    "path_out": ('{"main_script": "../bot.py"}', "leads out"),
    "absolute": ('{"main_script": "/bot.py"}', "leads out"),
    "working_directory_out": ('{"working_directory": ".."}', "leads out"),
    "backslash": ('{"main_script": "a\\\\b.py"}', "leads out"),
    "null_byte": ('{"main_script": "a\\u0000.py"}', "not a text"),
    "surrogate": ('{"x": "\\ud800"}', "not JSON"),
    "number_for_a_path": ('{"main_script": 5}', "main_script"),
    "working_directory_number": ('{"working_directory": 5}', "working_directory"),
    "ignore_text": ('{"ignore_files": "a"}', "not a list"),
    "ignore_numbers": ('{"ignore_files": [1]}', "ignore_files"),
    "args_list": ('{"backtest_args": []}', "backtest_args"),
    "screener_text": ('{"screener": "x"}', "screener"),
    "schedule_number": ('{"screener": {"schedule": 5}}', "schedule"),
    "deep": ('{"x": ' + "[" * 20000 + "]" * 20000 + "}", "nested"),
    "large": ('{"x": "' + "a" * (1 << 20) + '"}', "larger than"),
    "empty": ("", "not JSON"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_line(name: str) -> None:
    text, part = WRONG[name]
    for given_ in (text, text.encode("utf-8", "surrogatepass")):
        with pytest.raises(ManifestError) as caught:
            Manifest.from_json(given_)
        assert part in str(caught.value)
        assert "\n" not in str(caught.value)


def test_not_utf8() -> None:
    with pytest.raises(ManifestError):
        Manifest.from_json(b'{"type": "\xff"}')


def test_what_cannot_be_written() -> None:
    for args in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises(ManifestError):
            Manifest(backtest_args=args).to_json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = st.sampled_from([*EDITED, "other"])


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(KEYS, JSON), st.text(max_size=30), st.binary(max_size=30))
def test_anything(data: dict[str, object], text: str, raw: bytes) -> None:
    for given_ in (json.dumps(data), text, raw):
        try:
            manifest = Manifest.from_json(given_)
        except ManifestError:
            continue
        assert Manifest.from_json(manifest.to_json()) == manifest
