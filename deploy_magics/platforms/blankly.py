"""The client of Blankly's deployment API, and of what our server offers beyond it.

The six documented calls (token, projects, deploy, backtest) work with any server that keeps
Blankly's contract; versions, runs, logs, stop, start and rollback need ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from ..errors import (
    NotFoundError,
    NotSignedInError,
    RejectedError,
    ServiceError,
)
from .answers import read_json
from .blankly_types import (
    Accepted,
    Identity,
    LogPart,
    ModelInfo,
    Plan,
    Project,
    Run,
    Version,
    mapping,
    whole,
)
from .session import Progress, Session, Transport, new_key

DEFAULT_URL = "https://deploy.blankly.finance"
SERVICE = "deploy_magics"
Prices = Mapping[str, bytes | Path]


class TokenAuth(AuthBase):
    """Blankly's two tokens: the refresh token is kept, an id token is made from it and sent.

    The id token is asked for before the first call, and again after a 401.
    """

    def __init__(self, refresh_token: str, plain: Session) -> None:
        self._refresh_token = refresh_token
        self._plain = plain
        self._id_token = ""
        self.user_id = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._id_token:
            self.exchange()
        request.headers["token"] = self._id_token
        return request

    def renew(self, session: Session) -> bool:
        """Make a new id token; NotSignedInError where the refresh token is not taken any more."""
        self.exchange()
        return True

    def exchange(self) -> None:
        """Ask for an id token; one that is refused is NotSignedInError, whatever the status."""
        try:
            answer = self._plain.post(
                "auth/token", data={"refreshToken": self._refresh_token}, retry=True
            )
        except (NotSignedInError, RejectedError, NotFoundError) as error:
            raise NotSignedInError(
                f"{self._plain.base_url} does not take this token ({error.message.rstrip('.')}).",
                "Say %deploy_login.",
                status=error.status,
            ) from None
        token = mapping(answer).get("idToken")
        if not token or not isinstance(token, str):
            raise ServiceError(
                f"{self._plain.base_url} gives no id token for this one.", "Is the address right?"
            )
        self._id_token = token
        self.user_id = str(mapping(mapping(answer).get("data")).get("user_id") or "")


class BlanklyClient:
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

    # --- versions

    def versions(self, model_id: str) -> list[Version]:
        return [Version.of(item) for item in self._list("GET", f"model/{_id(model_id)}/versions")]

    def version(self, version_id: str) -> Version:
        return Version.of(self._checked(self._session.get(f"version/{_id(version_id)}")))

    def package(self, version_id: str) -> bytes:
        """The zip of a version."""
        return self._session.request("GET", f"version/{_id(version_id)}/package").content

    def rollback(self, version_id: str, description: str = "") -> Accepted:
        """A new version that equals this one, and its run."""
        answer = self._session.post(
            f"version/{_id(version_id)}/rollback",
            json={"description": description} if description else {},
            idempotency_key=new_key(),
        )
        return Accepted.of(self._checked(answer))

    def run_version(self, version_id: str, **options: Any) -> Run:
        """Run a version that is there already (``feed``, ``live``, ``plan``)."""
        answer = self._session.post(
            f"version/{_id(version_id)}/run", json=options, idempotency_key=new_key()
        )
        return Run.of(self._checked(answer))

    # --- runs

    def runs(self, **only: Any) -> list[Run]:
        """Runs, the newest first; ``project_id, model_id, version_id, kind, state, limit``."""
        params = {_camel(name): value for name, value in only.items() if value not in (None, "")}
        return [Run.of(item) for item in self._list("GET", "runs", params=params)]

    def run(self, run_id: str) -> Run:
        return Run.of(self._checked(self._session.get(f"run/{_id(run_id)}")))

    def logs(self, run_id: str, offset: int = 0, wait: float = 0) -> LogPart:
        """The log from a place on; waits up to ``wait`` seconds (25 at most) for more of it."""
        answer = self._checked(
            self._session.get(
                f"run/{_id(run_id)}/logs",
                params={"offset": offset, "wait": wait},
                timeout=(5, 30 + wait),
            )
        )
        return LogPart(
            str(answer.get("text") or ""),
            whole(answer.get("offset")) or 0,
            str(answer.get("state") or ""),
        )

    def orders(self, run_id: str, offset: int = 0) -> list[Mapping[str, Any]]:
        return self._list("GET", f"run/{_id(run_id)}/orders", params={"offset": offset})

    def account(self, run_id: str) -> Any:
        """The account's value by time, as the server keeps it."""
        return self._session.get(f"run/{_id(run_id)}/account")

    def result(self, run_id: str) -> Mapping[str, Any]:
        """A finished backtest's result.json."""
        return self._checked(self._session.get(f"run/{_id(run_id)}/result"))

    def arrays(self, run_id: str) -> bytes:
        """A finished backtest's result.npz."""
        return self._session.request("GET", f"run/{_id(run_id)}/arrays").content

    def prices(self, run_id: str, symbol: str) -> Mapping[str, list[float]]:
        """The prices that a run saw, thinned: columns ``time open high low close``."""
        answer = self._session.get(f"run/{_id(run_id)}/prices", params={"symbol": symbol})
        return self._checked(answer)

    def stop(self, run_id: str) -> Run:
        answer = self._session.post(f"run/{_id(run_id)}/stop", retry=True)
        return Run.of({"id": run_id, **mapping(answer)})

    def start(self, run_id: str) -> Run:
        answer = self._session.post(f"run/{_id(run_id)}/start", retry=True)
        return Run.of({"id": run_id, **mapping(answer)})

    # --- reading answers

    def _list(self, method: str, path: str, **options: Any) -> list[Mapping[str, Any]]:
        answer = self._session.json(method, path, **options)
        if isinstance(answer, Mapping):
            self._checked(answer)
            answer = next((value for value in answer.values() if isinstance(value, list)), None)
        if not isinstance(answer, Sequence) or isinstance(answer, str):
            raise ServiceError(f"{self.base_url} does not answer {path} with a list.")
        return [item for item in answer if isinstance(item, Mapping)]

    def _checked(self, answer: Any) -> Mapping[str, Any]:
        """An answer that is an object and holds no error (some servers say errors with a 200)."""
        if not isinstance(answer, Mapping):
            raise ServiceError(f"{self.base_url} does not answer as the deployment API does.")
        if answer.get("error") and not answer.get("id"):
            raise RejectedError(str(answer["error"])[:500], status=200)
        return answer


def _id(text: str) -> str:
    """An id as a part of a path."""
    return quote(str(text), safe="")


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
