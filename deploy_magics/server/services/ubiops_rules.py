"""What a UbiOps deployment, version or variable may look like; the defaults it gets.

The limits are those of the API's documentation and of the models of its own client, which refuses
to read back what goes beyond them. Everything that is wrong is a ``RejectedError``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from deploy_magics.errors import RejectedError

NAME_LENGTH = 64
DESCRIPTION_LENGTH = 400
ERROR_LENGTH = 1024
_ARRAYS = {"array_int", "array_double", "array_string", "array_file"}
DATA_TYPES = {"int", "string", "double", "bool", "dict", "file"} | _ARRAYS
OUTPUT_WIDGETS = {"textbox", "button", "image_preview"}
INPUT_WIDGETS = OUTPUT_WIDGETS | {"numberbox", "slider", "dropdown", "switch", "drawer"}
RETENTION_MODES = ("none", "metadata", "full")

# base environments, as UbiOps names them, with the Python that each stands for
ENVIRONMENTS: dict[str, tuple[str, str]] = {
    f"{prefix}python3-{minor}": (f"{shown}Python 3.{minor}", f"3.{minor}")
    for prefix, shown in (
        ("", ""),
        ("ubuntu22-04-", "Ubuntu 22.04 + "),
        ("ubuntu24-04-", "Ubuntu 24.04 + "),
    )
    for minor in range(7, 14)
}
DEFAULT_ENVIRONMENT = "python3-11"

VERSION_DEFAULTS: dict[str, Any] = {
    "environment": DEFAULT_ENVIRONMENT,
    "instance_type": "512mb",
    "instance_type_group_id": "00000000-0000-4000-8000-000000000512",
    "instance_type_group_name": "512mb",
    "minimum_instances": 0,
    "maximum_instances": 5,
    "maximum_idle_time": 300,
    "monitoring": None,
    "default_notification_group": None,
    "request_retention_time": 604800,
    "request_retention_mode": "full",
    "maximum_queue_size_express": 100,
    "maximum_queue_size_batch": 100000,
    "maximum_queue_size": 100000,
    "instance_processes": 1,
    "scaling_strategy": "default",
    "static_ip": False,
    "restart_request_interruption": False,
    "health_check": None,
    "command": None,
    "args": None,
    "ports": [],
}
_INTEGERS = {  # field: smallest, largest
    "minimum_instances": (0, 1000),
    "maximum_instances": (1, 1000),
    "maximum_idle_time": (10, 3600),
    "request_retention_time": (3600, 2419200),
    "maximum_queue_size_express": (1, 10**6),
    "maximum_queue_size_batch": (1, 10**7),
    "maximum_queue_size": (1, 10**7),
    "instance_processes": (1, 100),
}


def name(value: object, what: str) -> str:
    """A name: 1 to 64 characters that can stand in an address and in a line of audit."""
    if not isinstance(value, str) or not value.strip():
        raise RejectedError(f"{what} is required")
    if len(value) > NAME_LENGTH:
        raise RejectedError(f"{what} may have {NAME_LENGTH} characters at most")
    if not re.fullmatch(r"[^\W_][\w .+-]*", value) or value != value.strip():
        raise RejectedError(f"{what} may hold letters, digits, '-', '_' and '.' only")
    return value


def description(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RejectedError("The description must be a string")
    if len(value) > DESCRIPTION_LENGTH:
        raise RejectedError(f"The description may have {DESCRIPTION_LENGTH} characters at most")
    return _text(value, "The description")


def labels(value: object) -> dict[str, str]:
    """Labels: text to text, with nothing in them that the filter ``a:b,c:d`` could not say."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RejectedError("Labels must be a dictionary")
    for key, item in value.items():
        if not isinstance(item, str) or not key or re.search(r"[,:]", key) or "," in item:
            raise RejectedError("Labels must be strings; a name without ':' and ','")
        _text(key + item, "A label")
    return dict(value)


def label_filter(text: str | None) -> set[tuple[str, str]]:
    """The filter ``label:value,label:value``, of which one is enough; empty text is no filter."""
    if not text:
        return set()
    pairs = [part.partition(":") for part in text.split(",")]
    if any(not key or not colon for key, colon, _ in pairs):
        raise RejectedError("Labels must be given as label:value, separated by commas")
    return {(key, value) for key, _, value in pairs}


def fields(kind: str, value: object, side: str) -> list[dict[str, Any]]:
    """The input or output fields of a deployment; ``side`` is ``input`` or ``output``."""
    if kind == "plain":
        if value:
            raise RejectedError(f"{side.title()} fields cannot be given for plain {side} type")
        return []
    if not isinstance(value, list) or not value:
        raise RejectedError(f"{side.title()} fields must be given for structured {side} type")
    found = [_field(each, side) for each in value]
    names = [each["name"] for each in found]
    if len(set(names)) < len(names):
        raise RejectedError(f"The names of {side} fields must be unique")
    return found


