"""UbiOps' own client, at the seed's release and at its newest, unchanged, against our server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("drive_client.py")
OPERATIONS = 30


@pytest.mark.parametrize(
    ("release", "prefix"),
    [("ubiops==4.5.1", "/v2.1"), ("ubiops==4.15.0", "")],
    ids=["4.5.1", "4.15.0"],
)
def test_all_operations(release: str, prefix: str, server: Any, peer: Any, tmp_path: Path) -> None:
    python = peer(release) / "bin" / "python"
    arguments = [server.url + prefix, f"Token {server.token}", "Personal", str(tmp_path)]
    done = subprocess.run(
        [str(python), str(DRIVER), *arguments], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(json.loads(done.stdout)) == OPERATIONS
