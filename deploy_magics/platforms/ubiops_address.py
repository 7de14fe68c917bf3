"""Where a thing is at UbiOps, and the token that is shown there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from deploy_magics.errors import UsageError


class TokenAuth(AuthBase):
    """``Authorization: Token …``; never shows its token."""

    def __init__(self, token: str) -> None:
        token = token.strip().removeprefix("Token ")
        if not token or re.search(r"[\s%]", token):
            raise UsageError(
                "A UbiOps token is one word without spaces.", "Copy it again, without quotes."
            )
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Token {self._token}"
        return request

    def __repr__(self) -> str:
        return "TokenAuth(…)"


def address(server: str) -> str:
    """The base address with its version, ``/v2.1`` where none is given."""
    server = server.rstrip("/")
    return server if re.search(r"/v\d+(\.\d+)?$", server) else f"{server}/v2.1"


def labels_query(labels: Mapping[str, str] | None) -> dict[str, str]:
    """The query of a label filter: objects with at least one of the labels match."""
    return {"labels": ",".join(f"{k}:{v}" for k, v in labels.items())} if labels else {}


def path_of(*parts: str | None) -> str:
    """An address of these parts, each quoted whole; ``..`` is nobody's name."""
    if {".", ".."} & set(parts):
        raise UsageError("A name of dots alone cannot stand in an address.")
    return "/" + "/".join(quote(part, safe="") for part in parts if part)


def place_of(project: str, deployment: str | None = None, version: str | None = None) -> list[str]:
    """The path of a project, a deployment in it, or a version of that."""
    parts = ["projects", project]
    if deployment:
        parts += ["deployments", deployment]
    if version:
        if not deployment:
            raise UsageError("A version is named together with its deployment.")
        parts += ["versions", version]
    return parts
