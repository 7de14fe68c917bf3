"""A real JupyterLab with the panel, in a clean profile, driven by a real browser."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "deploy_magics" / "labextension"
AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
)
BOT = """
import time

import blankly

WAIT = 0


def price_event(price, symbol, state):
    time.sleep(WAIT)
    if not state.variables.get("bought"):
        state.variables["bought"] = True
        state.interface.market_order(symbol, side="buy", size=1)
        print("bought 1")


strategy = blankly.Strategy(blankly.CoinbasePro())
strategy.add_price_event(price_event, "BTC-USD", resolution="1h")

if __name__ == "__main__":
    if blankly.is_deployed:
        strategy.start()
    else:
        strategy.backtest(to="10d", initial_values={"USD": 1000})
"""
PREPARE = """
from deploy_magics.actions.backtest import backtest
from deploy_magics.actions.deploy import deploy
from deploy_magics.actions.login import login
from deploy_magics.executor.history import RunStore

login()
data = {"BTC-USD": "prices.csv"}
for amount in (1000, 2000):
    backtest("bot.py", name="Bot", data=data, to="10d", initial_values={"USD": amount})
RunStore().flush()
backtest("bot.py", name="Bot", data=data, to="10d", on="platform", message="On the server")
deploy("bot.py", name="Bot", data=data, pace=2, message="First")
"""
# generous: the machine may be busy with other tests
PATIENCE_MS = 90_000
STARTS = 120.0

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Lab:
    """A JupyterLab that runs."""

    url: str
    token: str
    home: Path
    notebooks: Path
    bot = BOT

    def address(self, notebook: str = "") -> str:
        place = f"lab/tree/{notebook}" if notebook else "lab"
        return f"{self.url}{place}?reset&token={self.token}"

    def python(self, program: str) -> str:
        """What a program prints that this user runs in the folder of the notebooks."""
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=clean_environment(self.home),
            cwd=self.notebooks,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def notebook(self, name: str, *cells: str, outputs: Sequence[dict[str, Any]] = ()) -> str:
        """Write a notebook; ``outputs`` are those of its last cell."""
        made: list[dict[str, Any]] = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "source": source,
                "execution_count": None,
                "outputs": [],
            }
            for number, source in enumerate(cells)
        ]
        made[-1]["outputs"] = list(outputs)
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        content = {
            "cells": made,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.notebooks / name).write_text(json.dumps(content))
        return name

    def write_setting(self, extension: str, plugin: str, text: str) -> None:
        folder = self.home / "config" / "lab" / "user-settings" / extension
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(text)


class Screen:
    """The panel and the notebook as a user finds them: by role and name."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.panel = page.get_by_role("region", name="Deploy Magics")
        self.tree = self.panel.get_by_role("tree", name="Projects")

    def open(self, notebook: str = "") -> None:
        """Load JupyterLab, a notebook in it if one is named, and the panel."""
        self.page.goto(self.lab.address(notebook))
        # what opens by itself takes the focus
        self.page.wait_for_function("() => window.jupyterapp?.shell.currentWidget")
        self.page.locator("[data-id='deploy-magics-panel']").click()
        expect(self.panel).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=True)

    def row(self, text: str) -> Locator:
        return self.tree.get_by_role("treeitem").filter(has_text=text)

    def select(self, text: str) -> None:
        self.row(text).first.click()
        expect(self.row(text).first).to_have_attribute("aria-selected", "true")

    def await_kernel(self) -> None:
        """Until the notebook in front has a kernel that is connected and has nothing to do."""
        self.page.wait_for_function(
            """() => {
                const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
                const kernel = context?.session?.kernel;
                return context?.isReady && kernel?.connectionStatus === 'connected'
                    && kernel.status === 'idle';
            }"""
        )

    def command(self, name: str) -> None:
        """Execute one of JupyterLab's commands, without waiting for it."""
        self.page.evaluate("name => void window.jupyterapp.commands.execute(name)", name)

    def cell(self, text: str) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell").filter(has_text=text)

    def edge(self, cell: Locator) -> None:
        """Make a cell the active one."""
        cell.locator(".jp-InputPrompt").first.click()

    def buttons(self, region: str) -> list[str]:
        """What the buttons of a part of the panel say."""
        part = self.panel.get_by_role("region", name=region)
        return part.get_by_role("button").all_inner_texts()

    def choose_backtests(self) -> None:
        """Put the server's backtest and both of this machine into the comparison."""
        search = self.panel.get_by_role("searchbox")
        search.fill("backtest succeeded")
        self.row("Backtest").last.click()
        self.button("Add to comparison").click()
        search.fill("")
        local = self.row("%").filter(has_text="Bot")
        expect(local).to_have_count(2)
        for number in range(2):
            local.nth(number).click()
            self.button("Add to comparison").click()

    def toolbar(self, action: str) -> Locator:
        """Our button of the toolbar above the notebook."""
        return self.page.locator(f"[data-jp-item-name='deploy-magics-{action}'] jp-button")

    def axe(self, *places: str) -> None:
        """Ask axe about parts of the page; it must have nothing to complain about."""
        if not self.page.evaluate("() => typeof window.axe === 'object'"):
            self.page.add_script_tag(path=AXE)
        found = self.page.evaluate(
            """async places => {
                const result = await window.axe.run({ include: places.map(place => [place]) });
                return result.violations.map(each => [
                    each.id, each.help,
                    each.nodes.map(node => `${node.html.slice(0, 200)} ${node.failureSummary}`)
                ]);
            }""",
            list(places),
        )
        assert found == []

    def shot(self, name: str) -> None:
        """Keep a picture, where somebody wants to look at them."""
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab of this test alone."""
    yield from running_lab(tmp_path)


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab for all tests that need no clean profile."""
    yield from running_lab(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def prepared(shared_lab: Lab) -> Lab:
    """There: two backtests on this machine, one on the server, a live run, the same at UbiOps."""
    rows = ["time,open,high,low,close,volume"]
    for hour in range(20 * 24):
        price = 100 + hour % 24
        rows.append(f"{1_600_000_000 + 3600 * hour},{price},{price},{price},{price},1")
    (shared_lab.notebooks / "prices.csv").write_text("\n".join(rows))
    (shared_lab.notebooks / "bot.py").write_text(BOT)
    shared_lab.python(PREPARE)
    return shared_lab


def running_lab(home: Path) -> Iterator[Lab]:
    """JupyterLab with nothing of the user's own: settings, tokens, servers and runs."""
    notebooks = home / "notebooks"
    extensions = home / "labextensions"
    notebooks.mkdir()
    extensions.mkdir()
    assert (BUILT / "package.json").exists(), "Build the panel first: make labextension"
    (extensions / "deploy-magics").symlink_to(BUILT, target_is_directory=True)
    settings = home / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    log = (home / "lab.log").open("wb")
    token = secrets.token_hex(16)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port=0",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={notebooks}",
            "--ServerApp.jpserver_extensions={'deploy_magics.labserver': True}",
            f"--LabApp.extra_labextensions_path={extensions}",
            f"--JupyterNotebookApp.extra_labextensions_path={extensions}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ],
        env=clean_environment(home),
        cwd=notebooks,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Lab(await_server(home, process), token, home, notebooks)
    finally:
        end_embedded(home)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        log.close()


def clean_environment(home: Path) -> dict[str, str]:
    dropped = ("JUPYTER", "JPY_", "IPYTHON", "PYTEST_", "DEPLOY_MAGICS_", "XDG_")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(dropped)
    }
    cache = os.environ.get("DEPLOY_MAGICS_CACHE")
    if cache:  # environments of models are shared by content, and slow to make
        environment["DEPLOY_MAGICS_CACHE"] = cache
    return {
        **environment,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "config" / "lab" / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "DEPLOY_MAGICS_HOME": str(home / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "BROWSER": "true",
    }


def await_server(home: Path, process: subprocess.Popen[bytes]) -> str:
    """The address once it answers."""
    deadline = time.monotonic() + STARTS
    while time.monotonic() < deadline:
        for file in (home / "runtime").glob("jpserver-*.json"):
            try:
                facts = json.loads(file.read_text())
                with urllib.request.urlopen(f"{facts['url']}api", timeout=5):
                    return str(facts["url"])
            except (OSError, ValueError, KeyError):
                pass  # being written, or not up yet
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError((home / "lab.log").read_text(errors="replace")[-3000:])


def end_embedded(home: Path) -> None:
    """End the deployment server that a test has started, with what it runs."""
    subprocess.run(
        [sys.executable, "-c", "from deploy_magics.actions import embedded; embedded.stop()"],
        env=clean_environment(home),
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Per module: as long as it is there, no other event loop runs in this process."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    assert path, "The browser tests need Chromium."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def screen(page: Page, lab: Lab) -> Screen:
    return Screen(page, lab)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a profile of its own; an error that our code throws in it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{error.message}\n{error.stack}"))
    yield page
    context.close()
    ours = [error for error in errors if "extensions/deploy-magics/" in error]
    assert not ours, ours
