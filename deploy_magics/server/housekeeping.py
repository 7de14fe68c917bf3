"""What is cleared away now and then: old answers, blobs of nobody, logs past their time."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time

from sqlalchemy import delete, select

from deploy_magics.errors import DeployMagicsError
from deploy_magics.server.services import Services
from deploy_magics.server.services.runs import ENDED
from deploy_magics.server.store.tables import Run

EVERY_SECONDS = 600.0
_log = logging.getLogger("deploy_magics.server")


async def housekeeping(services: Services) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await asyncio.to_thread(clear, services)
        except (DeployMagicsError, OSError) as error:
            _log.warning("Housekeeping: %s", error)


def clear(services: Services) -> None:
    services.answers.prune()
    services.uploads.sweep(older_than=3600.0)
    remove_deleted(services)
    if services.settings.keep_logs_days > 0:
        remove_old(services, services.settings.keep_logs_days * 86_400)


def remove_deleted(services: Services) -> int:
    """The rows and folders of runs that were deleted and have ended; answers how many."""
    query = select(Run.id).where(Run.deleted, Run.state.in_(ENDED))
    with services.store.read() as session:
        ids = list(session.scalars(query))
    for run_id in ids:
        shutil.rmtree(services.settings.run_folder(run_id), ignore_errors=True)
    with services.store.write() as session:
        for start in range(0, len(ids), 500):
            session.execute(delete(Run).where(Run.id.in_(ids[start : start + 500])))
    return len(ids)


def remove_old(services: Services, seconds: float) -> int:
    """The folders (log, events, result) of runs that ended longer ago; their rows stay."""
    query = select(Run.id).where(Run.state.in_(ENDED), Run.ended_at < time.time() - seconds)
    with services.store.read() as session:
        folders = [services.settings.run_folder(run_id) for run_id in session.scalars(query)]
    old = [folder for folder in folders if folder.exists()]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return len(old)
