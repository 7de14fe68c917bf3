"""The client over a bad network: a server of ours behind a proxy that cuts, drops and hangs."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy_magics.errors import ServiceError, UnreachableError
from deploy_magics.model import Model
from deploy_magics.platforms import session as session_module
from deploy_magics.platforms.blankly import BlanklyClient
from deploy_magics.platforms.session import Session
from deploy_magics.server.app import create_app
from deploy_magics.server.serve import web_server
from deploy_magics.server.services import Services
from deploy_magics.server.services.accounts import principal
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.settings import Settings

PATIENCE = 120.0


class Web:
    """One server over one data folder, which may end and come again on its port."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self.settings, self.services = settings, services
        self.port = 0
        self.start()

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = int(self._listener.getsockname()[1])
        self._server = web_server(create_app(self.settings, self.services), self.settings)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}
        )
        self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._listener.close()


class Proxy:
    """Passes bytes on. ``faults`` holds for each connection what happens to it, then nothing.

    A fault is ("sent", n): cut after n bytes of the request; ("heard", n): cut after n bytes of
    the answer, which has been made; ("hang", 0): nothing is ever answered.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.faults: list[tuple[str, int]] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            fault = self.faults.pop(0) if self.faults else ("", 0)
            self._open.append(here)
            if fault[0] != "hang":
                threading.Thread(target=self._pass, args=(here, *fault), daemon=True).start()

    def _pass(self, here: socket.socket, what: str, most: int) -> None:
        try:
            there = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            here.close()
            return
        self._open.append(there)

        def pour(source: socket.socket, target: socket.socket, limit: int | None) -> None:
            done = 0
            try:
                while part := source.recv(16_384):
                    if limit is not None and done + len(part) > limit:
                        target.sendall(part[: limit - done])
                        break
                    target.sendall(part)
                    done += len(part)
            except OSError:
                pass
            for each in (here, there):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

        back = threading.Thread(
            target=pour, args=(there, here, most if what == "heard" else None), daemon=True
        )
        back.start()
        pour(here, there, most if what == "sent" else None)


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", database_url=sqlite_url)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    opened = Services.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def web(settings: Settings, services: Services) -> Iterator[Web]:
    started = Web(settings, services)
    yield started
    started.end()


@pytest.fixture
def ann(services: Services) -> Principal:
    return principal(services.accounts.create("ann", owner=True))


@pytest.fixture
def proxy(web: Web) -> Iterator[Proxy]:
    made = Proxy(web.port)
    yield made
    made.close()


@pytest.fixture
def client(proxy: Proxy, services: Services, ann: Principal) -> Iterator[BlanklyClient]:
    token, _ = services.tokens.create(ann, "network")
    made = BlanklyClient(proxy.url, token)
    yield made
    made.close()


@pytest.fixture(scope="module")
def package() -> bytes:
    return Model.build("Net", "import blankly\n", requirements=["numpy<2"]).zip_bytes()


def fresh(client: BlanklyClient) -> None:
    """The next call makes a connection of its own."""
    client._session._http.close()
    client._plain._http.close()


@pytest.mark.parametrize("fault", [("sent", 0), ("sent", 900), ("heard", 0), ("heard", 60)])
def test_an_upload_that_broke_off_makes_one_version(
    client: BlanklyClient, proxy: Proxy, package: bytes, fault: tuple[str, int], services: Services
) -> None:
    project, model = client.check().user_id, ""
    for faults in ([fault], [fault] * 3):
        fresh(client)
        proxy.faults[:] = faults
        accepted = client.deploy(package, project_id=project, name="Net", model_id=model)
        model = accepted.model_id
        assert proxy.faults == []
    assert accepted.version == 2
    assert [v.number for v in client.versions(accepted.model_id)] == [2, 1]
    assert len(client.runs(model_id=accepted.model_id)) == 2


def test_what_is_made_is_made_once_though_its_answer_was_lost(
    client: BlanklyClient, proxy: Proxy, package: bytes
) -> None:
    project = client.check().user_id
    accepted = client.deploy(package, project_id=project, name="Net")
    model = accepted.model_id
    for call in (
        lambda: client.create_project("P").id,
        lambda: client.create_model(project, "M").id,
        lambda: client.rollback(accepted.version_id).version_id,
        lambda: client.run_version(accepted.version_id).id,
        lambda: client.backtest_version(project, model, accepted.version_id, {}, "").run_id,
    ):
        fresh(client)
        proxy.faults[:] = [("heard", 0)]
        assert call()
        assert proxy.faults == []
    assert [row.name for row in client.projects()] == ["Personal", "P"]
    assert [row.name for row in client.models(project)] == ["Net", "M"]
    assert len(client.versions(model)) == 2
    assert len(client.runs(model_id=model)) == 4


def test_a_black_hole_ends(client: BlanklyClient, proxy: Proxy) -> None:
    client.check()
    fresh(client)
    proxy.faults[:] = [("hang", 0)] * 50
    client._session.timeout = (5, 0.2)
    with pytest.raises(UnreachableError, match="took too long"):
        client.projects()
    assert len(proxy.faults) == 50 - client._session.attempts


def test_questions_go_on_through_a_restart(client: BlanklyClient, web: Web) -> None:
    client.check()
    web.end()
    again = threading.Timer(0.3, web.start)
    again.start()
    try:
        assert [row.name for row in client.projects()] == ["Personal"]
    finally:
        again.join()


def test_a_sleep_of_hours_signs_nobody_out(
    client: BlanklyClient, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id token has expired meanwhile, the connection is dead: the result is still there."""
    client.check()
    before = client._auth._id_token
    monkeypatch.setattr(
        "deploy_magics.server.services.tokens.time.time",
        lambda: datetime.now().timestamp() + 8 * 3600,
    )
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    web.end()
    web.start()
    assert [row.name for row in client.projects()] == ["Personal"]
    assert client._auth._id_token != before


