"""UbiOps' own command line, unchanged, against our server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

CODE = """
class Deployment:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        return {"sum": data["a"] + data["b"]}
"""
DEPLOYMENT = """
deployment_name: adder
deployment_description: Adds
deployment_labels:
  kind: test
input_type: structured
input_fields:
  - name: a
    data_type: int
  - name: b
    data_type: int
output_type: structured
output_fields:
  - name: sum
    data_type: int
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "adder"
    folder.mkdir()
    (folder / "deployment.py").write_text(CODE)
    (folder / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "adder.yaml").write_text(DEPLOYMENT)
    return folder


def test_from_deployment_to_download(
    server: Any, ubiops_cli: Any, package: Path, tmp_path: Path
) -> None:
    cli = ubiops_cli
    cli("signin", "--token", "-p", f"Token {server.token}", "--api", server.url + "/v2")
    cli("deployments", "create", "-f", str(tmp_path / "adder.yaml"))
    assert "adder" in cli("deployments", "list")
    assert "adder" in cli("deployments", "list", "-lb", "kind:test")
    assert "adder" not in cli("deployments", "list", "-lb", "kind:other")
    assert "Adds" in cli("deployments", "get", "adder")

    cli("deployments", "deploy", "adder", "-v", "v1", "-dir", str(package), "-y")
    assert "success" in cli("versions", "wait", "v1", "-d", "adder").lower()
    assert "v1" in cli("versions", "list", "-d", "adder")
    assert "available" in cli("versions", "get", "v1", "-d", "adder", "-fmt", "json")
    cli("deployments", "deploy", "adder", "-v", "v1", "-dir", str(package), "-y", "--overwrite")
    revisions = json.loads(cli("revisions", "list", "-d", "adder", "-v", "v1", "-fmt", "json"))
    assert len(revisions) == 2

    cli("deployments", "download", "adder", "-v", "v1", "-o", str(tmp_path / "out.zip"), "-q")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.read("deployment_package/deployment.py").decode() == CODE
    assert "Create" in cli("audit", "list", "-d", "adder").title()

    cli("versions", "create", "v2", "-d", "adder")
    uploaded = cli(
        "revisions", "upload", "-d", "adder", "-v", "v2", "-z", str(tmp_path / "out.zip")
    )
    assert uploaded
    cli("versions", "update", "v2", "-d", "adder", "-n", "second")
    cli("versions", "delete", "second", "-d", "adder", "-y")
    cli("deployments", "delete", "adder", "-y")
    assert "was not found" in cli("deployments", "get", "adder", code=1)


def test_variables(server: Any, ubiops_cli: Any, package: Path, tmp_path: Path) -> None:
    cli = ubiops_cli
    cli("signin", "--token", "-p", f"Token {server.token}", "--api", server.url + "/v2.1")
    cli("deployments", "create", "-f", str(tmp_path / "adder.yaml"))
    cli("versions", "create", "v1", "-d", "adder")
    cli("env", "create", "ofproject", "--value", "1")
    cli("env", "create", "env_var_1", "--value", "2", "-d", "adder")
    cli("env", "create", "hush", "--value", "sesame", "--secret", "-d", "adder")
    shown = cli("env", "list", "-d", "adder", "-v", "v1")
    assert "ofproject" in shown and "env_var_1" in shown and "sesame" not in shown
    cli("env", "create", "env_var_1", "--value", "3", "-d", "adder", "--overwrite")
    cli("env", "copy", "-fd", "adder", "-td", "adder", "-tv", "v1", "-y")
    cli("env", "delete", "env_var_1", "-d", "adder", "-y")
    assert "env_var_1" in cli("env", "list", "-d", "adder", "-v", "v1")


def test_sign_in_with_an_address_without_version(
    server: Any, ubiops_cli: Any, database_url: str
) -> None:
    cli = ubiops_cli
    cli("signin", "--token", "-p", f"Token {server.token}", "--api", server.url)
    assert "Personal" in cli("projects", "list")
    assert "Personal" in cli("current_project", "get")
    assert "Authorized" in cli("status")
    cli("signout")
    place = ["--data-dir", str(server.data_dir), "--database-url", database_url]
    add = [sys.executable, "-m", "deploy_magics.cli", "user", "add", *place, "eve"]
    subprocess.run(
        [*add, "--email", "eve@example.org", "--password-env", "EVES_PASSWORD"],
        env={**os.environ, "EVES_PASSWORD": "a long password"},
        check=True,
    )
    wrong = cli(
        "signin", "-e", "eve@example.org", "-p", "not it at all", "--api", server.url, code=1
    )
    assert "password is wrong" in wrong
    cli("signin", "-e", "eve@example.org", "-p", "a long password", "--api", server.url)
    assert "Personal" in cli("projects", "list")
