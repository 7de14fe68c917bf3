"""What accounts have uploaded: bytes in the blob store, and who may use them again.

Knowing a digest is not enough: only who sent the bytes may refer to them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import select

from deploy_magics.errors import NotFoundError, ServiceError
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.store.blobs import Blob, BlobStore, Stage
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account, Revision, RunInput, Upload


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

    def drop(self, names: list[str]) -> None:
        """Remove these blobs where nothing refers to them."""
        with self._store.write() as session:
            for sha256 in names:
                columns = (Upload.sha256, Revision.sha256, RunInput.sha256)
                queries = [select(column).where(column == sha256).limit(1) for column in columns]
                if all(session.scalar(query) is None for query in queries):
                    self._blobs.delete(sha256)

    def sweep(self, *, older_than: float = 600.0) -> int:
        """Remove blobs that no account, revision or run refers to; answers how many."""
        with self._store.read() as session:
            wanted = {
                sha256
                for column in (Upload.sha256, Revision.sha256, RunInput.sha256)
                for sha256 in session.scalars(select(column).distinct())
                if sha256 is not None
            }
        return self._blobs.sweep(wanted, older_than=older_than)
