"""The web application: every dialect over the same services."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline

from deploy_magics import __version__
from deploy_magics.server import problems
from deploy_magics.server.guard import Guard
from deploy_magics.server.services import Services
from deploy_magics.server.settings import Settings

# Where each dialect answers. Its module has router(services); it may have error_body(status,
# message), and extra_routers(services) for what lies outside of its prefix.
DIALECTS: tuple[tuple[str, str], ...] = (
    ("ubiops", "/v2.1"),
    ("ubiops", "/v2"),
    ("justforfund", "/api/v1"),
    ("freqtrade", "/bots/{run_id}/api/v1"),
    ("blankly", ""),
)
SERVICE = "deploy_magics"
DOCS_FILES = "/docs-files"
THREADS = 40


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """The application over ``services``, opened from ``settings`` unless given.

    ``app.state.services`` has them; services that were opened here are closed with the app.
    """
    mine = services is None
    services = services or Services.open(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        app.state.closing = False
        yield
        app.state.closing = True
        if mine:
            app.state.services.close()

    app = FastAPIOffline(
        redoc_url=None,
        static_url=DOCS_FILES,
        title=SERVICE,
        version=__version__,
        description="A deployment server for trading models: Blankly's API and three others.",
        lifespan=lifespan,
    )
    app.state.services = services
    app.state.closing = False
    wording = problems.wording(_include(app, services))
    problems.install(app, wording)
    app.include_router(_health(services))
    app.add_middleware(Guard, settings=settings, wording=wording)
    return app


def _include(app: FastAPI, services: Services) -> dict[str, problems.ErrorBody]:
    """Include every dialect that is there; answers how some of them word their errors."""
    shapes: dict[str, problems.ErrorBody] = {}
    seen: set[str] = set()
    for name, prefix in DIALECTS:
        place = f"deploy_magics.server.dialects.{name}"
        if importlib.util.find_spec(place) is None:
            continue
        module: Any = importlib.import_module(place)
        make: Callable[[Services], APIRouter] = module.router
        app.include_router(make(services), prefix=prefix)
        if hasattr(module, "error_body"):
            shapes[prefix.split("{")[0]] = module.error_body
        if name not in seen:
            for extra in getattr(module, "extra_routers", lambda _: ())(services):
                app.include_router(extra)
        seen.add(name)
    return shapes


def _health(services: Services) -> APIRouter:
    made = APIRouter(tags=["health"])

    @made.get("/health")
    def health() -> dict[str, str]:
        services.store.ping()
        return {"status": "ok", "service": SERVICE, "version": __version__}

    return made
