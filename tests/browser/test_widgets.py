"""The widgets wherever notebooks are opened: JupyterLab, Notebook 7, and pages without a kernel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import anywidget
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "labextension" / "node_modules"
QUICKSTART = ROOT / "notebooks" / "01_quickstart.ipynb"
FIRST_RUN_MS = 240_000
VIEW = "application/vnd.jupyter.widget-view+json"
RESULT = "application/vnd.deploy-magics.result+json"
PAYLOAD = """
import json
from deploy_magics.executor.history import RunStore
from deploy_magics.widgets.result import payload

store = RunStore()
print(json.dumps(payload(store.get(store.list(model="Bot")[0].id))))
"""
SIDE_BY_SIDE = f"""
from IPython.display import display
from deploy_magics.executor.compare import compare
from deploy_magics.executor.history import RunStore
from deploy_magics.widgets.result import ResultWidget

store = RunStore()
widget = ResultWidget(compare([store.get(run.id) for run in store.list(model="Bot", limit=2)]))
display({{"{VIEW}": widget._repr_mimebundle_()[0]["{VIEW}"]}}, raw=True)
"""
# a notebook that was run, as a page: saved with the state of its widgets, and without
EXPORT = """
import json
import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

cells = [
    "%load_ext deploy_magics",
    "from deploy_magics.executor.history import RunStore\\n"
    "RunStore().get(RunStore().list(model='Bot')[0].id)",
    "%backtests --name Bot --compare --last 2",
    "%deploy_projects",
]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
NotebookClient(notebook, store_widget_state=True).execute()
with_state, _ = HTMLExporter().from_notebook_node(notebook)
del notebook.metadata["widgets"]
without, _ = HTMLExporter().from_notebook_node(notebook)
print(json.dumps([with_state, without]))
"""


@pytest.fixture
def lab(prepared: Any) -> Any:
    return prepared


def saved(lab: Any) -> list[dict[str, Any]]:
    """The output of a cell that has shown a backtest, as the file keeps it."""
    data = {RESULT: json.loads(lab.python(PAYLOAD)), "text/html": "static"}
    return [{"output_type": "display_data", "metadata": {}, "data": data}]


def test_the_widget_draws_without_the_panel(page: Page, lab: Any, screen: Any) -> None:
    """By anywidget, as where the panel is not installed."""
    screen.open(lab.notebook("widget.ipynb", SIDE_BY_SIDE))
    screen.await_kernel()
    screen.command("notebook:run-all-cells")
    expect(page.get_by_role("heading", name="backtests side by side")).to_be_visible()
    expect(page.locator(".jp-OutputArea .dm-Result canvas").first).to_be_visible()
    expect(page.locator(".dm-Output")).to_have_count(0)


def test_a_saved_result_is_drawn_without_a_kernel(page: Page, lab: Any, screen: Any) -> None:
    screen.open(lab.notebook("saved.ipynb", "1", outputs=saved(lab)))
    expect(page.locator(".dm-Output").get_by_role("heading", name="Bot")).to_be_visible()
    expect(page.locator(".dm-Output canvas").first).to_be_visible()


def test_notebook_7_has_the_buttons_and_draws_results(page: Page, lab: Any, screen: Any) -> None:
    name = lab.notebook("seven.ipynb", "x = 1", outputs=saved(lab))
    page.goto(f"{lab.url}notebooks/{name}?token={lab.token}")
    expect(page.locator(".dm-Output canvas").first).to_be_visible()
    screen.toolbar("backtest").click()
    expect(page.get_by_role("dialog")).to_contain_text("%%backtest")


@pytest.mark.timeout(600)
def test_the_quickstart_works_in_notebook_7(page: Page, lab: Any, screen: Any) -> None:
    shutil.copytree(QUICKSTART.parent / "data", lab.notebooks / "data", dirs_exist_ok=True)
    shutil.copy(QUICKSTART, lab.notebooks / "quickstart.ipynb")
    page.goto(f"{lab.url}notebooks/quickstart.ipynb?token={lab.token}")
    screen.await_kernel()
    # what the file has saved is not what is looked for
    screen.command("notebook:clear-all-cell-outputs")
    expect(page.locator(".jp-OutputArea-output")).to_have_count(0)
    screen.command("notebook:run-all-cells")
    result = screen.cell("%%backtest").locator(".dm-Result")
    expect(result.locator("canvas").first).to_be_visible(timeout=FIRST_RUN_MS)
    run = screen.cell("%deploy --message").locator(".jp-OutputArea")
    expect(run).to_contain_text("running")
    run.get_by_role("button", name="Stop").click()
    expect(run).to_contain_text("cancelled")
    expect(run.get_by_role("button", name="Start")).to_be_visible()
    expect(run.get_by_role("button", name="Stop")).to_have_count(0)
    expect(screen.cell("%deploy_versions").locator(".jp-OutputArea")).to_contain_text("First try")
    screen.shot("notebook-7")


@pytest.fixture(scope="module")
def exported(prepared: Any) -> tuple[str, str]:
    with_state, without = json.loads(prepared.python(EXPORT))
    return with_state, without


def test_a_page_of_a_saved_notebook_has_its_widgets(page: Page, exported: tuple[str, str]) -> None:
    """By the stock widget manager and anywidget's own module, as VS Code and nbviewer do."""
    asked: list[str] = []

    def bundled(route: Route) -> None:
        """What such pages fetch from a public network, from the packages themselves."""
        asked.append(route.request.url)
        known = {
            "/require.min.js": NODE_MODULES / "requirejs" / "require.js",
            "/embed-amd.js": NODE_MODULES / "@jupyter-widgets/html-manager/dist/embed-amd.js",
            "/index.js": Path(anywidget.__file__).parent / "nbextension" / "index.js",
        }
        path = next((known[end] for end in known if route.request.url.endswith(end)), None)
        if route.request.url == "http://page.example/":
            route.fulfill(body=exported[0], content_type="text/html")
        elif path is None:
            route.fulfill(status=404)
        else:
            route.fulfill(path=path, content_type="text/javascript")

    page.route("**/*", bundled)
    page.goto("http://page.example/")
    results = page.locator(".dm-Result")
    expect(results).to_have_count(2)
    expect(results.first.get_by_role("heading", name="Bot")).to_be_visible()
    expect(results.first.locator("canvas").first).to_be_visible()
    expect(results.last.get_by_role("heading", name="backtests side by side")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Δ Bot")).to_have_count(1)
    expect(page.get_by_role("button", name="Refresh")).to_be_visible()
    assert any("anywidget" in url for url in asked)


def test_a_page_without_scripts_keeps_picture_and_table(
    browser: Any, exported: tuple[str, str]
) -> None:
    """As JupyterLab saves notebooks unless told otherwise: without the state of widgets."""
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.route("**/*", lambda route: route.fulfill(body=exported[1], content_type="text/html"))
        page.goto("http://page.example/")
        pictures = page.locator("img[src^='data:image/png']")
        expect(pictures).to_have_count(2)
        assert pictures.first.evaluate("picture => picture.naturalWidth > 300")
        expect(page.get_by_role("cell", name="Return (%)").first).to_be_visible()
        expect(page.get_by_role("columnheader", name="Δ Bot")).to_have_count(1)
    finally:
        context.close()
