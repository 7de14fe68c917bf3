"""What accounts have uploaded: bytes in the blob store, and who may use them again.

Knowing a digest is not enough: only who sent the bytes may refer to them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from deploy_magics.errors import NotFoundError, ServiceError
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.blobs import Blob, BlobStore, Stage
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import (
    Account,
    Model,
    Project,
    Revision,
    Run,
    RunInput,
    Upload,
    Version,
)

_REFERENCES = (Upload.sha256, Revision.sha256, RunInput.sha256)


class Uploads:
    def __init__(
        self, store: Store, blobs: BlobStore, data_dir: Path, *, quota: int, free_disk: int
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._data_dir = data_dir
        self._quota = quota
        self._free_disk = free_disk

    def check_space(self) -> None:
        """Refuse while there is still room for the database to work. ServiceError 507."""
        if shutil.disk_usage(self._data_dir).free < self._free_disk:
            raise ServiceError("The server's disk is full.", status=507)

    def keep(self, who: Principal, stage: Stage) -> Blob:
        """Store staged bytes and remember whose they are; call it inside ``store.write()``.

        Raises:
            ServiceError: 413 when the account's storage is used up, 507 when the disk is full.
        """
        sha256, size = stage.sha256, stage.size
        with self._store.write() as session:
            account = session.get_one(
                Account, who.account_id, with_for_update=self._store.row_locks
            )
            if session.get(Upload, (who.account_id, sha256)) is None:
                if account.stored + size > self._quota:
                    raise ServiceError("Your storage on this server is used up.", status=413)
                account.stored += size
                session.add(Upload(account_id=who.account_id, sha256=sha256, size=size))
                session.flush()
        if self._blobs.exists(sha256):
            stage.discard()
        else:
            stage.commit()
        return Blob(sha256, size)

    def known(self, who: Principal, sha256: str) -> Blob | None:
        """The blob, when this account has sent it before and it is still here."""
        with self._store.read() as session:
            row = session.get(Upload, (who.account_id, sha256))
        if row is None or not self._blobs.exists(sha256):
            return None
        return Blob(row.sha256, row.size)

    def require(self, who: Principal, sha256: str) -> Blob:
        blob = self.known(who, sha256)
        if blob is None:
            raise NotFoundError("You have not uploaded that file here.", "Send it.", status=404)
        return blob

    def drop(self, names: Collection[str]) -> int:
        """Remove these blobs where nothing refers to them; answers how many there were."""
        removed = 0
        with self._store.write() as session:
            _hold_uploads(session)
            for sha256 in names:
                queries = [
                    select(column).where(column == sha256).limit(1) for column in _REFERENCES
                ]
                if all(session.scalar(query) is None for query in queries):
                    self._blobs.delete(sha256)
                    removed += 1
        return removed

    def release(self, *, older_than: float) -> int:
        """Forget uploads that no version and no run of their account uses any more.

        What they took of the account's storage is free again; answers how many they were.
        """
        versions = (
            select(Revision.id)
            .join(Version, Version.id == Revision.version_id)
            .join(Model, Model.id == Version.model_id)
            .join(Project, Project.id == Model.project_id)
            .where(Project.account_id == Upload.account_id, Revision.sha256 == Upload.sha256)
        )
        runs = (
            select(RunInput.run_id)
            .join(Run, Run.id == RunInput.run_id)
            .where(Run.account_id == Upload.account_id, RunInput.sha256 == Upload.sha256)
        )
        unused = delete(Upload).where(
            Upload.created_at <= time.time() - older_than, ~versions.exists(), ~runs.exists()
        )
        with self._store.write() as session:
            _hold_uploads(session)
            gone = session.execute(unused.returning(Upload.account_id, Upload.size)).all()
            for account_id, size in gone:
                freed = update(Account).where(Account.id == account_id)
                session.execute(freed.values(stored=Account.stored - size))
        return len(gone)

    def sweep(self, *, older_than: float = 600.0) -> int:
        """Remove what no account, revision or run refers to; answers how many blobs and files.

        Rows go first, files after: a crash in between leaves files for the next sweep, never a
        row without its file.
        """
        self.release(older_than=older_than)
        with self._store.read() as session:
            wanted = {
                sha256
                for column in _REFERENCES
                for sha256 in session.scalars(select(column).distinct())
                if sha256 is not None
            }
        limit = time.time() - older_than
        stored = list(self._blobs.names())
        removed = self.drop([n for n, written in stored if n not in wanted and written <= limit])
        return removed + self._blobs.sweep((name for name, _ in stored), older_than=older_than)


def _hold_uploads(session: Session) -> None:
    """Whoever refers to bytes holds its account's row: that is now before this, or after it."""
    session.execute(select(Account.id).order_by(Account.id).with_for_update())
