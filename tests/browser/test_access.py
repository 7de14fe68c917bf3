"""The panel for everybody: by keyboard, for screen readers, in both themes, in every state."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

THEMES = ["JupyterLab Light", "JupyterLab Dark"]
WELCOME: dict[str, Any] = {"accounts": [], "local": []}
LOCAL = [{"id": "l", "model": "RSI", "createdAt": 1.6e9, "description": "", "summary": "+3.12 %"}]


@pytest.fixture
def lab(prepared: Any) -> Any:
    return prepared


def run(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"r{number}",
        "kind": "live",
        "state": "running",
        "createdAt": 1.6e9,
        "startedAt": 1.6e9,
        "endedAt": None,
        "description": "",
        "error": None,
        "progress": None,
        "restarts": 0,
        "nextTry": None,
        "real": False,
        "facts": [["holds", "3 BTC"]],
        "steps": ["logs", "stop"],
        **changes,
    }


def model(number: int, *runs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    version = {
        "id": f"v{number}",
        "number": 1,
        "name": "v1",
        "description": "First",
        "createdAt": 1.6e9,
        "plan": "nano",
        "state": None,
        "status": "",
        "default": False,
        "revision": "",
        "steps": ["run", "rollback"],
        "runs": list(runs),
        **changes,
    }
    name = f"Model {number}"
    return {"id": f"m{number}", "name": name, "description": "Buys low", "versions": [version]}


def account(state: str, *models: dict[str, Any], **changes: Any) -> dict[str, Any]:
    project = {"id": "p", "name": "Bots", "description": "Mine", "models": list(models)}
    return {
        "id": "embedded",
        "platform": "blankly",
        "server": "http://127.0.0.1:8800",
        "embedded": True,
        "user": "",
        "state": state,
        "error": None,
        "steps": ["create-project"],
        "projects": [project],
        **changes,
    }


def elsewhere(name: str, state: str, *models: dict[str, Any], **changes: Any) -> dict[str, Any]:
    server = f"https://{name}.example"
    return account(state, *models, id=name, server=server, embedded=False, **changes)


FELL = run(1, state="queued", restarts=3, error="The exchange did not answer", nextTry=4e9)
BROKE = run(2, kind="backtest", state="failed", endedAt=1.6e9, error="ZeroDivisionError in line 12")
ON_UBIOPS = model(
    4, status="available", state="succeeded", steps=["revisions", "activity", "make-default"]
)
REVISION = {
    "id": "x",
    "name": "aaaaaaaa",
    "state": "failed",
    "status": "failed",
    "serves": False,
    "createdAt": 1.6e9,
    "by": "me",
    "error": "No module named 'talib'",
    "steps": ["activate"],
}
# what the server says, the row to select, a text that shows the state
STATES: dict[str, tuple[dict[str, Any], str, str]] = {
    "welcome": (WELCOME, "", "From a cell to a running model"),
    "backtests and no server": ({**WELCOME, "local": LOCAL}, "RSI", "Deploy one of them"),
    "nothing deployed": ({**WELCOME, "accounts": [account("online")]}, "", "Nothing is deployed"),
    "a run that fell": (
        {**WELCOME, "accounts": [account("online", model(1, FELL))]},
        "Live run",
        "Last error: The exchange did not answer",
    ),
    "a backtest that failed": (
        {**WELCOME, "accounts": [account("online", model(2, BROKE))]},
        "Backtest",
        "ZeroDivisionError",
    ),
    "offline, signed out": (
        {
            "accounts": [
                account("offline", model(1, run(1, real=True))),
                elsewhere("team", "offline"),
                elsewhere("revoked", "signed-out"),
            ],
            "local": LOCAL,
        },
        "Live run",
        "does not take its token any more",
    ),
    "ubiops": (
        {**WELCOME, "accounts": [elsewhere("ubiops", "online", ON_UBIOPS, platform="ubiops")]},
        "v1",
        "No module named",
    ),
}


class Answers:
    """What the panel is told instead of what the server extension would say."""

    def __init__(self, page: Page) -> None:
        self.now: dict[str, Any] | int = WELCOME
        page.route("**/deploy-magics/overview*", self._answer)
        page.route("**/deploy-magics/versions/*/revisions*", lambda r: r.fulfill(json=[REVISION]))

    def _answer(self, route: Route) -> None:
        if isinstance(self.now, int):
            route.fulfill(status=self.now, body="")
        else:
            route.fulfill(json=self.now)


@pytest.fixture
def answers(page: Page) -> Answers:
    return Answers(page)


def set_theme(lab: Any, theme: str) -> None:
    lab.write_setting("@jupyterlab/apputils-extension", "themes", json.dumps({"theme": theme}))


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_any_state_of_the_panel(
    page: Page, lab: Any, screen: Any, answers: Answers, theme: str
) -> None:
    set_theme(lab, theme)
    shown = theme.split()[-1].lower()
    answers.now = 404
    screen.open()
    expect(screen.panel.get_by_role("alert")).to_contain_text("server extension")
    screen.axe("#deploy-magics-panel")
    for name, (answer, row, text) in STATES.items():
        answers.now = answer
        screen.command("deploy-magics:refresh")
        if row:
            screen.select(row)
        expect(screen.panel).to_contain_text(text)
        screen.axe("#deploy-magics-panel")
        screen.shot(f"state-{name.replace(' ', '-')}-{shown}")
        if name == "welcome":
            screen.button("Sign in to another server").click()
            screen.axe("#deploy-magics-panel")
    screen.row("ubiops").first.click()
    screen.button("Sign in to another server").click()
    screen.axe("#deploy-magics-panel")


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_tabs_and_dialogs(
    page: Page, lab: Any, screen: Any, theme: str
) -> None:
    set_theme(lab, theme)
    shown = theme.split()[-1].lower()
    screen.open(lab.notebook("axe.ipynb", "x = 1"))
    screen.await_kernel()
    screen.select("Live run")
    screen.button("Logs").click()
    expect(page.get_by_role("log")).to_contain_text("bought 1")
    screen.axe("#deploy-magics-panel", ".dm-Logs")
    screen.button("New project").click()
    screen.axe("#deploy-magics-panel")
    page.keyboard.press("Escape")
    screen.choose_backtests()
    screen.button("Open result").click()
    expect(page.locator(".dm-Tab:visible canvas").first).to_be_visible()
    screen.axe(".dm-Tab:has(.dm-Chart)")
    screen.shot(f"result-{shown}")
    screen.button("Compare").click()
    legend = page.locator(".dm-Tab:visible").get_by_role("list", name="Curves")
    expect(legend.get_by_role("listitem")).to_have_count(3)
    screen.axe(".dm-Tab:has(.dm-Legend)", "#deploy-magics-panel")
    screen.shot(f"compare-{shown}")
    page.get_by_role("tab", name="axe.ipynb").click()
    for action in ("backtest", "deploy"):
        screen.edge(screen.cell("x = 1"))
        screen.toolbar(action).click()
        expect(page.get_by_role("dialog")).to_contain_text(f"%%{action}")
        screen.axe(".dm-OptionsForm")
        screen.shot(f"dialog-{action}-{shown}")
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_panel_is_walked_by_keyboard(page: Page, screen: Any, answers: Answers) -> None:
    models = model(1, run(1)), model(2, run(2))
    answers.now = {"accounts": [account("online", *models)], "local": []}
    screen.open()
    search = screen.panel.get_by_role("searchbox")
    search.focus()
    for _ in ("New project", "Refresh", "the tree"):
        page.keyboard.press("Tab")
    focused = screen.tree.locator(":focus")
    expect(focused).to_have_attribute("aria-level", "1")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    expect(focused).to_contain_text("Live run")
    expect(focused).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-level", "4")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("End")
    expect(focused).to_contain_text("Live run")
    expect(screen.panel.get_by_role("heading", name="Live run of Model 2 v1")).to_be_visible()
    page.keyboard.press("Tab")
    expect(screen.button("Logs")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Home")
    expect(focused).to_contain_text("This machine")
    # a form takes the focus, and gives it back
    screen.button("New project").focus()
    page.keyboard.press("Enter")
    form = screen.panel.get_by_role("form", name="New project")
    expect(form.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(screen.button("New project")).to_be_focused()


def test_a_run_is_opened_by_enter(page: Page, screen: Any) -> None:
    screen.open()
    screen.select("Live run")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("bought 1")
    # the tab is where the keyboard goes on
    expect(page.locator(".dm-Logs:focus, .dm-Logs :focus")).to_have_count(1)


def test_a_thousand_models_are_no_burden(page: Page, screen: Any, answers: Answers) -> None:
    models = [model(number, run(number)) for number in range(1000)]
    answers.now = {"accounts": [account("online", *models)], "local": []}
    screen.open()
    rows = screen.tree.get_by_role("treeitem")
    expect(screen.row("Model 0")).to_have_attribute("aria-setsize", "1000")
    assert rows.count() < 200
    screen.row("Model 0").click()
    page.keyboard.press("End")
    expect(screen.tree.locator(":focus")).to_contain_text("Model 999")
    expect(screen.row("Model 998")).to_be_visible()
    screen.panel.get_by_role("searchbox").press_sequentially("model 512")
    expect(rows).to_have_count(5)
    expect(screen.row("Live run")).to_be_visible()


def test_loading_says_so(page: Page, screen: Any) -> None:
    held: list[Route] = []
    page.route("**/deploy-magics/overview*", lambda route: held.append(route))
    screen.open()
    expect(screen.panel.get_by_role("status")).to_contain_text("Looking for your projects")
    screen.axe("#deploy-magics-panel")
    deadline = time.monotonic() + 60
    while not held and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    held[0].fulfill(json=WELCOME)
    expect(screen.panel).to_contain_text("From a cell to a running model")
