"""Parts of the panel and the notebook, each on its own, over one server with things on it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

UBIOPS = """
from deploy_magics.actions import session
from deploy_magics.actions.login import login
from deploy_magics.platforms.ubiops import UbiopsClient

url, token = session.address(session.chosen())
login(url, platform="ubiops", token=token)
here = UbiopsClient(url, token)
project = here.projects()[0].name
here.create_deployment(project, "echo", input_type="plain", output_type="plain")
for version in ("v1", "v2"):
    here.create_version(project, "echo", version, environment="python3-11")
    sent = here.upload(project, "echo", version, "echo.zip")
    if version == "v1":
        first = sent.revision
        here.upload(project, "echo", version, "echo.zip")
print(first[:8])
"""
ECHO = "class Deployment:\n    def request(self, data):\n        return data\n"


@pytest.fixture
def lab(prepared: Any) -> Any:
    return prepared


def test_results_are_opened_and_compared(page: Page, screen: Any) -> None:
    screen.open()
    screen.choose_backtests()
    screen.button("Open result").click()
    tab = page.locator(".dm-Tab:visible")
    expect(tab.get_by_role("heading", name="Bot")).to_be_visible()
    expect(tab.locator("canvas").first).to_be_visible()
    expect(tab.get_by_role("list", name="Metrics").first).to_contain_text("Return (%)")
    screen.shot("result")

    screen.button("Compare").click()
    expect(tab.get_by_role("heading", name="3 backtests side by side")).to_be_visible()
    expect(tab.locator("canvas").first).to_be_visible()
    expect(tab.get_by_role("columnheader", name="Δ Bot")).to_have_count(2)
    metrics = tab.get_by_role("region", name="Metrics")
    expect(metrics.get_by_role("rowheader", name="Return (%)", exact=True)).to_be_visible()
    # the same magnitudes that %backtests has: 1000 and 2000 at the start, here and on the server
    differs = tab.get_by_role("region", name="What differs")
    expect(differs.get_by_role("row").filter(has_text="where")).to_contain_text("platform")
    expect(differs.get_by_role("row").filter(has_text="initial_values.USD")).to_contain_text("2000")
    screen.shot("compare")


def test_a_result_of_the_server_has_its_orders_on_its_prices(page: Page, screen: Any) -> None:
    screen.open()
    screen.panel.get_by_role("searchbox").fill("backtest succeeded")
    screen.row("Backtest").last.dblclick()
    tab = page.locator(".dm-Tab:visible")
    expect(tab.get_by_role("heading", name="On the server")).to_be_visible()
    tab.locator("summary", has_text="1 order").click()
    expect(tab.get_by_role("cell", name="BTC-USD")).to_be_visible()


def test_ubiops_has_its_own_buttons(page: Page, lab: Any, screen: Any) -> None:
    with zipfile.ZipFile(lab.notebooks / "echo.zip", "w") as package:
        package.writestr("echo/deployment.py", ECHO)
    first = lab.python(UBIOPS).strip()
    screen.open()
    screen.panel.get_by_role("searchbox").fill("ubiops echo")
    screen.select("v1")
    revisions = screen.panel.get_by_role("list", name="Revisions").get_by_role("listitem")
    expect(revisions).to_have_count(2)
    expect(revisions.first).to_contain_text("serves")
    # on UbiOps nothing is started, stopped or rolled back as a version
    assert set(screen.buttons("Selected")) == {"Activity", "Serve again"}
    screen.button(f"Serve revision {first} again").click()
    expect(revisions).to_have_count(3)
    expect(revisions.first).to_contain_text("serves")

    screen.select("v2")
    screen.button("Make default").click()
    expect(screen.row("v2")).to_contain_text("default")
    screen.button("Activity").click()
    expect(page.get_by_role("log")).to_contain_text("echo")
    screen.shot("ubiops")

    screen.panel.get_by_role("searchbox").fill("")
    account = screen.row("127.0.0.1").first
    account.click()
    screen.button("Sign out").click()
    expect(account).to_have_count(0)


def test_a_cell_is_marked_for_the_model(page: Page, lab: Any, screen: Any) -> None:
    told = "print([sorted(cell.tags) for cell in current().log.cells])"
    name = lab.notebook(
        "marks.ipynb",
        "%load_ext deploy_magics\nfrom deploy_magics.actions.workspace import current",
        "WINDOW = 48",
        told,
    )
    screen.open(name)
    screen.await_kernel()
    window = screen.cell("WINDOW = 48")
    screen.command("notebook:run-all-cells")
    expect(screen.cell("print(").locator(".jp-OutputArea-output")).to_be_visible()
    screen.edge(window)
    mark = page.locator("[data-jp-item-name='deploy-magics-model-tag'] jp-button")
    mark.click()
    expect(window.locator(".dm-CellBadge-model")).to_have_text("model")
    screen.edge(screen.cell("print("))
    page.keyboard.press("Control+Enter")
    expect(screen.cell("print(").locator(".jp-OutputArea-output")).to_contain_text("['model']")
    page.keyboard.press("Control+s")
    saved = await_file(page, lab.notebooks / name, lambda text: '"model"' in text)
    assert json.loads(saved)["cells"][1]["metadata"]["tags"] == ["model"]

    screen.edge(window)
    mark.click()
    expect(window.locator(".dm-CellBadge-model")).to_have_count(0)
    page.keyboard.press("Control+s")
    await_file(page, lab.notebooks / name, lambda text: '"model"' not in text)


def await_file(page: Page, path: Path, fits: Callable[[str], bool]) -> str:
    """The text of a file once it fits; JupyterLab saves in its own time."""
    for _ in range(600):
        text = path.read_text()
        if fits(text):
            return text
        page.wait_for_timeout(100)
    raise AssertionError(path.read_text())


def test_a_backtest_is_stopped_from_the_status_bar(page: Page, lab: Any, screen: Any) -> None:
    slow = lab.bot.replace("WAIT = 0", "WAIT = 0.5")
    strategy = f'%%backtest --name Slow --data "BTC-USD=prices.csv"\n{slow}'
    name = lab.notebook("slow.ipynb", "%load_ext deploy_magics", strategy)
    screen.open(name)
    screen.await_kernel()
    screen.command("notebook:run-all-cells")
    status = page.locator(".dm-Status")
    expect(status.get_by_role("progressbar")).to_be_visible()
    screen.shot("status-bar")
    status.get_by_role("button", name="Stop").click()
    cell = screen.cell("%%backtest")
    expect(cell.locator(".jp-OutputArea")).to_contain_text("RunCancelledError")
    expect(status).to_contain_text("cancelled")
    screen.await_kernel()


def test_commands_are_in_the_palette_and_on_keys(page: Page, lab: Any, screen: Any) -> None:
    screen.open(lab.notebook("keys.ipynb", "x = 1"))
    screen.await_kernel()
    screen.edge(screen.cell("x = 1"))
    page.keyboard.press("Alt+Shift+KeyD")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("%%deploy")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".jp-Notebook")).not_to_contain_text("deploy")
    page.keyboard.press("Alt+Shift+KeyB")
    expect(dialog).to_contain_text("%%backtest")
    dialog.get_by_text("More options").click()
    dialog.get_by_label("Engine", exact=True).select_option("plain")
    dialog.get_by_role("button", name="Insert", exact=True).click()
    expect(screen.cell("x = 1")).to_contain_text("%%backtest --engine plain")
    page.keyboard.press("Control+Shift+KeyC")
    page.locator(".lm-CommandPalette-input").fill("deploy magics")
    palette = page.locator(".lm-CommandPalette-content")
    for label in ("Backtest This Cell…", "Deploy This Cell…", "New Project…", "Refresh Projects"):
        expect(palette.get_by_text(label)).to_be_visible()
    palette.get_by_text("New Project…").click()
    dialog.get_by_role("textbox").fill("By the palette")
    dialog.get_by_role("button", name="Ok").click()
    expect(screen.row("By the palette")).to_have_count(1)


def test_the_launcher_leads_to_the_example_and_the_panel(page: Page, screen: Any) -> None:
    page.goto(screen.lab.address())
    cards = page.locator(".jp-LauncherCard")
    cards.filter(has_text="Projects, Versions, Runs").click()
    expect(screen.panel).to_be_visible()
    cards.filter(has_text="Example Strategy").click()
    expect(screen.cell("def price_event")).to_contain_text("%%backtest")


def test_the_settings_name_the_server(page: Page, lab: Any, screen: Any) -> None:
    lab.write_setting("deploy-magics", "panel", '{"server": "https://deploy.example"}')
    try:
        screen.open()
        screen.row("This machine").first.click()
        screen.button("Sign in to another server").click()
        address = screen.panel.get_by_label("Server address")
        expect(address).to_have_value("https://deploy.example")
        state = json.loads((lab.home / "state" / "embedded.json").read_text())
        address.fill(state["url"])
        screen.panel.get_by_label("Token").fill("not-a-token")
        screen.button("Sign in").click()
        expect(screen.panel.get_by_role("alert")).to_contain_text("does not take this token")
    finally:
        lab.write_setting("deploy-magics", "panel", "{}")
