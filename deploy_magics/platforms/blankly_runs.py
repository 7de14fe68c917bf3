"""Versions and runs: what our server offers beyond Blankly's documented calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ..errors import RejectedError, ServiceError
from .blankly_types import Accepted, LogPart, Run, Version, mapping, whole
from .session import Session, new_key


class RunsClient:
    """The part of ``BlanklyClient`` that is about versions and runs, over its session."""

    base_url: str
    _session: Session

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
