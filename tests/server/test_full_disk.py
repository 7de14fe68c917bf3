"""A disk that is really full: said so, nothing half-written, and all well when there is room."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from deploy_magics.errors import ServiceError
from deploy_magics.executor.process import start_guarded
from deploy_magics.server.app import create_app
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.settings import Settings

LONG = 120.0


@pytest.fixture
def house(small_disk: Any, database_url: str) -> Iterator[Services | None]:
    """SQLite on the small disk; with PostgreSQL the database lies elsewhere."""
    if small_disk is None:
        yield None
        return
    url = "" if database_url.startswith("sqlite") else database_url
    services = Services.open(Settings(small_disk.path / "data", database_url=url, free_disk=0))
    yield services
    services.close()


@pytest.fixture
def client(house: Services | None) -> TestClient | None:
    if house is None:
        return None
    app = create_app(house.settings, house)
    opened = TestClient(app, "http://127.0.0.1:8800", raise_server_exceptions=False)
    ann = principal(house.accounts.create("ann", owner=True))
    token, _ = house.tokens.create(ann, "test")
    opened.headers["token"] = house.tokens.id_token(house.tokens.by_token(token))
    return opened


def models(client: TestClient) -> list[str]:
    answer = client.get("/overview")
    assert answer.status_code == 200, answer.text
    projects = answer.json()["projects"]
    return [model["name"] for project in projects for model in project["models"]]


def upload(client: TestClient, name: str, package: bytes) -> int:
    files = {"model": ("model.zip", package)}
    answer = client.post("/model/backtest", data={"name": name}, files=files)
    if answer.status_code != 200:
        assert answer.json() == {"error": "The server's disk is full."}
    return answer.status_code


def test_every_step_of_an_upload_meets_a_full_disk(
    small_disk: Any, house: Any, client: Any, make_zip: Callable[..., bytes]
) -> None:
    if house is None:
        return
    filler = "# " + os.urandom(150_000).hex() + "\n"
    kept = []
    spaces = [0, 4, 16, 64, 128, 256, 304, 308, 312, 320, 336, 352, 384, 448]
    for space in spaces:
        small_disk.fill(leave=space << 10)
        package = make_zip(f"import blankly\n\nprint({space})\n{filler}")
        status = upload(client, f"M{space}", package)
        assert status in (200, 507)
        if status == 200:
            kept.append(f"M{space}")
        assert sorted(models(client)) == sorted(kept)
        assert len(list(house.blobs.names())) == len(kept)
        assert list(house.blobs.staging.glob("in-*")) == []
        small_disk.clear()
    assert len(kept) < len(spaces) - 4
    assert upload(client, "last", make_zip()) == 200


def test_all_writes_say_it_and_all_reads_work(
    small_disk: Any, house: Any, client: Any, small_zip: bytes
) -> None:
    if house is None:
        return
    assert upload(client, "first", small_zip) == 200
    small_disk.fill()
    statuses = {
        client.post(path, data=data).status_code
        for path, data in (
            ("/project/create", {"name": "p"}),
            ("/model/list", {"projectId": "x" * 36}),
            ("/auth/token", {"refreshToken": "nobody's"}),
        )
    }
    # PostgreSQL has its own disk
    assert statuses <= {200, 401, 404, 507}
    assert models(client) == ["first"]
    assert client.get("/health").status_code == 200
    small_disk.clear()
    assert client.post("/project/create", data={"name": "q"}).status_code == 200


def test_uploads_end_before_the_last_space_does(
    small_disk: Any, own_mounts: bool, make_zip: Callable[..., bytes]
) -> None:
    """The database must go on when nobody can upload any more."""
    if small_disk is None:
        return
    services = Services.open(Settings(small_disk.path / "data", free_disk=8 << 20))
    ann = principal(services.accounts.create("ann", owner=True))
    services.uploads.check_space()
    small_disk.fill(leave=7 << 20)
    with pytest.raises(ServiceError) as caught:
        services.uploads.check_space()
    assert caught.value.status == 507
    services.projects.create(ann, "still")
    services.close()


def test_a_server_that_cannot_start_starts_when_there_is_room(small_disk: Any) -> None:
    if small_disk is None:
        return
    settings = Settings(small_disk.path / "data")
    for space in (0, 8, 64, 200):
        small_disk.fill(leave=space << 10)
        with pytest.raises(ServiceError) as caught:
            Services.open(settings)
        assert "full" in str(caught.value), space
        small_disk.clear()
    Services.open(settings).close()


def test_a_run_that_fills_the_disk_says_why_it_ended(small_disk: Any) -> None:
    if small_disk is None:
        return
    folder = small_disk.path / "run"
    source = (
        "import os\n"
        "print('before', flush=True)\n"
        "while not os.path.getsize('output.log'): pass\n"
        "with open('large', 'wb', 0) as file:\n"
        "    while file.write(bytes(1 << 16)) == 1 << 16: pass\n"
        "os._exit(3)\n"
    )
    guarded = start_guarded(
        folder, [sys.executable, "-S", "-c", f"import os; os.chdir({str(folder)!r})\n{source}"]
    )
    ended = guarded.wait(LONG)
    assert ended is not None
    assert ended["reason"] == "disk"
    assert (folder / "output.log").read_bytes().startswith(b"before\n")
    assert sorted(path.name for path in folder.glob("*.tmp")) == []
