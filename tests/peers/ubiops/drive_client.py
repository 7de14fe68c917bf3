"""Drives UbiOps' own client, unchanged, through its 30 operations; prints what it called.

``python drive_client.py HOST TOKEN PROJECT FOLDER`` in an environment that has ``ubiops``.
"""

import json
import sys
import time
import zipfile
from pathlib import Path

import ubiops
from ubiops.exceptions import ApiException

HOST, TOKEN, PROJECT, FOLDER = sys.argv[1:5]
CODE = """
import os

class Deployment:
    def __init__(self, base_directory, context):
        self.greeting = os.environ.get("GREETING", "hello")

    def request(self, data):
        return {"answer": self.greeting + " " + data["name"]}
"""
BROKEN = "raise RuntimeError('does not import')"

configuration = ubiops.Configuration()
configuration.api_key["Authorization"] = TOKEN
configuration.host = HOST
api_client = ubiops.ApiClient(configuration)
api = ubiops.CoreApi(api_client)
called = set()


def call(operation, *arguments, **options):
    called.add(operation)
    return getattr(api, operation)(*arguments, **options)


def refused(status, operation, *arguments, **options):
    """The service says no, with that status and in a line that the client can show."""
    try:
        call(operation, *arguments, **options)
    except ApiException as error:
        assert error.status == status, (operation, error.status, error.body)
        message = json.loads(error.body)["error"]
        assert message and "\n" not in message, message
        return message
    raise AssertionError(operation + " was not refused")


def package(name, code):
    path = str(Path(FOLDER, name))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deployment_package/deployment.py", code)
    return path


def built(version, revision):
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        found = call("revisions_get", PROJECT, "greeter", revision, version)
        if found.status in ("success", "failed"):
            return found
        time.sleep(0.1)
    raise AssertionError("the build did not end")


def deployments():
    data = ubiops.DeploymentCreate(
        name="hello",
        description="Says hello",
        input_type="structured",
        output_type="structured",
        input_fields=[{"name": "name", "data_type": "string"}],
        output_fields=[{"name": "answer", "data_type": "string"}],
        labels={"kind": "test", "team": "a"},
    )
    made = call("deployments_create", PROJECT, data)
    assert (made.name, made.project, made.description) == ("hello", PROJECT, "Says hello")
    refused(409, "deployments_create", PROJECT, data)
    refused(
        400,
        "deployments_create",
        PROJECT,
        {"name": "x", "input_type": "odd", "output_type": "plain"},
    )
    renamed = call("deployments_update", PROJECT, "hello", {"name": "greeter"})
    assert (renamed.id, renamed.name) == (made.id, "greeter")
    assert refused(404, "deployments_get", PROJECT, "hello") == "Deployment was not found"
    assert [each.name for each in call("deployments_list", PROJECT)] == ["greeter"]
    assert len(call("deployments_list", PROJECT, labels="kind:other,kind:test")) == 1
    assert len(call("deployments_list", PROJECT, labels="")) == 1
    assert call("deployments_list", PROJECT, labels="kind:none") == []
    plain = ubiops.DeploymentCreate(name="plain", input_type="plain", output_type="plain")
    assert call("deployments_create", PROJECT, plain).input_fields in (None, [])


