"""The few pages that people see: signing in, and the owner's first visit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader

_pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)


def render(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_pages.get_template(name).render(**values), status)
