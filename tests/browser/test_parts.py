"""Parts of the panel and the notebook, each on its own, over one server with things on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

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
PAYLOAD = """
import json
from deploy_magics.actions.payload import result_payload
from deploy_magics.executor.history import RunStore

store = RunStore()
print(json.dumps(result_payload(store.get(store.list(model="Bot")[0].id))))
"""


@pytest.fixture(scope="module")
def prepared(shared_lab: Any) -> Any:
    """Two backtests on this machine, one on the server, and a live run."""
    rows = ["time,open,high,low,close,volume"]
    for hour in range(20 * 24):
        price = 100 + hour % 24
        rows.append(f"{1_600_000_000 + 3600 * hour},{price},{price},{price},{price},1")
    (shared_lab.notebooks / "prices.csv").write_text("\n".join(rows))
    (shared_lab.notebooks / "bot.py").write_text(BOT)
    shared_lab.python(PREPARE)
    return shared_lab


@pytest.fixture
def lab(prepared: Any) -> Any:
    return prepared


def notebook(lab: Any, name: str, *cells: str, outputs: list[dict[str, Any]] | None = None) -> str:
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
    made[-1]["outputs"] = outputs or []
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    content = {
        "cells": made,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab.notebooks / name).write_text(json.dumps(content))
    return name


def test_results_are_opened_and_compared(page: Page, screen: Any) -> None:
    screen.open()
    local = screen.row("%").filter(has_text="Bot")
    expect(local).to_have_count(2)
    for number in range(2):
        local.nth(number).click()
        screen.button("Add to comparison").click()
    screen.button("Open result").click()
    tab = page.locator(".dm-Tab:visible")
    expect(tab.get_by_role("heading", name="Bot")).to_be_visible()
    expect(tab.locator("canvas").first).to_be_visible()
    expect(tab.get_by_role("list", name="Metrics").first).to_contain_text("Return (%)")
    screen.shot("result")

    screen.button("Compare").click()
    expect(tab.get_by_role("heading", name="2 backtests side by side")).to_be_visible()
    expect(tab.get_by_role("columnheader", name="1. Bot")).to_be_visible()
    expect(tab.get_by_role("columnheader", name="2. Bot")).to_be_visible()
    expect(tab.get_by_role("rowheader", name="Return (%)", exact=True)).to_be_visible()
    screen.shot("compare")


def test_a_result_of_the_server_has_its_orders_on_its_prices(page: Page, screen: Any) -> None:
    screen.open()
    screen.panel.get_by_role("searchbox").fill("backtest succeeded")
    screen.row("Backtest").last.dblclick()
    tab = page.locator(".dm-Tab:visible")
    expect(tab.get_by_role("heading", name="On the server")).to_be_visible()
    tab.locator("summary", has_text="1 order").click()
    expect(tab.get_by_role("cell", name="BTC-USD")).to_be_visible()


def test_a_cell_is_marked_for_the_model(page: Page, lab: Any, screen: Any) -> None:
    told = "print([sorted(cell.tags) for cell in current().log.cells])"
    name = notebook(
        lab,
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
    slow = BOT.replace("WAIT = 0", "WAIT = 0.5")
    strategy = f'%%backtest --name Slow --data "BTC-USD=prices.csv"\n{slow}'
    name = notebook(lab, "slow.ipynb", "%load_ext deploy_magics", strategy)
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


def test_the_widget_draws_without_the_panel(page: Page, lab: Any, screen: Any) -> None:
    """By anywidget, as in Notebook and VS Code."""
    view = "application/vnd.jupyter.widget-view+json"
    show = f"""
from IPython.display import display
from deploy_magics.executor.history import RunStore
from deploy_magics.widgets.result import ResultWidget

store = RunStore()
widget = ResultWidget(*[store.get(run.id) for run in store.list(model="Bot", limit=2)])
display({{"{view}": widget._repr_mimebundle_()[0]["{view}"]}}, raw=True)
"""
    screen.open(notebook(lab, "widget.ipynb", show))
    screen.await_kernel()
    screen.command("notebook:run-all-cells")
    expect(page.get_by_role("heading", name="backtests side by side")).to_be_visible()
    expect(page.locator(".jp-OutputArea .dm-Result canvas").first).to_be_visible()
    expect(page.locator(".dm-Output")).to_have_count(0)


def test_a_saved_result_is_drawn_without_a_kernel(page: Page, lab: Any, screen: Any) -> None:
    result = {"results": [json.loads(lab.python(PAYLOAD))]}
    data = {"application/vnd.deploy-magics.result+json": result, "text/html": "static"}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    screen.open(notebook(lab, "saved.ipynb", "1", outputs=[output]))
    expect(page.locator(".dm-Output").get_by_role("heading", name="Bot")).to_be_visible()
    expect(page.locator(".dm-Output canvas").first).to_be_visible()


def test_notebook_7_has_the_buttons_and_draws_results(page: Page, lab: Any, screen: Any) -> None:
    result = {"results": [json.loads(lab.python(PAYLOAD))]}
    data = {"application/vnd.deploy-magics.result+json": result}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    name = notebook(lab, "seven.ipynb", "x = 1", outputs=[output])
    page.goto(f"{lab.url}notebooks/{name}?token={lab.token}")
    expect(page.locator(".dm-Output canvas").first).to_be_visible()
    screen.toolbar("backtest").click()
    expect(page.get_by_role("dialog")).to_contain_text("%%backtest")


def test_commands_are_in_the_palette_and_on_keys(page: Page, lab: Any, screen: Any) -> None:
    screen.open(notebook(lab, "keys.ipynb", "x = 1"))
    screen.await_kernel()
    screen.edge(screen.cell("x = 1"))
    page.keyboard.press("Alt+Shift+KeyB")
    dialog = page.get_by_role("dialog")
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


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_axe_finds_nothing_to_complain_about(page: Page, lab: Any, screen: Any, theme: str) -> None:
    lab.write_setting("@jupyterlab/apputils-extension", "themes", json.dumps({"theme": theme}))
    screen.open(notebook(lab, "axe.ipynb", "x = 1"))
    screen.await_kernel()
    screen.select("Live run")
    screen.button("Logs").click()
    expect(page.get_by_role("log")).to_contain_text("bought 1")
    screen.axe("#deploy-magics-panel", ".dm-Logs")
    screen.row("%").filter(has_text="Bot").first.dblclick()
    expect(page.locator(".dm-Tab:visible canvas").first).to_be_visible()
    screen.axe(".dm-Tab:has(.dm-Chart)")
    screen.shot(f"axe-{theme.split()[-1].lower()}")
    screen.row("This machine").first.click()
    screen.button("Sign in to another server").click()
    screen.button("New project").click()
    screen.axe("#deploy-magics-panel")
    page.get_by_role("tab", name="axe.ipynb").click()
    screen.edge(screen.cell("x = 1"))
    screen.toolbar("backtest").click()
    expect(page.get_by_role("dialog")).to_contain_text("%%backtest")
    screen.axe(".dm-OptionsForm")
    screen.shot(f"dialog-{theme.split()[-1].lower()}")
