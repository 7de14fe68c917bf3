"""The rules of the service, once: every dialect and the workers speak to these."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import inspect

from deploy_magics.errors import ServiceError
from deploy_magics.server.services.accounts import Accounts
from deploy_magics.server.services.answers import Answers
from deploy_magics.server.services.audit import Audit
from deploy_magics.server.services.deployments import Deployments
from deploy_magics.server.services.models import Models
from deploy_magics.server.services.overview import Overview
from deploy_magics.server.services.projects import Projects
from deploy_magics.server.services.queue import Queue
from deploy_magics.server.services.runfiles import RunFiles
from deploy_magics.server.services.runs import Runs
from deploy_magics.server.services.schedules import Schedules
from deploy_magics.server.services.tokens import Tokens
from deploy_magics.server.services.uploads import Uploads
from deploy_magics.server.services.variables import Variables
from deploy_magics.server.services.versions import Versions
from deploy_magics.server.settings import Settings
from deploy_magics.server.store.blobs import BlobStore
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.keys import Keys
from deploy_magics.server.store.migrate import migrate
from deploy_magics.server.store.tables import Meta

KEY_ID = "key_id"


@dataclass(frozen=True)
class Services:
    """All of them over one store. ``open`` brings the database up to date first."""

    settings: Settings
    store: Store
    blobs: BlobStore
    keys: Keys
    audit: Audit
    accounts: Accounts
    tokens: Tokens
    projects: Projects
    models: Models
    versions: Versions
    uploads: Uploads
    runs: Runs
    queue: Queue
    schedules: Schedules
    variables: Variables
    answers: Answers
    overview: Overview
    deployments: Deployments
    run_files: RunFiles

    @classmethod
    def open(cls, settings: Settings) -> Services:
        """Raises ServiceError: a lost key file, a lost, a newer or a damaged database."""
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.runs_dir.mkdir(exist_ok=True, mode=0o700)
        store = Store(settings.database)
        try:
            remembered = _remembered(store)
            if remembered is None:
                _refuse_a_lost_database(settings)
            keys = Keys.open(settings.keys, expected=remembered)
            migrate(store)
            _remember(store, keys.current)
        except BaseException:
            store.close()
            raise
        return cls._over(settings, store, keys)

    @classmethod
    def _over(cls, settings: Settings, store: Store, keys: Keys) -> Services:
        blobs = BlobStore(settings.blobs, settings.data_dir / "staging")
        audit = Audit(store)
        projects = Projects(store, audit)
        models = Models(store, audit, projects, quota=settings.account_models)
        versions = Versions(store, audit, models)
        runs = Runs(store, audit, quota=settings.account_queue)
        schedules = Schedules(store, runs)
        uploads = Uploads(
            store,
            blobs,
            settings.data_dir,
            quota=settings.account_storage,
            free_disk=settings.free_disk,
        )
        return cls(
            settings=settings,
            store=store,
            blobs=blobs,
            keys=keys,
            audit=audit,
            accounts=Accounts(store),
            tokens=Tokens(store, keys.signing, id_seconds=settings.id_token_seconds),
            projects=projects,
            models=models,
            versions=versions,
            uploads=uploads,
            runs=runs,
            queue=Queue(store),
            schedules=schedules,
            variables=Variables(store, audit, keys, projects, models, versions),
            answers=Answers(store),
            overview=Overview(store),
            deployments=Deployments(store, blobs, models, versions, uploads, runs, schedules),
            run_files=RunFiles(settings),
        )

    def close(self) -> None:
        self.store.close()


def _remembered(store: Store) -> str | None:
    with store.read() as session:
        if not inspect(session.connection()).has_table(Meta.__tablename__):
            return None
        row = session.get(Meta, KEY_ID)
        return row.value if row else None


def _refuse_a_lost_database(settings: Settings) -> None:
    """An empty one must not take the place of one that is only not there for now."""
    folders = (settings.runs_dir, settings.data_dir / "blobs")
    if any(any(folder.iterdir()) for folder in folders if folder.is_dir()):
        place = "of --database-url" if settings.database_url else f"in {settings.data_dir}"
        raise ServiceError(
            f"The database {place} is empty or gone, and there are uploads of an earlier one.",
            "Put the database back from your backup, or choose another --data-dir.",
        )


def _remember(store: Store, key_id: str) -> None:
    with store.write() as session:
        if session.get(Meta, KEY_ID) is None:
            session.add(Meta(name=KEY_ID, value=key_id))
