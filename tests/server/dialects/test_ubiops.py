"""UbiOps' rules at our server: defaults, inheritance, what is refused, and in which words."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from fastapi.testclient import TestClient

from deploy_magics.server.dialects import ubiops_shapes as shapes
from deploy_magics.server.services import Services, ubiops_templates
from deploy_magics.server.services.principal import Principal

P = "/v2.1/projects/Personal"
D = f"{P}/deployments"
FIELDS = [{"name": "x", "data_type": "double"}]
STRUCTURED = {
    "name": "d",
    "input_type": "structured",
    "output_type": "structured",
    "input_fields": FIELDS,
    "output_fields": FIELDS,
}
PLAIN = {"name": "d", "input_type": "plain", "output_type": "plain"}


class Api:
    """UbiOps' API as one account."""

    def __init__(self, client: TestClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Token {token}"}

    def __call__(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self._client.request(method, path, headers=self._headers, **options)
        assert answer.status_code == status, answer.text
        if not answer.content:
            return None
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def refused(self, method: str, path: str, status: int, **options: Any) -> str:
        body = self(method, path, status, **options)
        assert set(body) == {"error"}
        said: str = body["error"]
        assert said and "\n" not in said
        return said

    def upload(self, version: str, data: bytes, status: int = 201, **parts: Any) -> Any:
        files = {"file": ("a.zip", data, "application/zip"), **parts}
        return self("POST", f"{D}/d/versions/{version}/revisions", status, files=files)


@pytest.fixture
def api(services: Services, client: TestClient, ann: Principal) -> Api:
    token, _ = services.tokens.create(ann, "test")
    return Api(client, token)


@pytest.fixture
def deployed(api: Api) -> Api:
    api("POST", D, 201, json=PLAIN)
    api("POST", f"{D}/d/versions", 201, json={"version": "v1"})
    return api


def built(services: Services, revision_id: str, status: str = "success") -> None:
    services.versions.update_revision(
        revision_id, status=status, has_request=True, has_requests=False
    )


BAD_DEPLOYMENTS: list[dict[str, Any]] = [
    {},
    {"name": ""},
    {"name": "a/b"},
    {"name": "x" * 65},
    {"name": None},
    {"input_type": "odd"},
    {"input_fields": []},
    {"input_fields": [*FIELDS, *FIELDS]},
    {"input_fields": [{"name": "x", "data_type": "complex"}]},
    {"input_fields": [{"name": "x"}]},
    {"input_fields": "x"},
    {"input_fields": [{"name": "x", "data_type": "int", "widget": {"type": "dial"}}]},
    {"output_fields": [{"name": "x", "data_type": "int", "widget": {"type": "slider"}}]},
    {"input_type": "plain"},
    {"labels": ["a"]},
    {"labels": {"a": 1}},
    {"labels": {"a:b": "c"}},
    {"description": "x" * 401},
    {"description": "a\x00b"},
]


class TestDeployments:
    def test_bad_input_makes_nothing(self, api: Api) -> None:
        for body in BAD_DEPLOYMENTS:
            api.refused("POST", D, 400, json={**STRUCTURED, **body} if body else {})
        assert api("GET", D) == []

    def test_bodies_that_are_no_object(self, api: Api) -> None:
        for content in (b"{", b"[1]", b'"x"', b"\xff", b"NaN", b'{"a":1,"a":2}'):
            api.refused("POST", D, 400, content=content)

    def test_defaults_and_shape(self, api: Api) -> None:
        made = api("POST", D, 201, json=STRUCTURED)
        assert "default_version" not in made
        assert made["input_fields"] == [{**FIELDS[0], "widget": {}}]
        assert (made["description"], made["labels"]) == ("", {})
        assert made["supports_request_format"] is True
        assert api("GET", D)[0]["input_fields"] == FIELDS
        assert api("GET", f"{D}/d")["default_version"] is None

    def test_rename_keeps_everything(self, deployed: Api) -> None:
        before = deployed("GET", f"{D}/d/versions/v1")
        assert deployed("PATCH", f"{D}/d", json={"name": "e"})["name"] == "e"
        assert deployed.refused("GET", f"{D}/d", 404) == "Deployment was not found"
        assert deployed("GET", f"{D}/e/versions/v1")["id"] == before["id"]
        deployed("POST", D, 201, json=PLAIN)
        deployed.refused("PATCH", f"{D}/e", 409, json={"name": "d"})

    def test_labels_are_replaced(self, api: Api) -> None:
        api("POST", D, 201, json={**PLAIN, "labels": {"a": "1", "b": "2"}})
        assert api("PATCH", f"{D}/d", json={"labels": {"c": "3"}})["labels"] == {"c": "3"}
        api.refused("GET", f"{D}?labels=nonsense", 400)

    def test_fields_with_widgets_change_one_at_a_time(self, api: Api) -> None:
        slider = {"name": "x", "data_type": "int", "widget": {"type": "slider"}}
        other = {"name": "y", "data_type": "int"}
        api("POST", D, 201, json={**STRUCTURED, "input_fields": [slider, other]})
        renamed = [{**slider, "name": "a"}, {**other, "name": "b"}]
        api.refused("PATCH", f"{D}/d", 400, json={"input_fields": renamed})
        changed = api("PATCH", f"{D}/d", json={"input_fields": [slider, renamed[1]]})
        assert [each["name"] for each in changed["input_fields"]] == ["x", "b"]

    def test_deletion_takes_all_with_it(self, deployed: Api) -> None:
        deployed("DELETE", f"{D}/d", 204)
        assert deployed.refused("GET", f"{D}/d/versions/v1", 404) == "Deployment was not found"
        events = deployed("GET", f"{P}/audit")
        assert {each["object_name"] for each in events if each["action"] == "delete"} == {""}


BAD_VERSIONS: list[dict[str, Any]] = [
    {"version": ""},
    {"version": "v2", "maximum_idle_time": 9},
    {"version": "v2", "maximum_idle_time": 3601},
    {"version": "v2", "minimum_instances": 6},
    {"version": "v2", "maximum_instances": "many"},
    {"version": "v2", "environment": "r4-0"},
    {"version": "v2", "request_retention_mode": "some"},
    {"version": "v2", "static_ip": "yes"},
    {"version": "v2", "ports": [{"public_port": 1}]},
    {
        "version": "v2",
        "ports": [{"public_port": 1, "deployment_port": 70000, "protocol": "tcp"}],
    },
]


class TestVersions:
    def test_bad_input_makes_nothing(self, deployed: Api) -> None:
        for body in BAD_VERSIONS:
            deployed.refused("POST", f"{D}/d/versions", 400, json=body)
        assert len(deployed("GET", f"{D}/d/versions")) == 1

    def test_defaults(self, deployed: Api) -> None:
        version = deployed("GET", f"{D}/d/versions/v1")
        expected = {
            "default": True,
            "status": "unavailable",
            "maximum_instances": 5,
            "minimum_instances": 0,
            "maximum_idle_time": 300,
            "request_retention_time": 604800,
            "request_retention_mode": "full",
            "active_revision": None,
            "last_file_upload": None,
            "has_request_method": None,
            "ports": [],
        }
        assert {key: version[key] for key in expected} == expected

    def test_what_the_oldest_clients_always_send(self, deployed: Api) -> None:
        body = {
            "version": "v2",
            "environment": "python3-10",
            "request_retention_mode": "full",
            "static_ip": False,
            "restart_request_interruption": False,
        }
        assert deployed("POST", f"{D}/d/versions", 201, json=body)["environment"] == "python3-10"
        body = {"version": "v3", "environment_name": "ubuntu22-04-python3-11"}
        made = deployed("POST", f"{D}/d/versions", 201, json=body)
        assert (made["environment_name"], made["environment_tag"]) == (
            "ubuntu22-04-python3-11",
            "latest",
        )

    def test_only_an_available_version_becomes_default(
        self, deployed: Api, services: Services
    ) -> None:
        deployed("POST", f"{D}/d/versions", 201, json={"version": "v2"})
        change = {"default_version": "v2"}
        said = deployed.refused("PATCH", f"{D}/d", 400, json=change)
        assert said == "Default cannot be set to an unavailable version"
        sent = deployed.upload("v2", ubiops_templates.TEMPLATES[0].package())
        built(services, sent["revision"])
        assert deployed("PATCH", f"{D}/d", json=change)["default_version"] == "v2"
        unknown = {"default_version": "v9"}
        assert "was not found" in deployed.refused("PATCH", f"{D}/d", 404, json=unknown)
        defaults = [each["default"] for each in deployed("GET", f"{D}/d/versions")]
        assert sorted(defaults) == [False, True]

    def test_patch_changes_only_what_it_names(self, deployed: Api) -> None:
        deployed("PATCH", f"{D}/d/versions/v1", json={"maximum_instances": 2})
        changed = deployed("PATCH", f"{D}/d/versions/v1", json={"description": "two"})
        assert (changed["maximum_instances"], changed["description"]) == (2, "two")


BAD_VARIABLES: list[dict[str, Any]] = [
    {"value": "x", "secret": False},
    {"name": "_A", "value": "x", "secret": False},
    {"name": "A_", "value": "x", "secret": False},
    {"name": "A-B", "value": "x", "secret": False},
    {"name": "Ä", "value": "x", "secret": False},
    {"name": "A", "secret": False},
    {"name": "A", "value": 1, "secret": False},
    {"name": "A", "value": "x", "secret": "yes"},
    {"name": "PYTHONPATH", "value": "x", "secret": False},
    {"name": "x" * 65, "value": "x", "secret": False},
]


class TestVariables:
    def test_inheritance_and_shadowing(self, deployed: Api) -> None:
        for place, value in ((P, "1"), (f"{D}/d", "2"), (f"{D}/d/versions/v1", "3")):
            body = {"name": "LEVEL", "value": value, "secret": False}
            deployed("POST", f"{place}/environment-variables", 201, json=body)
        body = {"name": "UP", "value": "x", "secret": True}
        deployed("POST", f"{P}/environment-variables", 201, json=body)
        shown = deployed("GET", f"{D}/d/versions/v1/environment-variables")
        brief = [
            (each["name"], each["value"], each["inheritance_type"], each["inheritance_name"])
            for each in shown
        ]
        assert brief == [("LEVEL", "3", None, None), ("UP", None, "project", "Personal")]
        shown = deployed("GET", f"{D}/d/environment-variables")
        assert [each["inheritance_type"] for each in shown] == [None, "project"]

    def test_a_secret_stays_one(self, deployed: Api) -> None:
        at = f"{D}/d/environment-variables"
        made = deployed("POST", at, 201, json={"name": "A", "value": "x", "secret": False})
        assert deployed("PATCH", f"{at}/{made['id']}", json={"secret": True})["value"] is None
        deployed.refused("PATCH", f"{at}/A", 400, json={"secret": False})
        assert deployed("PATCH", f"{at}/A", json={"value": ""})["secret"] is True
        assert deployed("GET", f"{at}/A")["value"] is None
        assert b"x" not in str(deployed("GET", at)).encode().split(b"value")[1][:12]

    def test_bad_input_makes_nothing(self, deployed: Api) -> None:
        at = f"{D}/d/environment-variables"
        for body in BAD_VARIABLES:
            deployed.refused("POST", at, 400, json=body)
        assert deployed("GET", at) == []

    def test_copy_overwrites_and_keeps_secrets(self, deployed: Api) -> None:
        deployed("POST", D, 201, json={**PLAIN, "name": "e"})
        at = "environment-variables"
        for name, secret in (("A", False), ("B", True)):
            body = {"name": name, "value": name, "secret": secret}
            deployed("POST", f"{D}/d/{at}", 201, json=body)
        deployed("POST", f"{D}/e/{at}", 201, json={"name": "A", "value": "0", "secret": False})
        copied = deployed("POST", f"{D}/e/copy-{at}", json={"source_deployment": "d"})
        brief = [(each["name"], each["value"], each["secret"]) for each in copied]
        assert brief == [("A", "A", False), ("B", None, True)]
        deployed.refused("POST", f"{D}/e/copy-{at}", 404, json={"source_deployment": "nobody"})
        deployed.refused("POST", f"{D}/e/copy-{at}", 400, json={})

    def test_only_own_ones_are_changed(self, deployed: Api) -> None:
        at = f"{D}/d/environment-variables"
        made = deployed("POST", at, 201, json={"name": "A", "value": "x", "secret": False})
        below = f"{D}/d/versions/v1/environment-variables/{made['id']}"
        assert "not found" in deployed.refused("DELETE", below, 404)


class TestRevisions:
    def test_failed_and_running_builds_leave_the_active_one(
        self, deployed: Api, services: Services
    ) -> None:
        package = ubiops_templates.TEMPLATES[0].package()
        first = deployed.upload("v1", package)["revision"]
        version = f"{D}/d/versions/v1"
        assert deployed("GET", version)["status"] == "building"
        built(services, first)
        second = deployed.upload("v1", package)["revision"]
        services.versions.update_revision(second, status="validating")
        shown = deployed("GET", version)
        assert (shown["status"], shown["active_revision"]) == ("available", first)
        assert shown["latest_revision"] == second
        assert deployed("GET", f"{version}/revisions/{second}")["status"] == "building"
        build = deployed("GET", f"{version}/builds/{shapes.build_id(second)}")
        assert (build["status"], build["revision"]) == ("validating", second)
        built(services, second, "failed")
        assert deployed("GET", version)["active_revision"] == first

    def test_download_gives_the_very_bytes(self, deployed: Api) -> None:
        package = ubiops_templates.TEMPLATES[1].package()
        sent = deployed.upload("v1", package)["revision"]
        assert deployed("GET", f"{D}/d/versions/v1/revisions/{sent}/download") == package

    def test_what_is_no_zip_is_refused(self, deployed: Api) -> None:
        for data in (b"", b"no zip", b"PK\x03\x04cut"):
            deployed.upload("v1", data, 400)
        assert deployed("GET", f"{D}/d/versions/v1/revisions") == []

    def test_paths_that_leave_the_package_are_refused(self, deployed: Api) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("../deployment.py", "x")
        deployed.upload("v1", buffer.getvalue(), 400)

    def test_sources(self, deployed: Api) -> None:
        at = f"{D}/d/versions/v1/revisions"
        half = {"source_deployment": (None, "d")}
        deployed.refused("POST", at, 400, files=half)
        both = {**half, "source_version": (None, "v1")}
        assert "no deployment file" in deployed.refused("POST", at, 400, files=both)
        deployed.refused("POST", at, 400, json={})


class TestOthers:
    def test_one_account_sees_nothing_of_another(
        self, deployed: Api, services: Services, client: TestClient, bob: Principal
    ) -> None:
        token, _ = services.tokens.create(bob, "test")
        other = Api(client, token)
        assert other("GET", D) == []
        assert other.refused("GET", f"{D}/d", 404) == "Deployment was not found"

    def test_a_token_for_reading_changes_nothing(
        self, deployed: Api, services: Services, client: TestClient, ann: Principal
    ) -> None:
        token, _ = services.tokens.create(ann, "reader", ["read"])
        reader = Api(client, token)
        assert len(reader("GET", D)) == 1
        reader.refused("POST", D, 403, json={**PLAIN, "name": "e"})
        reader.refused("PATCH", f"{D}/d", 403, json={"description": "x"})
        reader.refused("DELETE", f"{D}/d", 403)
        reader.refused("DELETE", f"{D}/d/versions/v1", 403)
        body = {"name": "A", "value": "x", "secret": False}
        reader.refused("POST", f"{D}/d/environment-variables", 403, json=body)
        reader.upload("v1", ubiops_templates.TEMPLATES[0].package(), 403)

    def test_without_a_good_token(self, client: TestClient) -> None:
        for header in ("", "Token", "Token Token x", "Basic abc", "Token wrong"):
            for path in ("/v2/projects", "/v2.1/user", "/user", "/v2.1/template-deployments"):
                answer = client.get(path, headers={"Authorization": header} if header else {})
                assert (answer.status_code, set(answer.json())) == (401, {"error"})

    def test_templates_are_whole(self, deployed: Api) -> None:
        for template in deployed("GET", "/v2/template-deployments"):
            details = template["details"]
            version = details.pop("version")
            deployed("POST", D, 201, json=details)
            name = version.pop("name")
            place = f"{D}/{details['name']}/versions"
            deployed("POST", place, 201, json={"version": name, **version})
            parts = {"template_deployment_id": (None, template["id"])}
            sent = deployed("POST", f"{place}/{name}/revisions", 201, files=parts)
            assert sent["success"]

    def test_what_came_over_blankly_is_listed(
        self, api: Api, services: Services, ann: Principal, small_zip: bytes
    ) -> None:
        model = services.models.create(ann, ann.account_id, "RSI Model")
        version = services.versions.create(ann, model.id, python_version="3.8")
        services.versions.add_revision(ann, version.id, services.blobs.put(small_zip))
        assert [each["name"] for each in api("GET", D)] == ["RSI Model"]
        shown = api("GET", f"{D}/RSI%20Model/versions/v1")
        assert (shown["status"], shown["environment"]) == ("available", "python3-8")
        downloaded = api(
            "GET", f"{D}/RSI%20Model/versions/v1/revisions/{shown['active_revision']}/download"
        )
        assert downloaded == small_zip
        assert "not deployed as a UbiOps package" in api.refused(
            "POST", f"{D}/RSI%20Model/requests", 409, json={}
        )

    def test_passwords(self, client: TestClient, ann: Principal, password: str) -> None:
        wrong = client.post("/v2/authorize", json={"email": "ann@x.org", "password": "no"})
        assert (wrong.status_code, set(wrong.json())) == (401, {"error"})
        good = client.post("/v2/authorize", json={"email": "ann@x.org", "password": password})
        header = {"Authorization": f"Bearer {good.json()['access']}"}
        assert client.get("/v2/user", headers=header).json()["email"] == "ann@x.org"


def test_audit_pages_and_filters(deployed: Api) -> None:
    at = f"{D}/d/environment-variables"
    for number in range(3):
        body = {"name": f"V{number}", "value": "", "secret": False}
        deployed("POST", at, 201, json=body)
    deployed("DELETE", f"{at}/V1", 204)
    events = deployed("GET", f"{D}/d/audit")
    assert len(events) == 6
    assert deployed("GET", f"{D}/d/audit?limit=2&offset=1") == events[1:3]
    assert [e["action"] for e in deployed("GET", f"{D}/d/audit?action=delete")] == ["delete"]
    assert {e["user"] for e in events} == {"ann@x.org"}
    for query in ("limit=0", "limit=-1", "limit=9999999", "offset=x", "action=odd"):
        deployed.refused("GET", f"{D}/d/audit?{query}", 400)
