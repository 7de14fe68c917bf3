"""Starter models: small ones that run as they are, each a zip of a folder in this package."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from deploy_magics.errors import NotFoundError
from deploy_magics.server.dialects.blankly_call import reading
from deploy_magics.server.services import Services
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.starters import STARTERS, starter_zip


def router(services: Services) -> APIRouter:
    made = APIRouter(tags=["models"])
    reader = reading(services)

    @made.get("/model/starter-models")
    def starters(request: Request, who: Principal = reader) -> list[dict[str, Any]]:
        base = services.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
        return [
            {
                "shortName": starter.name,
                "description": starter.description,
                "url": f"{base}/model/starter-models/{starter.name}",
                "path": "model",
                "exchange": starter.exchange,
                "modelType": starter.kind,
            }
            for starter in STARTERS
        ]

    @made.get("/model/starter-models/{name}", response_class=Response)
    def package(name: str, who: Principal = reader) -> Response:
        if name not in {starter.name for starter in STARTERS}:
            raise NotFoundError("There is no such starter model.", status=404)
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
        return Response(starter_zip(name), media_type="application/zip", headers=headers)

    return made