def _field(value: object, side: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise RejectedError(f"An {side} field must be a dictionary with name and data_type")
    if value.get("data_type") not in DATA_TYPES:
        raise RejectedError(f"The data type of an {side} field must be one of {_any(DATA_TYPES)}")
    widget = value.get("widget") or {}
    allowed = INPUT_WIDGETS if side == "input" else OUTPUT_WIDGETS
    if not isinstance(widget, Mapping) or (widget and widget.get("type") not in allowed):
        raise RejectedError(f"The widget of an {side} field must be one of {_any(allowed)}")
    return {
        "name": name(value.get("name"), f"The name of an {side} field"),
        "data_type": value["data_type"],
        "widget": dict(widget),
    }


def direction(value: object, side: str) -> str:
    if value not in ("structured", "plain"):
        raise RejectedError(f"{side}_type must be 'structured' or 'plain'")
    return str(value)


def changed_one_at_a_time(old: list[dict[str, Any]], new: list[dict[str, Any]], side: str) -> None:
    """Fields with widgets change one by one, so that each widget stays with its field."""
    if not any(each.get("widget") for each in [*old, *new]) or len(old) == 0:
        return
    before, after = {each["name"]: each for each in old}, {each["name"]: each for each in new}
    gone, came = set(before) - set(after), set(after) - set(before)
    altered = {each for each in set(before) & set(after) if before[each] != after[each]}
    if len(altered) + max(len(gone), len(came)) > 1:
        raise RejectedError(f"{side.title()} fields with widgets must be updated one at a time")


def variable_name(value: object) -> str:
    """A variable's name: letters, digits and underscores, none of these at either end."""
    if not isinstance(value, str) or not value:
        raise RejectedError("The name of the environment variable is required")
    if len(value) > NAME_LENGTH or not re.fullmatch(r"[A-Za-z](\w*[A-Za-z0-9])?", value, re.A):
        raise RejectedError(
            "The name of an environment variable may hold letters, digits and underscores, "
            "and may not start or end with an underscore"
        )
    return value


def variable_value(value: object) -> str:
    if not isinstance(value, str):
        raise RejectedError("The value of the environment variable must be a string")
    return _text(value, "The value of the environment variable")


def boolean(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise RejectedError(f"{what} must be true or false")
    return value


def version_settings(body: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a version: ``current`` ones, changed by what the request body gives."""
    given = {key: body[key] for key in VERSION_DEFAULTS if key in body}
    if body.get("environment_name") is not None:
        given["environment"] = body["environment_name"]
    settings = {**VERSION_DEFAULTS, **current, **given}
    for key, (least, most) in _INTEGERS.items():
        settings[key] = _integer(settings[key], key, least, most)
    if settings["minimum_instances"] > settings["maximum_instances"]:
        raise RejectedError("minimum_instances cannot be larger than maximum_instances")
    if settings["environment"] not in ENVIRONMENTS:
        raise RejectedError("Given environment is not supported for the deployment")
    if settings["request_retention_mode"] not in RETENTION_MODES:
        raise RejectedError(f"request_retention_mode must be one of {_any(RETENTION_MODES)}")
    for key in ("static_ip", "restart_request_interruption"):
        boolean(settings[key], key)
    for key in ("instance_type", "instance_type_group_name", "instance_type_group_id"):
        if not isinstance(settings[key], str) or not 0 < len(settings[key]) <= 128:
            raise RejectedError(f"{key} must be a string")
    settings["ports"] = [_port(each) for each in _list(settings["ports"], "ports")]
    return settings


def _integer(value: object, what: str, least: int, most: int) -> int:
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.A):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RejectedError(f"{what} must be a whole number from {least} to {most}")
    return value


def _port(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or value.get("protocol") not in ("tcp", "udp"):
        raise RejectedError("A port needs public_port, deployment_port and protocol (tcp or udp)")
    return {
        "public_port": _integer(value.get("public_port"), "public_port", 1, 65535),
        "deployment_port": _integer(value.get("deployment_port"), "deployment_port", 1, 65535),
        "protocol": value["protocol"],
    }


def _list(value: object, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise RejectedError(f"{what} must be a list")
    return value


def _text(value: str, what: str) -> str:
    """Text that every database keeps: no NUL, no half of a surrogate pair."""
    if "\0" in value or any(0xD800 <= ord(each) < 0xE000 for each in value):
        raise RejectedError(f"{what} holds characters that cannot be kept")
    return value


def _any(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
