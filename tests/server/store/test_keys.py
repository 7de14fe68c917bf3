"""The key file: private, lost never unnoticed, and what it seals opens in its place only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy_magics.errors import ServiceError
from deploy_magics.server.store.keys import Keys


def test_made_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "server.key"
    made = Keys.open(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Keys.open(path, expected=made.current) == made
    assert "signing" not in repr(made)


def test_a_lost_key_file_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="missing"):
        Keys.open(tmp_path / "server.key", expected="abcd")
    assert not (tmp_path / "server.key").exists()


def test_another_servers_key_file_is_refused(tmp_path: Path) -> None:
    Keys.open(tmp_path / "server.key")
    with pytest.raises(ServiceError, match="not the key file"):
        Keys.open(tmp_path / "server.key", expected="other")


def test_a_key_file_that_others_read_is_refused(tmp_path: Path) -> None:
    Keys.open(tmp_path / "server.key")
    (tmp_path / "server.key").chmod(0o644)
    with pytest.raises(ServiceError, match="chmod 600"):
        Keys.open(tmp_path / "server.key")


@pytest.mark.parametrize("change", ["short", "broken", "other"])
def test_weak_or_broken_secrets_are_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "server.key"
    Keys.open(path)
    stored = json.loads(path.read_text())
    if change == "short":
        stored["signing"] = "c2VjcmV0"
    elif change == "other":
        stored["current"] = "nope"
    path.write_text("{" if change == "broken" else json.dumps(stored))
    with pytest.raises(ServiceError):
        Keys.open(path)


def test_a_secret_opens_in_its_own_row_only(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path / "server.key")
    cipher, key_id = keys.seal("sesame", place="row 1")
    assert keys.unseal(cipher, key_id, place="row 1") == "sesame"
    with pytest.raises(ServiceError, match="row"):
        keys.unseal(cipher, key_id, place="row 2")
    assert b"sesame" not in cipher
