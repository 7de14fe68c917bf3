from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deploy_magics.errors import EnvironmentError_, RequirementError
from deploy_magics.executor import environment, interpreters
from deploy_magics.executor.environment import (
    Environment,
    ensure_environment,
    environment_key,
    find_environment,
    kernel_environment,
    normalise,
    prune,
)
from deploy_magics.executor.interpreters import find_python, parse_version


def run(python: Path, code: str) -> str:
    done = subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def uv_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counts the real builds."""
    calls: list[str] = []
    real = environment.install

    def counted(folder: Path, *rest: object, **named: object) -> None:
        calls.append(folder.name)
        real(folder, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(environment, "install", counted)
    return calls


def test_it_is_built_once_and_shared(cache: Path, uv_calls: list[str]) -> None:
    said: list[str] = []
    assert find_environment(None, ["six"]) is None
    first = ensure_environment(None, ["six"], on_progress=said.append)
    assert find_environment(None, ["six"]) == first
    second = ensure_environment(None, [" six "], on_progress=said.append)
    assert first == second
    assert len(uv_calls) == 1
    assert first.python.is_relative_to(cache)
    assert run(first.python, "import six; print(six.__name__)") == "six"
    assert any("installing six" in text for text in said)
    assert [package.split("==")[0] for package in first.packages] == ["six"]


def test_bytecode_is_there_before_the_first_import(cache: Path) -> None:
    made = ensure_environment(None, ["six"])
    assert list(made.python.parents[1].rglob("__pycache__/six.*.pyc"))


def test_two_builders_make_one(cache: Path, uv_calls: list[str]) -> None:
    made: list[Environment] = []
    threads = [
        threading.Thread(target=lambda: made.append(ensure_environment(None, ["six"])))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(made) == 3
    assert len(set(made)) == 1
    assert len(uv_calls) == 1


def test_a_half_built_one_is_never_seen(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*rest: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ensure_environment(None, ["six"])
    assert [entry.suffix for entry in (cache / "environments").iterdir()] == [".lock"]


def test_what_a_killed_builder_left_is_cleared_away(cache: Path) -> None:
    made = ensure_environment(None, ["six"])
    left = made.python.parents[2] / f".new-1-{made.key}"
    made.python.parents[1].rename(left)
    assert find_environment(None, ["six"]) is None
    assert ensure_environment(None, ["six"]) == made
    assert not left.exists()


def test_one_without_its_python_is_built_again(cache: Path) -> None:
    made = ensure_environment(None, [])
    made.python.unlink()
    assert run(ensure_environment(None, []).python, "print(1)") == "1"


def test_offline_with_a_warm_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ensure_environment(None, ["six"])
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens: no network
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    assert ensure_environment(None, ["six"]) == made
    # the environment is gone, and what uv fetched for it is not
    prune(unused_days=-1)
    assert ensure_environment(None, ["six"]).packages == made.packages
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(EnvironmentError_, match="registry cannot be reached"):
        ensure_environment(None, ["six<1.17"])


def test_a_python_that_is_nowhere(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(EnvironmentError_, match=r"pyenv install 3\.99.*--env kernel"):
        ensure_environment("3.99", [])


def test_a_python_that_the_library_does_not_run_on(cache: Path) -> None:
    with pytest.raises(EnvironmentError_, match=r"3\.12.*one of 3\.11, 3\.10"):
        ensure_environment("3.12", ["blankly==1.18.25b0"])


def test_packages_that_cannot_be(cache: Path) -> None:
    with pytest.raises(EnvironmentError_) as caught:
        ensure_environment(None, ["six<1.10", "six>1.12"])
    assert "\n" not in str(caught.value)
    assert "requirements.txt" in caught.value.hint


def test_nothing_is_built_from_source_unless_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a version of this pure package that was published without a wheel
    with pytest.raises(EnvironmentError_, match="DEPLOY_MAGICS_BUILD=docopt"):
        ensure_environment(None, ["docopt==0.6.2"])
    monkeypatch.setenv("DEPLOY_MAGICS_BUILD", "Docopt")
    made = ensure_environment(None, ["docopt==0.6.2"])
    assert run(made.python, "import docopt; print(docopt.__version__)") == "0.6.2"


def test_secrets_do_not_reach_the_build(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "canary")
    monkeypatch.setenv("UV_PUBLISH_TOKEN", "canary")
    seen: dict[str, str] = {}
    real = subprocess.Popen

    class Watched(real):  # type: ignore[type-arg,misc,valid-type]
        def __init__(self, *rest: object, **named: object) -> None:
            seen.update(named.get("env") or {})  # type: ignore[arg-type,call-overload]
            super().__init__(*rest, **named)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    ensure_environment(None, ["six"])
    assert "PATH" in seen
    assert "canary" not in seen.values()


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "six @ file:///tmp/six.zip",
        "git+https://x/y",
        "six=1",
        "--index-url=x",
        "${A}",
    ],
)
def test_lines_that_are_no_requirement(line: str) -> None:
    with pytest.raises(RequirementError):
        normalise([line])


def test_equal_content_has_an_equal_key() -> None:
    one = normalise(["pandas >=2", "blankly==1.18.25b0", "# a note", ""])
    assert one == ("blankly==1.18.25b0", "numpy<2", "pandas>=2")
    other = normalise(["numpy<2", "blankly == 1.18.25b0", "pandas>=2"])
    assert environment_key("3.11", one) == environment_key("3.11", other)
    assert environment_key("3.10", one) != environment_key("3.11", one)
    assert "numpy<2" not in normalise(["blankly==1.18.25b0", "numpy==1.24.0"])


def test_pythons_are_found_in_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(interpreters, "_from_uv", lambda version: None)
    for name in ("2.9.8", "2.9.10", "2.9-dev", "2.9.1x"):
        python = tmp_path / "versions" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
    found = find_python("2.9")
    assert found is not None
    assert found.parts[-3] == "2.9.10"
    assert find_python("2.9.8") == tmp_path / "versions/2.9.8/bin/python"
    assert find_python("2.99") is None


def test_the_running_python_is_found() -> None:
    found = find_python(f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert found is not None
    assert found.exists()


@pytest.mark.parametrize(
    ("text", "version"), [("3.9", "3.9"), ("python3.10", "3.10"), ("3.11.7", "3.11.7")]
)
def test_versions_are_read(text: str, version: str) -> None:
    assert parse_version(text) == version


def test_no_version() -> None:
    with pytest.raises(EnvironmentError_, match="newest"):
        parse_version("newest")


def test_the_kernels_own() -> None:
    own = kernel_environment()
    assert own.python == Path(sys.executable)
    assert own.key == kernel_environment().key
    assert any(package.lower().startswith("pandas==") for package in own.packages)


def test_prune_takes_the_longest_unused(cache: Path) -> None:
    old = ensure_environment(None, [])
    kept = ensure_environment(None, ["six"])
    os.utime(old.python.parents[1] / environment.READY, (0, 0))
    assert prune(unused_days=10, keep=[kept.key]) == [old.key]
    assert prune(unused_days=10) == []
    assert prune(max_bytes=0) == [kept.key]
    assert not list((cache / "environments").glob("py*[!k]/"))


def test_the_library_imports(blankly_environment: Environment) -> None:
    assert run(blankly_environment.python, "import blankly; print('ok')").endswith("ok")
