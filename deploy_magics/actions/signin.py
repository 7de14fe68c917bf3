"""Signing in through the browser: a one-time code comes back to this machine alone.

The page at ``/auth/signin`` is opened with a redirect to a free port on 127.0.0.1, a state that
has to come back, and the hash of a verifier that only we know; the code that comes back is worth
a token only together with that verifier.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import platform
import secrets
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from ..display import progress, show
from ..errors import NotSignedInError
from ..platforms.blankly import BlanklyClient

WAITS = 180.0  # seconds for the user to sign in
_DONE = b"""<!doctype html><meta charset="utf-8"><title>Signed in</title>
<body style="font-family:sans-serif;margin:4em auto;max-width:30em">
<h1>You are signed in.</h1><p>Go back to your notebook; this page can be closed.</p>"""
_WRONG = b"""<!doctype html><meta charset="utf-8"><title>Not signed in</title>
<p>This answer does not belong to a sign-in that is going on.</p>"""


def by_browser(client: BlanklyClient, waits: float = WAITS) -> str:
    """The refresh token of the account that signs in on the server's page.

    Raises:
        NotSignedInError: nobody signed in in time.
    """
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    with _Listener(state) as listener:
        address = signin_address(client.base_url, listener.url, state, verifier)
        show(f"Sign in at {address}")
        webbrowser.open(address)
        with progress(None, "Waiting for you to sign in in the browser") as line:
            line.phase("Ctrl-C ends the wait")
            code = listener.code(waits)
    return client.redeem(code, verifier)


def signin_address(server: str, back_to: str, state: str, verifier: str) -> str:
    """The address of the sign-in page for one attempt."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    query = {
        "redirectUrl": back_to,
        "state": state,
        "challenge": challenge.decode(),
        "name": f"notebook on {platform.node()}",
    }
    return f"{server}/auth/signin?{urlencode(query)}"


class _Listener:
    """Listens on a free port of 127.0.0.1 for one answer that carries the state."""

    def __init__(self, state: str) -> None:
        self._arrived = threading.Event()
        self._code = ""
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                came = query.get("state", [""])[0].encode()
                code = query.get("code", [""])[0]
                right = hmac.compare_digest(came, state.encode()) and bool(code)
                self.send_response(200 if right else 400)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(_DONE if right else _WRONG)
                if right:
                    listener._code = code
                    listener._arrived.set()

            def log_message(self, *_: object) -> None:
                """Say nothing: the address holds the code."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/callback"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> _Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def code(self, waits: float) -> str:
        if not self._arrived.wait(waits):
            raise NotSignedInError(
                f"Nobody signed in within {waits:.0f} s.",
                "Say %deploy_login again, with --paste to type a token in place of the browser.",
            )
        return self._code