class Later(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) + timedelta(hours=8)


def test_two_notebooks_deploy_at_once_in_some_order(
    proxy: Proxy, services: Services, ann: Principal, package: bytes
) -> None:
    token, _ = services.tokens.create(ann, "both")
    model = services.models.create(ann, ann.account_id, "Shared").id
    numbers: list[Any] = []

    def deploy() -> None:
        mine = BlanklyClient(proxy.url, token)
        try:
            done = mine.deploy(package, project_id=ann.account_id, model_id=model)
            numbers.append(done.version)
        except Exception as error:
            numbers.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=deploy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers, key=str) == [1, 2, 3, 4]


# --- what is no server of ours


def answering(handler: type[BaseHTTPRequestHandler], wrap: Any = None) -> Any:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if wrap is not None:
        httpd.socket = wrap(httpd.socket)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()

    def close() -> None:
        httpd.shutdown()
        httpd.server_close()
        thread.join()

    return httpd.server_port, close


class Quiet(BaseHTTPRequestHandler):
    asked: list[str] = []

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Self-signed: nobody vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_certificate_that_nobody_vouches_for_gets_no_token(certificate: Path) -> None:
    heard: list[str] = []

    class Thief(Quiet):
        def do_POST(self) -> None:
            heard.append(self.path)

        do_GET = do_POST

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    port, close = answering(Thief, lambda sock: context.wrap_socket(sock, server_side=True))
    client = BlanklyClient(f"https://127.0.0.1:{port}", "dm_secret", patience=0)
    try:
        with pytest.raises(UnreachableError, match="certificate") as caught:
            client.projects()
        assert "dm_secret" not in str(caught.value)
    finally:
        client.close()
        close()
    assert heard == []


def test_an_answer_that_unpacks_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_ANSWER", 1 << 20)
    bomb = gzip.compress(b"\0" * (64 << 20))

    class Bomb(Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(bomb)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(bomb)

    port, close = answering(Bomb)
    here = Session(f"http://127.0.0.1:{port}", attempts=1)
    try:
        with pytest.raises(ServiceError, match="larger than 1 MB"):
            here.get("x")
    finally:
        here.close()
        close()


def test_a_portal_in_between_is_named_as_one() -> None:
    class Portal(Quiet):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            page = b"<html>Welcome to the airport</html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        do_GET = do_POST

    port, close = answering(Portal)
    client = BlanklyClient(f"http://127.0.0.1:{port}", "dm_secret", patience=0)
    calls: list[Callable[[], Any]] = [client.check, client.projects, client.health]
    try:
        for call in calls:
            with pytest.raises(ServiceError, match="does not answer as a deployment service"):
                call()
    finally:
        client.close()
        close()
