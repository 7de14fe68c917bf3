from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from deploy_magics.actions import names, workspace


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home and a workspace of the test's own; answers the working folder."""
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)  # the user's own is left alone
    for name in ("DEPLOY_MAGICS_TOKEN", "DEPLOY_MAGICS_SERVER", "DEPLOY_MAGICS_NOTEBOOK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    workspace.detach()
    names.forget()
    yield tmp_path / "work"
    workspace.detach()
    names.forget()
