"""From an upload to a version and its run: one transaction, or nothing at all."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from deploy_magics.errors import ConflictError, RejectedError
from deploy_magics.model.manifest import Manifest
from deploy_magics.server.services.models import Models
from deploy_magics.server.services.orders import Order, Outcome, check_prices, default_feed
from deploy_magics.server.services.packages import inspect_package
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.runs import Runs
from deploy_magics.server.services.schedules import Schedules
from deploy_magics.server.services.uploads import Uploads
from deploy_magics.server.services.versions import Versions, python_version
from deploy_magics.server.store.blobs import Blob, BlobStore
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account, Model, Run, RunInput, Version


class Deployments:
    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        models: Models,
        versions: Versions,
        uploads: Uploads,
        runs: Runs,
        schedules: Schedules,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._models = models
        self._versions = versions
        self._uploads = uploads
        self._runs = runs
        self._schedules = schedules

    def inspect(self, who: Principal, order: Order) -> Manifest:
        """Everything that can be checked before the transaction; slow, on sealed files."""
        who.require("trade" if order.live else "deploy")
        self._uploads.check_space()
        for symbol, stage in order.prices.items():
            check_prices(symbol, stage)
        if order.package is not None:
            return inspect_package(order.package.seal())
        if order.sha256 is None:
            raise RejectedError("The file part 'model' is missing.", status=400)
        return inspect_package(self._blobs.path(self._uploads.require(who, order.sha256).sha256))

    def deploy(self, who: Principal, order: Order, manifest: Manifest) -> Outcome:
        """A new version, and its live run; for a screener, its schedule."""
        with self._store.write():
            model, version = self._add_version(who, order, manifest)
            prices = self._keep_prices(who, order)
            feed = None if order.live else order.feed or default_feed(prices)
            if model.kind != "screener":
                run = self._runs.create(
                    who,
                    "live",
                    version,
                    args=order.args,
                    feed=feed,
                    live=order.live,
                    description=order.message,
                    prices=prices,
                )
                return Outcome(model, version, run)
            cron = order.schedule or manifest.schedule
            if cron is None:
                raise RejectedError(
                    "A screener needs a schedule.", "Give one such as '30 14 * * 1-5'.", status=400
                )
            template = {"args": order.args or {}, "feed": feed, "live": order.live}
            template["prices"] = {symbol: list(blob) for symbol, blob in prices.items()}
            self._schedules.set(who, version, cron, template=template)
        return Outcome(model, version, None)

    def backtest(self, who: Principal, order: Order, manifest: Manifest) -> Outcome:
        """A new version and a backtest of it; ``args`` default to the manifest's."""
        with self._store.write():
            model, version = self._add_version(who, order, manifest)
            run = self._runs.create(
                who,
                "backtest",
                version,
                args=dict(manifest.backtest_args) if order.args is None else order.args,
                description=order.message,
                prices=self._keep_prices(who, order),
            )
        return Outcome(model, version, run)

    def backtest_again(
        self, who: Principal, version_id: str, args: dict[str, Any], message: str = ""
    ) -> Outcome:
        """Backtest a version that is there, on the prices of its earlier runs."""
        with self._store.write():
            version = self._versions.get(who, version_id)
            model = self._models.get(who, version.model_id)
            prices = self._earlier_prices(version)
            run = self._runs.create(
                who, "backtest", version, args=args, description=message, prices=prices
            )
        return Outcome(model, version, run)

    def run(
        self,
        who: Principal,
        version_id: str,
        *,
        feed: dict[str, Any] | None = None,
        live: bool = False,
        plan: str | None = None,
    ) -> Run:
        """Run a version that is there; feed and prices as in its last live run unless given.

        A screener screens once, now.
        """
        with self._store.write():
            version = self._versions.get(who, version_id)
            kind = (
                "screen" if self._models.get(who, version.model_id).kind == "screener" else "live"
            )
            before = self._last_live(version)
            prices = self._earlier_prices(version)
            if not live:
                feed = feed or (before.feed if before else None) or default_feed(prices)
            return self._runs.create(
                who,
                kind,
                version,
                args=before.args if before else None,
                feed=None if live else feed,
                live=live,
                plan=plan,
                prices=prices,
            )

    def rollback(self, who: Principal, version_id: str, message: str | None = None) -> Outcome:
        """A new version that equals an old one, running as that one last did."""
        with self._store.write():
            old = self._versions.get(who, version_id)
            model = self._models.get(who, old.model_id)
            revision = self._versions.active_revision(old)
            if revision is None or revision.sha256 is None:
                raise ConflictError("That version has no uploaded zip.", status=409)
            new = self._versions.create(
                who,
                model.id,
                description=message or f"Rollback to version {old.number}",
                labels=old.labels,
                settings=old.settings,
                plan=old.plan,
                python_version=old.python_version,
                rollback_of=old.id,
            )
            blob = Blob(revision.sha256, revision.size)
            self._versions.add_revision(
                who, new.id, blob, trigger="rollback", file_name=revision.file_name
            )
            new = self._versions.get(who, new.id)
            if model.kind == "screener":
                self._schedules.move(model.id, new.id)
                return Outcome(model, new, None)
            before = self._last_live(old)
            prices = self._earlier_prices(old)
            live = bool(before and before.live)
            run = self._runs.create(
                who,
                "live",
                new,
                args=before.args if before else None,
                feed=(before.feed if before else None) or (None if live else default_feed(prices)),
                live=live,
                description=new.description,
                prices=prices,
            )
        return Outcome(model, new, run)

    def clean(self, order: Order) -> None:
        """After a failure: what was stored for it and belongs to nobody goes away again."""
        stages = [*order.prices.values(), *([order.package] if order.package else [])]
        self._uploads.drop([stage.sha256 for stage in stages])

    def _add_version(
        self, who: Principal, order: Order, manifest: Manifest
    ) -> tuple[Model, Version]:
        with self._store.write() as session:
            # of two that bring a new name at once, the second finds the first's model
            session.get(Account, who.account_id, with_for_update=self._store.row_locks)
        model = self._model(who, order, manifest)
        version = self._versions.create(
            who,
            model.id,
            description=order.message,
            plan=order.plan or manifest.plan,
            python_version=python_version(order.python or manifest.python_version),
        )
        if order.package is not None:
            blob = self._uploads.keep(who, order.package)
        else:
            blob = self._uploads.require(who, order.sha256 or "")
        self._versions.add_revision(who, version.id, blob)
        return model, version

    def _model(self, who: Principal, order: Order, manifest: Manifest) -> Model:
        if order.model_id is not None:
            # the library's client names the personal project whatever project the model lies in
            anywhere = order.project_id == who.account_id
            model = self._models.get(
                who, order.model_id, project_id=None if anywhere else order.project_id
            )
        else:
            name = order.name or manifest.model_name
            if name is None:
                raise RejectedError("Give the model's name, or its modelId.", status=400)
            found = self._models.find(who, order.project_id, name)
            if found is None or order.create_new:
                return self._models.create(
                    who,
                    order.project_id,
                    name,
                    kind=order.kind or manifest.type,
                    description=order.description or "",
                )
            model = found
        if order.description and order.description != model.description:
            return self._models.update(who, model.id, description=order.description)
        return model

    def _keep_prices(self, who: Principal, order: Order) -> dict[str, Blob]:
        return {symbol: self._uploads.keep(who, stage) for symbol, stage in order.prices.items()}

    def _earlier_prices(self, version: Version) -> dict[str, Blob]:
        newest = (
            select(Run.id)
            .join(RunInput, RunInput.run_id == Run.id)
            .where(Run.version_id == version.id)
            .order_by(Run.created_at.desc())
            .limit(1)
        )
        with self._store.read() as session:
            run_id = session.scalar(newest)
        if run_id is None:
            return {}
        return {row.symbol: Blob(row.sha256, row.size) for row in self._runs.inputs(run_id)}

    def _last_live(self, version: Version) -> Run | None:
        query = select(Run).where(Run.version_id == version.id, Run.kind == "live")
        with self._store.read() as session:
            return session.scalars(query.order_by(Run.created_at.desc()).limit(1)).first()