def versions():
    first = call(
        "deployment_versions_create",
        PROJECT,
        "greeter",
        ubiops.DeploymentVersionCreate(version="v1", environment="python3-11", labels={"a": "b"})
        if hasattr(ubiops.DeploymentVersionCreate, "environment")
        else ubiops.DeploymentVersionCreate(
            version="v1", environment_name="python3-11", labels={"a": "b"}
        ),
    )
    assert (first.status, first.default) == ("unavailable", True)
    assert (first.maximum_instances, first.minimum_instances, first.maximum_idle_time) == (
        5,
        0,
        300,
    )
    second = call("deployment_versions_create", PROJECT, "greeter", {"version": "v2"})
    assert second.default is False
    refused(409, "deployment_versions_create", PROJECT, "greeter", {"version": "v2"})
    changed = call(
        "deployment_versions_update",
        PROJECT,
        "greeter",
        "v2",
        {"version": "second", "maximum_instances": 4, "labels": {"c": "d"}},
    )
    assert (changed.version, changed.maximum_instances, changed.labels) == ("second", 4, {"c": "d"})
    assert call("deployment_versions_get", PROJECT, "greeter", "second").id == second.id
    refused(404, "deployment_versions_get", PROJECT, "greeter", "v2")
    listed = call("deployment_versions_list", PROJECT, "greeter", labels="c:d")
    assert [each.version for each in listed] == ["second"]
    message = refused(400, "deployments_update", PROJECT, "greeter", {"default_version": "second"})
    assert message == "Default cannot be set to an unavailable version"
    refused(
        400, "deployment_versions_update", PROJECT, "greeter", "second", {"maximum_idle_time": 5}
    )


def variables():
    level = "deployment_environment_variables_"
    made = call(
        level + "create",
        PROJECT,
        "greeter",
        ubiops.EnvironmentVariableCreate(name="GREETING", value="hi", secret=False),
    )
    assert (made.name, made.value, made.secret) == ("GREETING", "hi", False)
    secret = call(
        level + "create",
        PROJECT,
        "greeter",
        ubiops.EnvironmentVariableCreate(name="PASSWORD", value="hidden", secret=True),
    )
    assert secret.value is None
    refused(
        400, level + "create", PROJECT, "greeter", {"name": "_BAD", "value": "", "secret": False}
    )
    refused(
        400,
        level + "update",
        PROJECT,
        "greeter",
        secret.id,
        ubiops.EnvironmentVariableCreate(name="PASSWORD", value="x", secret=False),
    )
    assert call(level + "get", PROJECT, "greeter", secret.id).value is None
    shown = call(
        level + "update",
        PROJECT,
        "greeter",
        made.id,
        ubiops.EnvironmentVariableCreate(name="GREETING", value="hallo", secret=False),
    )
    assert shown.value == "hallo"
    assert len(call(level + "list", PROJECT, "greeter")) == 2
    level = "deployment_version_environment_variables_"
    below = {each.name: each for each in call(level + "list", PROJECT, "greeter", "v1")}
    assert below["GREETING"].inheritance_type == "deployment"
    assert below["GREETING"].inheritance_name == "greeter"
    own = call(
        level + "create",
        PROJECT,
        "greeter",
        "v1",
        ubiops.EnvironmentVariableCreate(name="GREETING", value="salut", secret=False),
    )
    below = {each.name: each for each in call(level + "list", PROJECT, "greeter", "v1")}
    assert (below["GREETING"].value, below["GREETING"].inheritance_type) == ("salut", None)
    refused(404, level + "get", PROJECT, "greeter", secret.id, "v1")
    assert call(level + "get", PROJECT, "greeter", own.id, "v1").value == "salut"
    call(
        level + "update",
        PROJECT,
        "greeter",
        own.id,
        "v1",
        ubiops.EnvironmentVariableCreate(name="GREETING", value="ciao", secret=False),
    )
    source = ubiops.EnvironmentVariableCopy(source_deployment="greeter")
    copied = call("deployment_environment_variables_copy", PROJECT, "plain", source)
    assert sorted(each.name for each in copied) == ["GREETING", "PASSWORD"]
    assert {each.name: each.secret for each in copied}["PASSWORD"] is True
    source = ubiops.EnvironmentVariableCopy(source_deployment="greeter", source_version="v1")
    copied = call(
        "deployment_version_environment_variables_copy", PROJECT, "greeter", "second", source
    )
    assert [(each.name, each.value) for each in copied] == [("GREETING", "ciao")]
    call(level + "delete", PROJECT, "greeter", copied[0].id, "second")
    call("deployment_environment_variables_delete", PROJECT, "plain", "PASSWORD")


