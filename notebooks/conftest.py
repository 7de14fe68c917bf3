"""A home of their own for the notebooks that nbval runs; what they start ends with the session."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

HOME = "DEPLOY_MAGICS_HOME"


def pytest_configure(config: pytest.Config) -> None:
    if HOME not in os.environ:
        os.environ[HOME] = tempfile.mkdtemp(prefix="deploy-magics-notebooks-")
        config.stash[_MADE] = os.environ[HOME]


def pytest_unconfigure(config: pytest.Config) -> None:
    made = config.stash.get(_MADE, None)
    if made is None:
        return
    from deploy_magics.actions import embedded

    embedded.stop()
    del os.environ[HOME]
    shutil.rmtree(made, ignore_errors=True)


_MADE = pytest.StashKey[str]()
