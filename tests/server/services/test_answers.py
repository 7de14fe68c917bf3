"""Idempotency keys: once for each, whoever comes at the same time, and nobody else's."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from deploy_magics.errors import RejectedError
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal


def test_of_many_at_once_with_one_key_one_does_it_and_all_hear_of_it(
    services: Services, ann: Principal
) -> None:
    together = threading.Barrier(6)
    heard: list[Any] = []

    def work() -> dict[str, Any]:
        return {"id": services.projects.create(ann, "once").id}

    def ask() -> None:
        together.wait()
        try:
            heard.append(services.answers.once(ann, "key", "digest", work)["id"])
        except Exception as error:
            heard.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (made,) = [row for row in services.projects.list(ann) if row.name == "once"]
    assert heard == [made.id] * 6


def test_a_key_is_its_accounts_own(services: Services, ann: Principal, bob: Principal) -> None:
    def answer(word: str) -> Any:
        return lambda: {"said": word}

    assert services.answers.once(ann, "key", "one", answer("a"))["said"] == "a"
    assert services.answers.once(bob, "key", "two", answer("b"))["said"] == "b"
    assert services.answers.once(ann, "key", "one", answer("c"))["said"] == "a"
    with pytest.raises(RejectedError) as caught:
        services.answers.once(ann, "key", "two", answer("d"))
    assert caught.value.status == 422


def test_what_fails_is_not_kept(services: Services, ann: Principal) -> None:
    def fails() -> dict[str, Any]:
        services.projects.create(ann, "half")
        raise RejectedError("no")

    with pytest.raises(RejectedError):
        services.answers.once(ann, "key", "one", fails)
    assert [row.name for row in services.projects.list(ann)] == ["Personal"]
    assert services.answers.once(ann, "key", "one", lambda: {"said": "yes"}) == {"said": "yes"}
