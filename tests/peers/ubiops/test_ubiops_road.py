"""From a cell to UbiOps' API and back: signed in as a user of UbiOps signs in, at our server."""

from __future__ import annotations

import atexit
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell

from deploy_magics.actions import ubiops_env, ubiops_session
from deploy_magics.errors import ModelFailedError, UsageError
from deploy_magics.magics.register import register, unregister

GOOD = """class Deployment:
    def request(self, data):
        return {"twice": 2 * float(data["x"])}
"""


class Shell(InteractiveShell):
    """A shell that raises what a cell raised."""

    def run_cell(self, raw_cell: str, *args: Any, **options: Any) -> Any:
        result = super().run_cell(raw_cell, *args, **options)
        result.raise_error()
        return result.result


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    for name in ("UBIOPS_API_TOKEN", "UBIOPS_API_HOST", "DEPLOY_MAGICS_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr(HistoryManager, "enabled", False)
    monkeypatch.setattr(ubiops_session, "_chosen", {})
    monkeypatch.setattr(ubiops_session, "_deployed", {})
    made = Shell()
    register(made)
    yield made
    unregister(made)
    made.restore_sys_module_state()
    made.atexit_operations()
    atexit.unregister(made.atexit_operations)


@pytest.fixture
def run(shell: Shell) -> Callable[[str], Any]:
    return lambda cell: shell.run_cell(cell)


def test_from_a_cell_to_the_service_and_back(
    server: Any, run: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_TOKEN", server.token)
    signed = run(
        f"%deploy_login --platform ubiops --server {server.url}/v2.1 --token-env THE_TOKEN"
    )
    assert "ubiops" in repr(signed) and server.token not in repr(signed)

    made = run(f"%%deploy --platform ubiops --name Doubler --message first\n{GOOD}")
    assert (made.state, made.version.version, made.version.description) == (
        "success",
        "v1",
        "first",
    )
    assert run("%deploy_request '{\"x\": 21}'").value == {"twice": 42.0}
    first = made.revision.id

    with pytest.raises(ModelFailedError, match=r"broken cell.*goes on serving"):
        run(f"%%deploy --platform ubiops --name Doubler\n{GOOD}raise RuntimeError('broken cell')")
    rows = run("%deploy_revisions").rows
    assert [row[1:3] for row in rows] == [["failed", ""], ["success", "active"]]
    again = run(f"%deploy_revisions activate {first[:8]}")
    assert (again.state, again.version.active_revision) == ("success", again.revision.id)

    run(f"%deploy_revisions download --to {tmp_path / 'out'}")
    (saved,) = (tmp_path / "out").iterdir()
    with zipfile.ZipFile(saved) as archive:
        assert archive.read("deployment_package/deployment.py").decode() == GOOD

    monkeypatch.setattr(ubiops_env, "secret", lambda *_: "sesame")
    run("%deploy_env set EVERYWHERE 1 --whole-project")
    run("%deploy_env set KEY --secret")
    shown = run("%deploy_env list --version v1")
    assert [row[0] for row in shown.rows] == ["EVERYWHERE", "KEY"]
    assert [row[3] for row in shown.rows] == ["project Personal", "deployment doubler"]
    assert "sesame" not in repr(shown) + shown._repr_html_()
    with pytest.raises(UsageError, match="comes from the deployment"):
        run("%deploy_env unset KEY --version v1")
    run("%deploy_env copy doubler --deployment doubler --version v1")
    run("%deploy_env unset KEY")
    assert [row[3] for row in run("%deploy_env --version v1").rows] == ["project Personal", ""]

    built = run("%deploy_templates use template-rsi-signal --name signal")
    assert built.state == "success"
    assert "Created deployment doubler" in repr(run("%deploy_audit --deployment doubler"))
    kept = (tmp_path / "home").rglob("*")
    assert server.token not in json.dumps([each.name for each in kept])
