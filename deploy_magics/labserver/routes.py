"""The routes of the panel, below ``/deploy-magics``: each calls one action."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

from jupyter_server.utils import url_path_join
from tornado.web import Application, HTTPError, authenticated

from ..actions.login import Platform, login, logout
from ..actions.overview import Overviews
from ..actions.overview_shape import run_shape
from ..actions.payload import local_payload, local_runs, remote_payload
from ..actions.payload_compare import compared_payload
from ..actions.session import EMBEDDED
from .handler import THREADS, ActionHandler
from .offered import offered

LONGEST_WAIT = 5.0  # seconds that a question about logs stays open; Jupyter ends no sooner


class Overview(ActionHandler):
    @authenticated
    async def get(self) -> None:
        await self.answer(lambda: {"accounts": self.overviews.all(), "local": local_runs()})


class Accounts(ActionHandler):
    @authenticated
    async def post(self) -> None:
        """Sign in; without an address, to the server on this machine."""
        server, token = self.field("server", ""), self.field("token", "")
        platform = self.field("platform", "blankly")
        if platform not in get_args(Platform):
            raise HTTPError(400, f"There is no platform {platform!r}.")

        here = EMBEDDED if platform == "blankly" and not token else None

        def work() -> None:
            login(server or here, platform=platform, token=token or None)  # type: ignore[arg-type]

        await self.answer(work)

    @authenticated
    async def delete(self) -> None:
        """Sign out; the server on this machine ends with that."""
        account = self.account

        def work() -> None:
            if account == EMBEDDED:
                logout(EMBEDDED, stop=True)
            else:
                platform, _, server = account.partition(" ")
                logout(server, platform=platform)  # type: ignore[arg-type]

        await self.answer(work)


class Projects(ActionHandler):
    @authenticated
    async def post(self) -> None:
        account, name = self.account, self.field("name")
        description = self.field("description", "")

        def work() -> dict[str, str]:
            return {"id": self.overviews.client(account).create_project(name, description).id}

        await self.answer(work)


class VersionSteps(ActionHandler):
    @authenticated
    async def post(self, version: str, step: str) -> None:
        account = self.account

        def work() -> dict[str, Any]:
            client = self.overviews.client(account)
            if step == "run":
                return run_shape(client.run_version(version))
            return {"id": client.rollback(version).version_id}

        await self.answer(work)


class UbiopsSteps(ActionHandler):
    @authenticated
    async def post(self, place: str, step: str) -> None:
        account = self.account

        def work() -> None:
            browser = self.overviews.ubiops(account)
            (browser.rollback if step == "activate" else browser.make_default)(place)

        await self.answer(work)


class Revisions(ActionHandler):
    @authenticated
    async def get(self, place: str) -> None:
        account = self.account
        await self.answer(lambda: self.overviews.ubiops(account).revisions(place))


class Activity(ActionHandler):
    @authenticated
    async def get(self, place: str) -> None:
        """As logs: what was done, at once to the end."""
        account, offset = self.account, int(self.number("offset", 0, 2**53))

        def work() -> dict[str, Any]:
            text = self.overviews.ubiops(account).activity(place)
            return {"text": text[offset:], "offset": len(text), "state": "succeeded"}

        await self.answer(work)


class RunSteps(ActionHandler):
    @authenticated
    async def post(self, run: str, step: str) -> None:
        account = self.account

        def work() -> None:
            client = self.overviews.client(account)
            (client.stop if step == "stop" else client.start)(run)

        await self.answer(work)


class Logs(ActionHandler):
    @authenticated
    async def get(self, run: str) -> None:
        account = self.account
        offset = int(self.number("offset", 0, 2**53))
        wait = self.number("wait", 0, LONGEST_WAIT)

        def work() -> dict[str, Any]:
            part = self.overviews.client(account).logs(run, offset, wait)
            return {"text": part.text, "offset": part.offset, "state": part.state}

        await self.answer(work)


class RemoteResult(ActionHandler):
    @authenticated
    async def get(self, run: str) -> None:
        account = self.account
        await self.answer(lambda: remote_payload(self.overviews.client(account), run))


class LocalResult(ActionHandler):
    @authenticated
    async def get(self, run: str) -> None:
        await self.answer(lambda: local_payload(run))


class Compared(ActionHandler):
    @authenticated
    async def post(self) -> None:
        """Several results side by side; without an account, one of this machine."""
        body = self.get_json_body() or {}
        runs = [(each.get("account"), str(each.get("run"))) for each in body.get("runs") or ()]
        await self.answer(lambda: compared_payload(runs, self.overviews.client))


class OfferedOptions(ActionHandler):
    @authenticated
    async def get(self, action: str) -> None:
        await self.answer(lambda: offered(action))


ID = r"([^/]+)"
ROUTES: tuple[tuple[str, type[ActionHandler]], ...] = (
    ("overview", Overview),
    ("accounts", Accounts),
    ("projects", Projects),
    (f"versions/{ID}/(run|rollback)", VersionSteps),
    (f"versions/{ID}/(activate|make-default)", UbiopsSteps),
    (f"versions/{ID}/revisions", Revisions),
    (f"versions/{ID}/activity", Activity),
    (f"runs/{ID}/(stop|start)", RunSteps),
    (f"runs/{ID}/logs", Logs),
    (f"runs/{ID}/result", RemoteResult),
    (f"local/{ID}/result", LocalResult),
    ("compare", Compared),
    (f"options/{ID}", OfferedOptions),
)


def install(web_app: Application) -> None:
    """Add the routes to a Jupyter server."""
    shared = {
        "overviews": Overviews(),
        "pool": ThreadPoolExecutor(THREADS, thread_name_prefix="deploy-magics"),
    }
    base = url_path_join(web_app.settings["base_url"], "deploy-magics")
    web_app.add_handlers(
        ".*$", [(url_path_join(base, path), handler, shared) for path, handler in ROUTES]
    )
