"""A service with a worker in this process or in its own, real models and real packages."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy_magics.executor.data import load_prices
from deploy_magics.executor.environment import ensure_environment
from deploy_magics.model.model import Model
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.ubiops_revisions import Place, UbiopsRevisions
from deploy_magics.server.settings import Settings
from deploy_magics.server.store.tables import Run, Version
from deploy_magics.server.workers.worker import Worker

PRICES = Path(__file__).parents[3] / "notebooks" / "data" / "EUR-USD_1h.csv"
LIBRARY = ("blankly==1.18.25b0", "numpy<2")
PATIENCE = 120.0
SPAN = {"start_date": "2017-05-01", "end_date": "2017-06-01", "initial_values": {"USD": 1000}}

STRATEGY = """
import blankly

SYMBOL = "EUR-USD"
seen = 0

def on_price(price, symbol, state):
    global seen
    seen += 1
    if seen % 40 == 5:
        state.interface.market_order(symbol, side="buy", size=50)
    if seen % 40 == 25:
        state.interface.market_order(symbol, side="sell", size=50)
    if seen % 50 == 0:
        print("seen", seen, flush=True)
    EXTRA

prices = blankly.data.data_reader.PriceReader("PRICES", SYMBOL)
exchange = blankly.KeylessExchange(price_reader=prices)
strategy = blankly.Strategy(exchange)
strategy.add_price_event(on_price, symbol=SYMBOL, resolution="1h")

if __name__ == "__main__":
    if blankly.is_deployed:
        strategy.start()
    else:
        strategy.backtest(initial_values={"USD": 1000}, to="30d")
"""


def until(condition: Callable[[], Any], what: str = "it", seconds: float = PATIENCE) -> Any:
    """Wait for something to be true, and give it back."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about in {seconds:g} s")


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    return until


class House:
    """The services of one data folder, an account in it, and short ways to put runs into it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.services = Services.open(settings)
        account = self.services.accounts.create("ann", email="ann@example.org", owner=True)
        self.who: Principal = principal(account)
        self.ubiops = UbiopsRevisions(
            self.services.store,
            self.services.audit,
            self.services.versions,
            self.services.runs,
            self.services.blobs,
            self.services.uploads,
        )

    def version(self, name: str = "model", kind: str = "strategy") -> Version:
        model = self.services.models.create(self.who, self.who.account_id, name, kind=kind)
        return self.services.versions.create(self.who, model.id, python_version="3.11")

    def deploy(
        self, extra: str = "pass", *, name: str = "model", type: str = "strategy"
    ) -> Version:
        """A version with a strategy; ``extra`` is done at each price."""
        source = STRATEGY.replace("EXTRA", extra).replace("PRICES", "./prices.csv")
        model = Model.build(
            name, source, requirements=list(LIBRARY), python_version="3.11", type=type
        )
        model = Model(name, model.manifest, {**model.files, "prices.csv": PRICES})
        version = self.version(name)
        blob = self.services.blobs.put(model.zip_bytes())
        self.services.versions.add_revision(self.who, version.id, blob)
        return self.services.versions.get(self.who, version.id)

    def run(self, version: Version, kind: str = "backtest", **fields: Any) -> Run:
        prices = {
            symbol: self.services.blobs.put(data)
            for symbol, data in load_prices({"EUR-USD": PRICES}).to_upload().items()
        }
        fields.setdefault("args", SPAN)
        return self.services.runs.create(self.who, kind, version, prices=prices, **fields)

    def upload(self, version: Version, files: dict[str, str]) -> str:
        """A UbiOps package into a version; the id of its revision."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        model = self.services.models.get(self.who, version.model_id)
        with self.services.blobs.stage() as stage:
            stage.write(buffer.getvalue())
            return self.ubiops.upload(self.who, Place(model, version), stage, "package.zip").id

    def now(self, run: Run | str) -> Run:
        return self.services.runs.get(self.who, run if isinstance(run, str) else run.id)

    def await_state(self, run: Run | str, *states: str) -> Run:
        def reached() -> Run | None:
            row = self.now(run)
            return row if row.state in states else None

        return until(reached, f"state {' or '.join(states)}")

    def variable(self, version: Version, name: str, value: str) -> None:
        scope = self.services.variables.scope(self.who, version_id=version.id)
        self.services.variables.create(self.who, scope, name, value, secret=True)

    def folder(self, run: Run) -> Path:
        return self.settings.run_folder(run.id)

    def guard(self, run: Run) -> psutil.Process:
        """The guard of a run that is going on."""

        def found() -> psutil.Process | None:
            try:
                known = json.loads((self.folder(run) / "guard.pid").read_text())
                return psutil.Process(known["pid"])
            except (OSError, ValueError, psutil.Error):
                return None

        return until(found, "a guard")


@pytest.fixture
def place(sqlite_url: str) -> str:
    """The database; a class that is to run on each kind has a ``place`` of its own."""
    return sqlite_url


@pytest.fixture
def settings(tmp_path: Path, place: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", database_url=place)


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    made = House(settings)
    yield made
    end_guards(made.settings.runs_dir)
    made.services.close()


def end_guards(runs: Path) -> None:
    """No process of a test outlives it."""
    for file in runs.glob("**/guard.pid"):
        try:
            guard = psutil.Process(json.loads(file.read_text())["pid"])
            if any(str(file.parent) in part for part in guard.cmdline()):
                guard.terminate()
                guard.wait(30)
        except (psutil.Error, ValueError):
            continue


@pytest.fixture
def worker(house: House) -> Iterator[Callable[..., Worker]]:
    """Starts workers in threads of this process; all end with the test."""
    started: list[tuple[Worker, threading.Thread]] = []

    def start(**options: Any) -> Worker:
        made = Worker(house.services, **{"poll": 0.05, **options})
        thread = threading.Thread(target=made.run)
        thread.start()
        started.append((made, thread))
        return made

    yield start
    for made, thread in started:
        made.stop()
        thread.join(60)


class Process:
    """A worker in its own process, its standard input held open by this one."""

    def __init__(self, settings: Settings) -> None:
        command = [sys.executable, "-m", "deploy_magics.server.workers"]
        command += ["--data-dir", str(settings.data_dir), "--database-url", settings.database]
        self._log = (settings.data_dir / "worker.log").open("ab")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._log, stderr=self._log, env=dict(os.environ)
        )

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def close_input(self) -> int:
        """As if its parent had died."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)

    def terminate(self) -> int:
        self.process.terminate()
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(60)
        self._log.close()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code


@pytest.fixture
def worker_process(house: House) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def start() -> Process:
        started.append(Process(house.settings))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.kill()


@pytest.fixture(scope="session", autouse=True)
def _library() -> None:
    """The real library's environment, made once and cached by content."""
    ensure_environment("3.11", LIBRARY)
