"""What a run left: read as far as it is written, whatever its process wrote."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from deploy_magics.errors import NotFoundError
from deploy_magics.server.services import Services
from deploy_magics.server.services.runfiles import POINTS, read_bars, thinned


@pytest.fixture
def folder(services: Services) -> Path:
    made = services.settings.run_folder("run")
    made.mkdir()
    return made


def test_orders_are_told_in_their_latest_state(services: Services, folder: Path) -> None:
    events = [
        {"event": "order", "id": "1", "status": "open", "price": 1.0},
        {"event": "progress", "done": 1, "note": "an order"},
        {"event": "order", "id": "2", "status": "open"},
        {"event": "order", "id": "1", "status": "done"},
    ]
    lines = [json.dumps(event) for event in events]
    lines += ["not json order", '["order"]', '{"event": "order", "id": "3"']
    (folder / "events.jsonl").write_text("\n".join(lines))
    found = services.run_files.orders("run")
    assert [(o["id"], o["status"], o.get("price")) for o in found] == [
        ("1", "done", 1.0),
        ("2", "open", None),
    ]


def test_a_backtests_orders_are_in_its_result(services: Services, folder: Path) -> None:
    (folder / "result.json").write_text(json.dumps({"orders": [{"id": "1"}, 7]}))
    assert services.run_files.orders("run") == [{"id": "1"}]


def test_the_account_is_thinned(services: Services, folder: Path) -> None:
    with (folder / "events.jsonl").open("w") as file:
        for n in range(5 * POINTS):
            event = {"event": "account", "time": n, "value": n, "values": {"USD": n}}
            file.write(json.dumps(event) + "\n")
    account = services.run_files.account("run")
    assert account["values"] == {"USD": 5 * POINTS - 1}
    assert len(account["history"]) <= POINTS + 1
    assert account["history"][-1]["time"] == 5 * POINTS - 1


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_result_that_is_none_is_none(services: Services, folder: Path, content: bytes) -> None:
    (folder / "result.json").write_bytes(content)
    with pytest.raises(NotFoundError):
        services.run_files.result("run")


def test_a_result_is_strict_json(services: Services, folder: Path) -> None:
    (folder / "result.json").write_text('{"metrics": {"a": NaN, "b": Infinity}}')
    assert services.run_files.result("run") == {"metrics": {"a": None, "b": None}}


def test_links_are_not_followed(services: Services, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"a": 1}')
    for name in ("result.json", "result.npz"):
        (folder / name).symlink_to(tmp_path / "secret")
    with pytest.raises(NotFoundError):
        services.run_files.result("run")
    with pytest.raises(NotFoundError):
        services.run_files.arrays("run")


def test_bars_are_put_together(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = "".join(f"{n},{n},{n + 2},{n - 2},{n + 1},1\n" for n in range(10))
    path.write_text("time,open,high,low,close,volume\n" + rows + "x,,,,,\n")
    with path.open() as file:
        bars = read_bars(file, points=5)
    assert bars == {
        "time": [0, 2, 4, 6, 8],
        "open": [0, 2, 4, 6, 8],
        "high": [3, 5, 7, 9, 11],
        "low": [-2, 0, 2, 4, 6],
        "close": [2, 4, 6, 8, 10],
    }
    assert thinned([1, 2, 3]) == [1, 2, 3]


def test_a_follower_hears_what_is_printed(
    services: Services, me: Any, deployed: dict[str, Any]
) -> None:
    run_id = deployed["runId"]
    place = f"/run/{run_id}/logs"
    assert me.get(place) == {"text": "", "offset": 0, "state": "queued"}
    folder = services.settings.run_folder(run_id)
    folder.mkdir()

    def speak() -> None:
        time.sleep(0.3)
        (folder / "output.log").write_text("first line\n")

    speaker = threading.Thread(target=speak)
    speaker.start()
    heard = me.get(place, params={"wait": 25})
    speaker.join()
    assert (heard["text"], heard["offset"]) == ("first line\n", 11)
    me.post(f"/run/{run_id}/stop")
    ended = me.get(place, params={"offset": heard["offset"], "wait": 25})
    assert (ended["text"], ended["state"]) == ("", "cancelled")


def test_a_revoked_token_ends_a_follower(
    services: Services, me: Any, deployed: dict[str, Any]
) -> None:
    (token,) = services.tokens.list(me.who)
    revoking = threading.Timer(0.5, services.tokens.revoke, (me.who, token.id))
    revoking.start()
    answer = me.call("GET", f"/run/{deployed['runId']}/logs", params={"wait": 25})
    revoking.join()
    assert answer.status_code == 401


def test_a_server_that_ends_lets_followers_go(
    app: FastAPI, me: Any, deployed: dict[str, Any]
) -> None:
    def close() -> None:
        app.state.closing = True

    closing = threading.Timer(0.5, close)
    closing.start()
    assert me.get(f"/run/{deployed['runId']}/logs", params={"wait": 25})["state"] == "queued"
    closing.join()
    assert app.state.closing
