"""The command line, in this process: what it prints, what it refuses, with which exit code."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy_magics import cli
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings

PASSWORD = "a long enough password"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on one data folder; answers exit code, stdout, stderr."""
    monkeypatch.setenv("PW", PASSWORD)

    def do(*arguments: str) -> tuple[int, str, str]:
        code = cli.main([*arguments, "--data-dir", str(tmp_path / "data")])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return do


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def test_users(run: Run) -> None:
    assert run("user", "add", "ann", "--password-env", "PW", "--email", "a@x.org")[0] == 0
    code, _, error = run("user", "add", "ann", "--password-env", "PW")
    assert (code, "already" in error) == (1, True)
    listed = run("user", "list")[1].splitlines()
    assert [line.split("  ")[1] for line in listed] == ["owner (owner)", "ann"]
    assert run("user", "remove", "ann")[0] == 0
    assert "only owner" in run("user", "remove", "owner")[2]
    assert "no account" in run("user", "remove", "ann")[2]


def test_passwords(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--password-env" in run("user", "add", "ann")[2]
    assert "not set" in run("user", "add", "ann", "--password-env", "NOBODY")[2]
    monkeypatch.setenv("SHORT", "short")
    assert "at least 10" in run("user", "add", "ann", "--password-env", "SHORT")[2]
    run("user", "add", "ann", "--password-env", "PW")
    monkeypatch.setenv("PW", "another long password")
    assert run("user", "passwd", "ann", "--password-env", "PW")[0] == 0
    services = Services.open(settings)
    assert services.accounts.by_password("ann", "another long password").name == "ann"
    services.close()


def test_a_password_is_typed_unseen_and_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter([PASSWORD, "something else", PASSWORD, PASSWORD])
    monkeypatch.setattr(cli.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(cli.getpass, "getpass", lambda _: next(typed))
    assert "differ" in run("user", "add", "ann")[2]
    assert run("user", "add", "ann")[0] == 0


def test_tokens(run: Run, settings: Settings) -> None:
    code, token, error = run("token", "create", "--name", "ci", "--scope", "read", "--days", "1")
    assert (code, error, len(token.split())) == (0, "", 1)
    listed = run("token", "list")[1]
    assert "ci" in listed
    assert token.strip() not in listed
    services = Services.open(settings)
    who = services.tokens.by_token(token.strip())
    assert (who.scopes, who.owner) == ({"read"}, True)
    services.close()
    assert run("token", "revoke", listed.split()[0])[0] == 0
    assert "no such token" in run("token", "revoke", listed.split()[0])[2]
    assert run("token", "list")[1] == ""


def test_doctor_and_backup(run: Run, settings: Settings, tmp_path: Path) -> None:
    code, text, _ = run("doctor")
    assert (code, "missing" in text) == (1, True)
    services = Services.open(settings)
    ann = principal(services.accounts.create("ann", owner=True))
    model = services.models.create(ann, ann.account_id, "M")
    version = services.versions.create(ann, model.id)
    with services.blobs.stage() as stage, services.store.write():
        stage.write(b"bytes")
        blob = services.uploads.keep(ann, stage)
        services.versions.add_revision(ann, version.id, blob)
    services.close()
    code, text, _ = run("doctor")
    assert code == 0, text
    assert "Database: ok" in text
    assert "1 blobs in use, 0 missing, 0 damaged" in text

    target = tmp_path / "backup"
    code, text, error = run("backup", str(target))
    assert (code, text.strip()) == (0, str(target))
    assert "key file" in error
    names = {path.name for path in target.rglob("*") if path.is_file()}
    assert names == {"service.sqlite", blob.sha256}
    assert "exists already" in run("backup", str(target))[2]
    restored = Settings(
        data_dir=target,
        database_url=f"sqlite:///{target / 'service.sqlite'}",
        key_file=settings.keys,
    )
    services = Services.open(restored)
    assert [row.name for row in services.accounts.list()] == ["ann"]
    assert services.blobs.read(blob.sha256) == b"bytes"
    services.close()

    (settings.data_dir / "blobs" / blob.sha256[:2] / blob.sha256).write_bytes(b"other")
    code, text, _ = run("doctor")
    assert (code, "1 damaged" in text) == (1, True)
    settings.keys.unlink()
    assert "key file" in run("doctor")[1]


def test_a_newer_or_broken_database_is_told_by_the_doctor(run: Run, settings: Settings) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "service.sqlite").write_bytes(b"no database at all" * 100)
    code, text, _ = run("doctor")
    assert (code, "error" in text) == (1, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "reachable from other machines"),
        (["--database-url", "postgresql://nobody@127.0.0.1:1/none"], "busy"),
    ],
)
def test_what_it_refuses_to_start_with(run: Run, options: list[str], words: str) -> None:
    code, _, error = run("serve", "--port", "0", *options)
    assert code == 1
    assert words in error
    assert error.count("\n") == 1


def test_a_port_that_is_taken_is_said(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, error = run("serve", "--port", str(taken.getsockname()[1]))
    assert (code, "--port" in error) == (1, True)


def test_settings_come_from_options_then_the_environment(tmp_path: Path) -> None:
    environment = {
        "DEPLOY_MAGICS_SERVER_DATA_DIR": str(tmp_path),
        "DEPLOY_MAGICS_SERVER_PORT": "1234",
        "DEPLOY_MAGICS_SERVER_BEHIND_TLS": "true",
        "DEPLOY_MAGICS_SERVER_ALLOWED_HOSTS": "a.example, b.example",
    }
    loaded = Settings.load(environment, port=4321, host=None)
    assert (loaded.data_dir, loaded.port, loaded.host) == (tmp_path, 4321, "127.0.0.1")
    assert (loaded.behind_tls, loaded.allowed_hosts) == (True, ("a.example", "b.example"))
    with pytest.raises(Exception, match="PORT"):
        Settings.load({"DEPLOY_MAGICS_SERVER_PORT": "many"})
