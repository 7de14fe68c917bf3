"""Revisions of UbiOps versions: each upload, copy or rebuild is a new one with its own build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from deploy_magics.errors import ArchiveError, NotFoundError, RejectedError
from deploy_magics.model.archive import Archive
from deploy_magics.server.services import ubiops_templates
from deploy_magics.server.services.audit import Audit
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.runs import Runs
from deploy_magics.server.services.uploads import Uploads
from deploy_magics.server.services.versions import Versions
from deploy_magics.server.store.blobs import Blob, BlobStore, Stage
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Model, Revision, Version

UPLOAD = "Deployment file upload"
COPY = "Deployment file copy"
TEMPLATE = "Template deployment"
REBUILD = "Rebuild"
EMPTY = "Empty revision"


@dataclass(frozen=True)
class Place:
    """A version together with the model that it belongs to."""

    model: Model
    version: Version


class UbiopsRevisions:
    def __init__(
        self,
        store: Store,
        audit: Audit,
        versions: Versions,
        runs: Runs,
        blobs: BlobStore,
        uploads: Uploads,
    ) -> None:
        self._store = store
        self._audit = audit
        self._versions = versions
        self._runs = runs
        self._blobs = blobs
        self._uploads = uploads

    def upload(self, who: Principal, place: Place, stage: Stage, file_name: str) -> Revision:
        """A new revision of what was received; its build is in the queue.

        Raises:
            RejectedError: it is not a zip, or not one that can be opened safely.
        """
        who.require("deploy")
        try:
            Archive(stage.seal(), roots=("",))
        except ArchiveError as error:
            raise RejectedError(str(error), status=400) from None
        self._uploads.check_space()
        with self._store.write():
            return self._add(who, place, self._uploads.keep(who, stage), UPLOAD, file_name)

    def copy(self, who: Principal, place: Place, source: Place) -> Revision:
        """A new revision with the file of another version's active, else latest, revision."""
        revision_id = source.version.active_revision_id or source.version.latest_revision_id
        if revision_id is None:
            raise RejectedError("The source version has no deployment file", status=400)
        revision = self._versions.revision(who, source.version.id, revision_id)
        return self._again(who, place, revision, COPY)

    def from_template(self, who: Principal, place: Place, template_id: str) -> Revision:
        who.require("deploy")
        template = ubiops_templates.find(template_id)
        blob = self._blobs.put(template.package())
        return self._add(who, place, blob, TEMPLATE, f"{template.name}.zip")

    def empty(self, who: Principal, place: Place) -> Revision:
        """A revision without a file: nothing to build, nothing to run."""
        who.require("deploy")
        with self._store.write():
            row = self._versions.add_revision(who, place.version.id, None, trigger=EMPTY)
            self._record(who, place, f"Created an empty revision for version {place.version.name}")
        return row

    def rebuild(self, who: Principal, place: Place, revision_id: str) -> Revision:
        """The file of that revision as a new one; once built it is the active revision."""
        revision = self._versions.revision(who, place.version.id, revision_id)
        return self._again(who, place, revision, REBUILD)

    def revisions(self, ids: Sequence[str]) -> Sequence[Revision]:
        """Those revisions, of versions that the caller was allowed to see."""
        with self._store.read() as session:
            return session.scalars(select(Revision).where(Revision.id.in_(ids))).all()

    def existing(self, ids: Sequence[str | None]) -> set[str]:
        """Which of these ids of models and versions are still there."""
        with self._store.read() as session:
            models = session.scalars(select(Model.id).where(Model.id.in_(ids)))
            versions = session.scalars(select(Version.id).where(Version.id.in_(ids)))
            return {*models, *versions}

    def file_of(self, revision: Revision) -> Blob:
        """Raises NotFoundError for an empty revision."""
        if revision.sha256 is None:
            raise NotFoundError("This revision has no deployment file", status=404)
        return Blob(revision.sha256, revision.size)

    def _again(self, who: Principal, place: Place, old: Revision, trigger: str) -> Revision:
        who.require("deploy")
        if old.sha256 is None:
            raise RejectedError("The source revision has no deployment file", status=400)
        return self._add(who, place, Blob(old.sha256, old.size), trigger, old.file_name)

    def _add(
        self, who: Principal, place: Place, blob: Blob, trigger: str, file_name: str
    ) -> Revision:
        version, model = place.version, place.model
        with self._store.write():
            row = self._versions.add_revision(
                who, version.id, blob, status="queued", trigger=trigger, file_name=file_name[:255]
            )
            self._runs.create(who, "build", version, revision_id=row.id)
            what = "Rebuilt" if trigger == REBUILD else "Uploaded"
            self._record(who, place, f"{what} file for version {version.name} of {model.name}")
        return row

    def _record(self, who: Principal, place: Place, event: str) -> None:
        version, model = place.version, place.model
        self._audit.record(
            who,
            "info",
            "version",
            version.name,
            event,
            project_id=model.project_id,
            model_id=model.id,
            version_id=version.id,
        )
