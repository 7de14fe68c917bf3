import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from deploy_magics import credentials
from deploy_magics.errors import CredentialsError

SERVER = "https://deploy.example"


class Memory(KeyringBackend):
    """A keyring that works, in memory; below every other, so that nothing chooses it by itself."""

    priority = -1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class Broken(Memory):
    """A keyring whose door is stuck."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError("locked")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DEPLOY_MAGICS_HOME", str(tmp_path / "home"))
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield tmp_path / "home"
    keyring.set_keyring(before)


def test_a_token_is_kept_in_a_file_that_only_its_owner_reads(home: Path) -> None:
    mask = os.umask(0)
    try:
        kept = credentials.save("blankly", SERVER + "/", "me", "dm_secret")
    finally:
        os.umask(mask)
    assert kept.where == "file"
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600
    found = credentials.load("blankly", SERVER)
    assert found is not None and found.token == "dm_secret" and found.name == "me"
    assert "dm_secret" not in repr(found)
    assert list(home.iterdir()) == [home / "credentials.json"]


def test_a_token_goes_to_its_own_server_alone() -> None:
    credentials.save("blankly", SERVER, "me", "one")
    assert credentials.load("blankly", "https://deploy.example.evil") is None
    assert credentials.load("blankly", "http://deploy.example") is None
    assert credentials.load("ubiops", SERVER) is None
    assert credentials.load("blankly", "https://DEPLOY.example:443/") is not None


def test_a_newer_token_takes_the_place_of_the_older() -> None:
    credentials.save("blankly", SERVER, "me", "one")
    credentials.save("blankly", SERVER, "other", "two")
    credentials.save("ubiops", SERVER, "me", "three")
    assert credentials.known() == [("blankly", SERVER, "other"), ("ubiops", SERVER, "me")]
    assert credentials.forget("blankly", SERVER) and not credentials.forget("blankly", SERVER)
    assert credentials.load("ubiops", SERVER) is not None


def test_a_keyring_is_used_where_there_is_one(home: Path) -> None:
    ring = Memory()
    keyring.set_keyring(ring)
    assert credentials.save("blankly", SERVER, "me", "dm_secret").where == "keyring"
    assert "dm_secret" not in (home / "credentials.json").read_text()
    found = credentials.load("blankly", SERVER)
    assert found is not None and found.token == "dm_secret"
    credentials.forget("blankly", SERVER)
    assert ring.kept == {} and credentials.load("blankly", SERVER) is None


def test_a_keyring_that_fails_is_passed_over() -> None:
    keyring.set_keyring(Broken())
    assert credentials.save("blankly", SERVER, "me", "dm_secret").where == "file"
    found = credentials.load("blankly", SERVER)
    assert found is not None and found.token == "dm_secret"


def test_a_file_that_others_can_read_is_refused(home: Path) -> None:
    credentials.save("blankly", SERVER, "me", "one")
    (home / "credentials.json").chmod(0o640)
    with pytest.raises(CredentialsError, match="chmod 600"):
        credentials.load("blankly", SERVER)


@pytest.mark.parametrize("text", ["{", "[]", '{"credentials": 3}', '{"credentials": [3]}'])
def test_a_damaged_file_is_said_to_be_one(home: Path, text: str) -> None:
    credentials.home()
    credentials.write_private(home / "credentials.json", text)
    with pytest.raises(CredentialsError, match="damaged"):
        credentials.load("blankly", SERVER)


def test_a_write_that_fails_leaves_the_old_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials.save("blankly", SERVER, "me", "one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CredentialsError, match="No space left"):
        credentials.save("blankly", SERVER, "me", "two")
    monkeypatch.undo()
    assert json.loads((home / "credentials.json").read_text())["credentials"][0]["token"] == "one"
    assert len(list(home.iterdir())) == 1
