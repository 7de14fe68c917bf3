"""The whole road as a user goes it for the first time, from a clean profile."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

FIRST_RUN_MS = 240_000


@pytest.mark.timeout(900)
def test_from_a_clean_profile_to_a_model_that_was_rolled_back(
    page: Page, lab: Any, screen: Any
) -> None:
    screen.open()
    expect(screen.panel).to_contain_text("From a cell to a running model")
    screen.axe("#deploy-magics-panel")
    screen.shot("signed-out")

    screen.button("Start the server on this machine").click()
    expect(screen.panel).to_contain_text("Nothing is deployed yet")
    screen.axe("#deploy-magics-panel")
    screen.shot("nothing-deployed")

    create_a_project(screen)
    backtest_by_button(page, screen)
    deploy_by_button(page, screen)
    read_logs(page, screen)
    deploy_again_and_roll_back(page, screen)
    stop_and_start(screen)
    lose_the_server_and_find_it_again(lab, screen)


def create_a_project(screen: Any) -> None:
    screen.button("New project").click()
    form = screen.panel.get_by_role("form", name="New project")
    form.get_by_label("Name").fill("RSI Models")
    form.get_by_label("Description").fill("Bots that follow the trend")
    form.get_by_role("button", name="Create project").click()
    expect(screen.row("RSI Models")).to_have_count(1)
    expect(form).to_have_count(0)


def backtest_by_button(page: Page, screen: Any) -> None:
    screen.button("Open an example notebook").click()
    screen.await_kernel()
    strategy = screen.cell("def price_event")
    screen.edge(strategy)
    screen.command("notebook:run-all-above")
    expect(screen.cell("WINDOW = 48").locator(".jp-InputPrompt")).to_have_text("[3]:")

    screen.toolbar("backtest").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Data", exact=True)).to_have_value("BTC-USD=prices")
    dialog.get_by_label("Initial values", exact=True).fill("USD=5000")
    screen.shot("backtest-dialog")
    dialog.get_by_role("button", name="Backtest now").click()
    expect(strategy).to_contain_text("--initial-values USD=5000")

    # who sees the progress in the status bar and who comes too late sees the end of it
    expect(page.locator(".dm-Status")).to_contain_text("First model")
    screen.shot("backtest-running")
    result = strategy.locator(".dm-Result")
    # the first one on a machine makes the model's environment before
    heading = result.get_by_role("heading", name="First model")
    expect(heading).to_be_visible(timeout=FIRST_RUN_MS)
    expect(result).to_contain_text("5000 USD")
    expect(result.locator("canvas").first).to_be_visible()
    expect(strategy.locator(".dm-CellBadge-shipped")).to_have_count(1)
    expect(screen.cell("WINDOW = 48").locator(".dm-CellBadge-shipped")).to_have_count(1)
    expect(screen.cell("import numpy").locator(".dm-CellBadge-shipped")).to_have_count(0)
    expect(screen.row("Backtests on this machine")).to_have_count(1)
    screen.shot("backtest-result")


def deploy_by_button(page: Page, screen: Any) -> None:
    screen.edge(screen.cell("def price_event"))
    deploy(page, screen, "Follow the trend")
    expect(screen.row("Live run")).to_contain_text("live")
    expect(screen.row("v1")).to_contain_text("Follow the trend")
    expect(screen.tree).to_contain_text("First model")
    screen.shot("live")


def deploy(page: Page, screen: Any, message: str) -> None:
    """The dialog of Deploy, for the model of the active cell."""
    screen.toolbar("deploy").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Message", exact=True).fill(message)
    dialog.get_by_label("Project", exact=True).fill("RSI Models")
    dialog.get_by_label("Pace", exact=True).fill("20")
    expect(dialog.get_by_label("The magic")).to_contain_text("%deploy --message")
    screen.shot("deploy-dialog")
    dialog.get_by_role("button", name="Deploy now").click()


def read_logs(page: Page, screen: Any) -> None:
    screen.select("Live run")
    screen.button("Logs").click()
    log = page.get_by_role("log", name="Logs")
    expect(log).to_contain_text("bought")
    # it is followed: more comes by itself
    expect(log).to_contain_text("sold")
    screen.shot("logs")
    page.get_by_role("tab", name="Untitled.ipynb").click()


def deploy_again_and_roll_back(page: Page, screen: Any) -> None:
    screen.edge(screen.cell('--message "Follow the trend" --project').last)
    deploy(page, screen, "Second thoughts")
    expect(screen.row("v2")).to_contain_text("Second thoughts")
    screen.select("v1")
    screen.button("Roll back to this").click()
    expect(screen.row("v3")).to_have_count(1)
    expect(screen.row("Live run").first).to_contain_text("live")
    # the version that was live before has made room
    expect(screen.panel.get_by_role("region", name="Selected")).to_contain_text("stopped")
    screen.shot("rolled-back")


def stop_and_start(screen: Any) -> None:
    screen.select("Live run")
    expect(screen.panel.get_by_role("heading", name="Live run of First model v3")).to_be_visible()
    screen.button("Stop").click()
    expect(screen.row("Live run").first).to_contain_text("stopped")
    screen.button("Start").click()
    expect(screen.row("Live run").first).to_contain_text("live")


def lose_the_server_and_find_it_again(lab: Any, screen: Any) -> None:
    state = json.loads((lab.home / "state" / "embedded.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)
    expect(screen.panel).to_contain_text("The server on this machine does not answer.")
    expect(screen.row("v3")).to_have_count(1)
    screen.axe("#deploy-magics-panel")
    screen.shot("offline")
    screen.button("Start the server").click()
    expect(screen.panel).not_to_contain_text("does not answer")
    expect(screen.row("v3")).to_have_count(1)
