"""Idempotency: the answer to a keyed request, kept in the transaction that did its work."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete

from deploy_magics.errors import ConflictError, RejectedError
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Answer

KEEP_SECONDS = 3 * 86_400.0
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


class Answers:
    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, who: Principal, key: str | None, request: str) -> dict[str, Any] | None:
        """What this request was answered before, None when it is new or has no key.

        Ask again inside the transaction that does the work: of two at once, one finds the other's.

        Raises:
            RejectedError: status 422, the key was used for another request.
        """
        if key is None:
            return None
        if not _KEY.fullmatch(key):
            raise RejectedError("An Idempotency-Key has 1 to 128 plain characters.", status=400)
        with self._store.read() as session:
            row = session.get(Answer, (who.account_id, key))
        if row is None:
            return None
        if row.request_digest != request:
            raise RejectedError("This Idempotency-Key was used for another request.", status=422)
        return row.body

    def once(
        self, who: Principal, key: str | None, request: str, work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Do ``work`` in one transaction, once for each key; a repeated request gets its answer.

        Raises:
            RejectedError: as ``find`` does; and whatever ``work`` raises.
        """
        known = self.find(who, key, request)
        if known is not None:
            return known
        try:
            with self._store.write():
                known = self.find(who, key, request)
                if known is not None:
                    return known
                body = work()
                self.keep(who, key, request, body)
        except ConflictError:
            # of two at once: on PostgreSQL the second learns of the first only from what it hits
            known = self.find(who, key, request)
            if known is None:
                raise
            return known
        return body

    def keep(self, who: Principal, key: str | None, request: str, body: dict[str, Any]) -> None:
        """Inside the transaction that did the work."""
        if key is None:
            return
        row = Answer(account_id=who.account_id, key=key, request_digest=request, body=body)
        with self._store.write() as session:
            session.add(row)

    def prune(self) -> None:
        with self._store.write() as session:
            session.execute(delete(Answer).where(Answer.created_at < time.time() - KEEP_SECONDS))


def request_digest(route: str, fields: Mapping[str, Any]) -> str:
    """One digest for a route and everything that was sent to it (files by their SHA-256)."""
    text = json.dumps([route, sorted(fields.items())], default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
