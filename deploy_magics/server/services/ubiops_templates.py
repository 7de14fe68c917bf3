"""The template deployments that this server offers: small, whole, and without packages to fetch."""

from __future__ import annotations

import io
import textwrap
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

from deploy_magics.errors import NotFoundError
from deploy_magics.server.services.ubiops_rules import DEFAULT_ENVIRONMENT, VERSION_DEFAULTS

_NAMESPACE = uuid.UUID("6f0c3c1e-6a3b-4d0e-9a35-6d2f6a1c7a11")


@dataclass(frozen=True)
class Template:
    """``inputs`` and ``outputs`` map field names to data types; none of them: plain."""

    name: str
    description: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    code: str

    @property
    def id(self) -> str:
        return str(uuid.uuid5(_NAMESPACE, self.name))

    def details(self) -> dict[str, Any]:
        """What creates the deployment and, under ``version``, its version."""
        labels = {"template": "True"}
        settings = {key: VERSION_DEFAULTS[key] for key in _VERSION_KEYS}
        return {
            "name": self.name,
            "description": self.description,
            "input_type": "structured" if self.inputs else "plain",
            "output_type": "structured" if self.outputs else "plain",
            "input_fields": [{"name": k, "data_type": v} for k, v in self.inputs.items()],
            "output_fields": [{"name": k, "data_type": v} for k, v in self.outputs.items()],
            "labels": labels,
            "version": {
                "name": "v1",
                "environment": DEFAULT_ENVIRONMENT,
                "description": "",
                "labels": labels,
                **settings,
            },
        }

    def package(self) -> bytes:
        """The zip, the same bytes each time."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            entry = zipfile.ZipInfo("deployment_package/deployment.py", (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, textwrap.dedent(self.code).lstrip())
        return buffer.getvalue()


_VERSION_KEYS = (
    "instance_type_group_id",
    "instance_type_group_name",
    "maximum_idle_time",
    "maximum_instances",
    "minimum_instances",
    "request_retention_mode",
    "request_retention_time",
)

TEMPLATES = (
    Template(
        "template-echo",
        "Answers with what it was sent",
        {},
        {},
        '''
        class Deployment:
            """The smallest deployment: the answer is the request."""

            def __init__(self, base_directory, context):
                self.base_directory = base_directory

            def request(self, data, context):
                return data
        ''',
    ),
    Template(
        "template-rsi-signal",
        "The relative strength index of some prices, and what to do about it",
        {"prices": "array_double", "period": "int"},
        {"rsi": "double", "signal": "string"},
        '''
        class Deployment:
            """Buy below 30, sell above 70, else hold."""

            def request(self, data):
                prices, period = data["prices"], int(data.get("period") or 14)
                changes = [b - a for a, b in zip(prices, prices[1:])][-period:]
                if len(changes) < period:
                    raise ValueError(f"{period + 1} prices are needed, {len(prices)} were given")
                gain = sum(change for change in changes if change > 0)
                loss = -sum(change for change in changes if change < 0)
                rsi = 100.0 if not loss else 100 - 100 / (1 + gain / loss)
                signal = "buy" if rsi < 30 else "sell" if rsi > 70 else "hold"
                return {"rsi": rsi, "signal": signal}
        ''',
    ),
    Template(
        "template-batch-returns",
        "Returns of many price series at once, with a requests method",
        {"prices": "array_double"},
        {"total_return": "double"},
        '''
        class Deployment:
            """Answers one request or a whole batch of them."""

            def __init__(self, context):
                self.served = 0

            def request(self, data):
                return self.requests([data])[0]

            def requests(self, data):
                self.served += len(data)
                return [self.one(each["prices"]) for each in data]

            def one(self, prices):
                return {"total_return": prices[-1] / prices[0] - 1}
        ''',
    ),
)


def listing() -> list[dict[str, Any]]:
    return [{"id": each.id, "details": each.details()} for each in TEMPLATES]


def find(template_id: str) -> Template:
    """Raises NotFoundError: there is no such template."""
    for each in TEMPLATES:
        if each.id == template_id:
            return each
    raise NotFoundError("Template deployment was not found", status=404)
