"""The client of Blankly's deployment API, and of what our server offers beyond it.

The six documented calls (token, projects, deploy, backtest) work with any server that keeps
Blankly's contract; versions, runs, logs, stop, start and rollback need ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import (
    NotFoundError,
    NotSignedInError,
    RejectedError,
    ServiceError,
)
from .answers import read_json
from .blankly_auth import TokenAuth
from .blankly_runs import RunsClient
from .blankly_types import (
    Accepted,
    Identity,
    ModelInfo,
    Plan,
    Project,
    mapping,
)
from .session import Progress, Session, Transport, new_key

DEFAULT_URL = "https://deploy.blankly.finance"
SERVICE = "deploy_magics"
Prices = Mapping[str, bytes | Path]


class BlanklyClient(RunsClient):
    """Calls to one server with one account's token.

    Args:
        base_url: the server's address.
        token: a refresh token; checked by ``check()``, else at the first call.
    """

    platform = "blankly"

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        token: str = "",
        *,
        transport: Transport | None = None,
        patience: float = 60,
    ) -> None:
        plain = Session(base_url, transport=transport, patience=patience)
        self.base_url = plain.base_url
        self._plain = plain
        self._auth = TokenAuth(token, plain)
        self._session = Session(base_url, auth=self._auth, transport=transport, patience=patience)

    def __repr__(self) -> str:
        return f"<BlanklyClient {self.base_url}>"

    def close(self) -> None:
        self._plain.close()
        self._session.close()

    # --- the server and the account

    def health(self) -> Mapping[str, Any]:
        """What the server says of itself; empty where it is not one of ours."""
        try:
            answer = mapping(self._plain.get("health"))
        except (NotFoundError, NotSignedInError, RejectedError):
            return {}
        return answer if answer.get("service") == SERVICE else {}

    def check(self) -> Identity:
        """Whose token this is; NotSignedInError where it is refused."""
        self._auth.exchange()
        try:
            return Identity.of(mapping(self._session.get("auth/me")))
        except (NotFoundError, RejectedError):
            self.projects()
            return Identity(self._auth.user_id)

    def redeem(self, code: str, verifier: str) -> str:
        """The refresh token that the sign-in page's one-time code stands for."""
        answer = self._plain.post("auth/exchange", json={"code": code, "verifier": verifier})
        token = mapping(answer).get("refreshToken")
        if not token:
            raise ServiceError(f"{self.base_url} gives no token for this code.")
        return str(token)

    def sign_out(self) -> None:
        """Revoke this token on the server."""
        self._session.request("POST", "auth/signout")

    def overview(self, etag: str = "") -> tuple[Any, str]:
        """Projects, models, versions and runs in one answer, and its ETag.

        (None, etag) when nothing changed since the answer of that ETag.
        """
        response = self._session.request(
            "GET", "overview", headers={"If-None-Match": etag} if etag else None
        )
        if response.status_code == 304:
            return None, etag
        return read_json(response, self.base_url), response.headers.get("ETag", "")

    # --- projects, plans, models

    def projects(self) -> list[Project]:
        return [Project.of(item) for item in self._list("GET", "project/list")]

    def create_project(self, name: str, description: str = "") -> Project:
        answer = self._checked(
            self._session.post(
                "project/create",
                data={"name": name, "description": description},
                idempotency_key=new_key(),
            )
        )
        return Project.of({"name": name, "description": description, **answer})

    def plans(self, kind: str = "live") -> list[Plan]:
        """The plans for ``live`` or ``backtesting``."""
        answer = self._checked(self._session.post("project/plans", data={"type": kind}, retry=True))
        return [Plan.of(name, sizes) for name, sizes in answer.items()]

    def models(self, project_id: str) -> list[ModelInfo]:
        found = self._list("POST", "model/list", data={"projectId": project_id}, retry=True)
        return [ModelInfo.of(item, project_id) for item in found]

    def create_model(
        self, project_id: str, name: str, *, type: str = "strategy", description: str = ""
    ) -> ModelInfo:
        form = {"projectId": project_id, "name": name, "type": type, "description": description}
        answer = self._checked(
            self._session.post("model/create-model", data=form, idempotency_key=new_key())
        )
        return ModelInfo.of({**form, "id": answer.get("modelId")}, project_id)

    # --- uploads

    def deploy(
        self,
        package: Path | bytes,
        *,
        sha256: str = "",
        project_id: str,
        model_id: str = "",
        name: str = "",
        type: str = "strategy",
        description: str = "",
        message: str = "",
        plan: str = "",
        python_version: str = "",
        schedule: str = "",
        feed: Mapping[str, Any] | None = None,
        args: Mapping[str, Any] | None = None,
        live: bool = False,
        prices: Prices | None = None,
        key: str = "",
        on_progress: Progress | None = None,
    ) -> Accepted:
        """Upload a model's zip as a new version and run it.

        Args:
            sha256: the zip's digest; where the server has that zip, only the digest is sent.
            model_id: the model that gets the version; without it a new one called ``name``.
            prices: what the paper run replays, CSV by symbol.
            args: of the paper run, those of ``.backtest()``: the span of the replay, the account.
            key: an idempotency key from an earlier attempt.
        """
        form = {
            "projectId": project_id,
            "modelId": model_id or None,
            "name": name or None,
            "createNew": None if model_id else "true",
            "type": type,
            "generalDescription": description or None,
            "versionDescription": message,
            "plan": plan or None,
            "pythonVersion": python_version or None,
            "schedule": schedule or None,
            "feed": json.dumps(feed) if feed else None,
            "args": json.dumps(dict(args)) if args else None,
            "live": "true" if live else None,
        }
        return self._upload("model/deploy", form, package, sha256, prices, key, on_progress)

    def backtest(
        self,
        package: Path | bytes,
        *,
        sha256: str = "",
        project_id: str,
        model_id: str = "",
        name: str = "",
        type: str = "strategy",
        args: Mapping[str, Any] | None = None,
        message: str = "",
        plan: str = "",
        python_version: str = "",
        prices: Prices | None = None,
        key: str = "",
        on_progress: Progress | None = None,
    ) -> Accepted:
        """Upload a model's zip and backtest it there; ``args`` are those of ``.backtest()``."""
        form = {
            "projectId": project_id,
            "modelId": model_id or None,
            "name": name or None,
            "createNew": None if model_id else "true",
            "type": type,
            "backtestArgs": json.dumps(dict(args or {})),
            "backtestDescription": message,
            "plan": plan or None,
            "pythonVersion": python_version or None,
        }
        return self._upload("model/backtest", form, package, sha256, prices, key, on_progress)

    def backtest_version(
        self, project_id: str, model_id: str, version_id: str, args: Mapping[str, Any], message: str
    ) -> Accepted:
        """Backtest a version that is there already."""
        body = {
            "projectId": project_id,
            "modelId": model_id,
            "versionId": version_id,
            "backtestArgs": dict(args),
            "backtestDescription": message,
        }
        answer = self._session.post(
            "model/backtestUploadedModel", json=body, idempotency_key=new_key()
        )
        return Accepted.of(self._checked(answer))

    def has_package(self, sha256: str) -> bool:
        """Whether this account has uploaded that very zip before."""
        try:
            self._session.request("GET", f"package/{quote(sha256, safe='')}")
        except (NotFoundError, RejectedError):
            return False
        return True

    def _upload(
        self,
        path: str,
        form: Mapping[str, Any],
        package: Path | bytes,
        sha256: str,
        prices: Prices | None,
        key: str,
        on_progress: Progress | None,
    ) -> Accepted:
        fields = {name: value for name, value in form.items() if value is not None}
        files: list[Any] = [
            ("prices", (f"{symbol}.csv", content, "text/csv"))
            for symbol, content in (prices or {}).items()
        ]
        if sha256 and self.has_package(sha256):
            fields["sha256"] = sha256
        else:
            files.append(("model", ("model.zip", package, "application/zip")))
        answer = self._session.post(
            path,
            data=fields,
            files=files,
            idempotency_key=key or new_key(),
            on_progress=on_progress,
            timeout=(5, 120),
        )
        return Accepted.of(self._checked(answer))
