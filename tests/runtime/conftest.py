"""What the runtime's tests share: the real library, and a peer that runs cases by it and by us."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy_magics.executor.environment import Environment, ensure_environment

HERE = Path(__file__).parent
RUNTIME = HERE.parent.parent / "deploy_magics" / "runtime"
LIBRARY = ("blankly==1.18.25b0", "numpy<2")

Case = dict[str, Any]
Answers = dict[str, Any]


@pytest.fixture(scope="session")
def blankly_environment() -> Environment:
    return ensure_environment(None, LIBRARY)


@pytest.fixture(scope="session")
def play(blankly_environment: Environment) -> Iterator[Callable[[Case], Answers]]:
    """Runs one case by our runner (``ours``) and by the library alone (``theirs``)."""
    process = subprocess.Popen(
        [str(blankly_environment.python), str(HERE / "peer.py"), str(RUNTIME)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    source = (HERE / "actor_bot.py").read_text()

    def play(case: Case) -> Answers:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"source": source, **case}) + "\n")
        process.stdin.flush()
        answer: Answers = json.loads(process.stdout.readline())
        return answer

    yield play
    process.stdin.close()
    process.stdout.close()
    process.wait(60)


START = 1_600_000_200 // 3600 * 3600


def case_of(**changes: Any) -> Case:
    """One symbol, hourly, one price event that trades; ``changes`` on top."""
    case: Case = {
        "start": START,
        "prices": [{"symbol": "BTC-USD", "resolution": 3600, "bars": 200, "seed": 1}],
        "history": 3600,
        "events": [
            {
                "type": "price",
                "symbol": "BTC-USD",
                "resolution": 3600,
                "init": True,
                "actions": [["buy", 0.5], ["account"], ["history", 5], ["sell", 0.7], ["cash"]],
            }
        ],
        "fees": [0, 0],
        "keywords": {},
        "values": {"USD": 10000},
        "settings": {"settings": {}},
        "backtest": {"price_data": {"assets": []}, "settings": {}},
    }
    case.update(changes)
    case.setdefault("from", case["start"])
    longest = max(price["bars"] * price["resolution"] for price in case["prices"])
    case.setdefault("until", case["start"] + longest)
    return case


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    return case_of
