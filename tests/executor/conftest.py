"""What the executor's tests share: one environment with the real library, real prices, a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy_magics.executor.environment import Environment, ensure_environment

LIBRARY = ("blankly==1.18.25b0", "numpy<2")


@pytest.fixture(scope="session")
def blankly_environment() -> Environment:
    """The real library; built once for all tests, and cached by content for the next time."""
    return ensure_environment(None, LIBRARY)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of this test alone."""
    monkeypatch.setenv("DEPLOY_MAGICS_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
