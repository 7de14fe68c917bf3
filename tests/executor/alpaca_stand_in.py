"""Alpaca on loopback: a proxy that ends the TLS of whatever host is asked for, and answers itself.

A model reaches it by what every HTTP client honours: ``HTTPS_PROXY`` and ``REQUESTS_CA_BUNDLE``.
Market orders are filled at once, at 100.
"""

from __future__ import annotations

import datetime as dt
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOSTS = ("api.alpaca.markets", "paper-api.alpaca.markets", "data.alpaca.markets")
ASSET = {
    "id": "904837e3", "class": "us_equity", "exchange": "NASDAQ", "symbol": "AAPL",
    "status": "active", "tradable": True, "marginable": True, "shortable": True,
    "easy_to_borrow": True, "fractionable": True,
}  # fmt: skip


class StandIn(ThreadingHTTPServer):
    """``hosts``: whom its callers wanted; ``keys``: what they signed in with."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bundle = certificate(folder)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.bundle)
        self.hosts: set[str] = set()
        self.keys: set[tuple[str | None, str | None]] = set()
        self.orders: dict[str, dict[str, Any]] = {}
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    @property
    def variables(self) -> dict[str, str]:
        """What makes an HTTP client come here."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return {"HTTPS_PROXY": url, "REQUESTS_CA_BUNDLE": str(self.bundle)}

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        held = sum(float(order["qty"]) for order in self.orders.values())
        if path == "/v2/account":
            return {"account_blocked": False, "buying_power": str(900 - 100 * held)}
        if path == "/v2/assets":
            return [ASSET]
        if path == "/v2/positions":
            return [{"symbol": "AAPL", "qty": str(held)}] if held else []
        if path == "/v2/orders" and method == "POST":
            now = dt.datetime.now(dt.timezone.utc).isoformat()
            number = f"order-{len(self.orders)}"
            order = {"id": number, "created_at": now, "notional": None, "limit_price": None}
            self.orders[number] = {**order, **body, "status": "filled", "filled_avg_price": "100"}
            return {**order, **body, "status": "accepted", "filled_avg_price": None}
        if path == "/v2/orders":
            return []
        if path.startswith("/v2/orders/"):
            return self.orders[path.rsplit("/", 1)[1]]
        if path.endswith("/trades/latest"):
            return {"symbol": "AAPL", "trade": {"p": 100.0}}
        return {"AAPL": {"latestTrade": {"p": 100.0}}}


class Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        self.server.hosts.add(self.path)
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def do_GET(self) -> None:
        names = ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")
        self.server.keys.add((self.headers.get(names[0]), self.headers.get(names[1])))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        told = self.server.answer(self.command, path, json.loads(body or b"{}"))
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


def certificate(folder: Path) -> Path:
    """A file with a fresh key and a certificate for Alpaca's hosts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = dt.datetime.now(dt.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in HOSTS]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "stand-in.pem"
    path.write_bytes(plain + made.public_bytes(pem))
    return path
