"""Blankly's API at ``/``: its documented endpoints, its library's calls, and what we add."""

from __future__ import annotations

from fastapi import APIRouter

from deploy_magics.server.dialects import (
    blankly_account,
    blankly_models,
    blankly_pages,
    blankly_projects,
    blankly_runs,
    blankly_starters,
    blankly_uploads,
    blankly_variables,
    blankly_versions,
)
from deploy_magics.server.services import Services

PARTS = (
    blankly_pages,
    blankly_account,
    blankly_projects,
    blankly_starters,
    blankly_uploads,
    blankly_models,
    blankly_versions,
    blankly_runs,
    blankly_variables,
)


def router(services: Services) -> APIRouter:
    made = APIRouter()
    for part in PARTS:
        made.include_router(part.router(services))
    return made
