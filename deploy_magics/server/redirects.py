"""Where the sign-in page may send a browser: to a program on the same machine, nowhere else."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from deploy_magics.errors import RejectedError
from deploy_magics.server.guard import is_loopback

LIBRARY_PATH = "/deploy"
LIBRARY_CALLBACK = "http://localhost:9082/"


def checked_redirect(text: str) -> str:
    """A loopback http address with a port, or the library's ``/deploy``.

    Raises:
        RejectedError: everything else, however it is written.
    """
    if text == LIBRARY_PATH:
        return text
    refused = RejectedError(
        "This page only sends you back to a program on your own machine.", status=400
    )
    if len(text) > 500 or any(c.isspace() or not c.isprintable() or c == "\\" for c in text):
        raise refused
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refused from None
    if parts.scheme != "http" or not is_loopback(parts.hostname or "") or port is None:
        raise refused
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise refused
    return text


def with_query(url: str, **values: str) -> str:
    """The address with these values added to its query."""
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *values.items()])
    return parts._replace(query=query).geturl()