def revisions():
    path = package("good.zip", CODE)
    sent = call("revisions_file_upload", PROJECT, "greeter", "v1", file=path)
    assert sent.success
    first = built("v1", sent.revision)
    assert (first.status, first.error_message) == ("success", "")
    assert (first.has_request_method, first.has_requests_method) == (True, False)
    version = call("deployment_versions_get", PROJECT, "greeter", "v1")
    assert (version.status, version.active_revision) == ("available", sent.revision)
    bad = call("revisions_file_upload", PROJECT, "greeter", "v1", file=package("bad.zip", BROKEN))
    failed = built("v1", bad.revision)
    assert failed.status == "failed" and "does not import" in failed.error_message
    version = call("deployment_versions_get", PROJECT, "greeter", "v1")
    assert (version.status, version.active_revision) == ("available", sent.revision)
    assert version.latest_revision == bad.revision
    assert len(call("revisions_list", PROJECT, "greeter", "v1")) == 2
    file = call("revisions_file_download", PROJECT, "greeter", sent.revision, "v1")
    downloaded = file.read() if hasattr(file, "read") else Path(str(file)).read_bytes()
    assert downloaded == Path(path).read_bytes()
    again = call("revisions_rebuild", PROJECT, "greeter", sent.revision, "v1", {})
    assert built("v1", again.id).status == "success"
    assert call("deployment_versions_get", PROJECT, "greeter", "v1").active_revision == again.id
    copy = call(
        "revisions_file_upload",
        PROJECT,
        "greeter",
        "second",
        source_deployment="greeter",
        source_version="v1",
    )
    assert built("second", copy.revision).status == "success"
    updated = call("deployments_update", PROJECT, "greeter", {"default_version": "second"})
    assert updated.default_version == "second"
    template = call("template_deployments_list")[0]
    assert template.details["version"]["name"] == "v1"
    refused(
        404,
        "revisions_file_upload",
        PROJECT,
        "greeter",
        "v1",
        template_deployment_id="00000000-0000-0000-0000-000000000000",
    )
    from_template = call(
        "revisions_file_upload", PROJECT, "greeter", "v1", template_deployment_id=template.id
    )
    assert built("v1", from_template.revision).status == "success"
    builds(sent)


def builds(sent):
    called.add("builds_get")
    build = getattr(sent, "build", None) or sent.revision
    if hasattr(api, "builds_get"):
        found = api.builds_get(PROJECT, build, "greeter", "v1")
        assert (found.revision, found.status) == (sent.revision, "success")
        return
    import requests  # newer clients have no such operation any more

    base = HOST if "/v2" in HOST else HOST + "/v2"
    answer = requests.get(
        base + "/projects/" + PROJECT + "/deployments/greeter/versions/v1/builds/" + build,
        headers={"Authorization": TOKEN},
        timeout=60,
    )
    assert answer.json()["revision"] == sent.revision, answer.text


def request():
    answer = api.deployment_version_requests_create(
        PROJECT, "greeter", "second", data={"name": "you"}
    )
    assert (answer.success, answer.result) == (True, {"answer": "hallo you"}), answer


def the_end():
    events = call("deployment_audit_events_list", PROJECT, "greeter", limit=200)
    actions = {each.action for each in events}
    assert {"create", "update", "delete"} <= actions, actions
    assert all(each.user for each in events)
    page = call("deployment_audit_events_list", PROJECT, "greeter", limit=2, offset=1)
    assert [each.id for each in page] == [each.id for each in events[1:3]]
    only = call("deployment_audit_events_list", PROJECT, "greeter", action="delete")
    assert {each.action for each in only} == {"delete"}
    call("deployment_versions_delete", PROJECT, "greeter", "second")
    assert [each.version for each in call("deployment_versions_list", PROJECT, "greeter")] == ["v1"]
    call("deployments_delete", PROJECT, "greeter")
    call("deployments_delete", PROJECT, "plain")
    assert call("deployments_list", PROJECT) == []
    refused(404, "deployments_get", "no-such-project", "greeter")


for step in (deployments, versions, variables, revisions, request, the_end):
    step()
api_client.close()
print(json.dumps(sorted(called)))
