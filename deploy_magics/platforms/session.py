"""One HTTP session for every client: time-outs, bounded retries, errors, streaming upload.

What a caller can count on:

* every call ends: time-outs on connecting and on each read, a budget on all waiting together;
* a call is sent again only when that cannot repeat an effect: idempotent methods, calls with an
  idempotency key, and a 429, which says that nothing was done;
* credentials come from ``auth=`` alone (never from ``.netrc``), and go to the base URL alone:
  a redirect is an error, not a second request;
* whatever goes wrong is one of ``errors.PlatformError``.

Tests pass ``transport``: a function from the prepared request to a ``requests.Response``
(``answer()`` makes one), so that nothing is patched.
"""

from __future__ import annotations

import io
import json as jsonlib
import os
import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase
from urllib3.response import BaseHTTPResponse

from ..errors import PlatformError, RateLimitError, ServiceError, UnreachableError, UsageError
from .answers import MAX_ANSWER, error_for, read_json
from .upload import Files, MultipartBody, Progress

Transport = Callable[[requests.PreparedRequest], requests.Response]
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
BUSY = frozenset({502, 503, 504})
USER_AGENT = "deploy_magics"


class Session:
    """Requests to one base URL.

    Args:
        base_url: scheme, host and perhaps a path; calls give what comes after.
        auth: sets the headers of each request; where it has ``renew(session)``, that is called
            once on a 401 and the call is sent again when it returns True.
        timeout: seconds to connect and seconds for each read.
        transport: an adapter of requests, or a function that answers (for tests).
        attempts: how often an idempotent call is sent at most.
        patience: seconds that all waiting between attempts of one call may take together.
        sleep: how to wait (tests pass a function that notes).
        explain: asked first for the error that an answer of 400 or above stands for; what it
            returns is raised at once, None leaves the answer to the usual rules.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: AuthBase | None = None,
        timeout: tuple[float, float] = (5, 30),
        transport: Transport | BaseAdapter | None = None,
        attempts: int = 4,
        patience: float = 60,
        sleep: Callable[[float], None] = time.sleep,
        explain: Callable[[requests.Response], PlatformError | None] | None = None,
    ) -> None:
        self.base_url = check_url(base_url)
        self.auth = auth
        self.timeout = timeout
        self.attempts = attempts
        self.patience = patience
        self._sleep = sleep
        self._explain = explain
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["User-Agent"] = USER_AGENT
        if transport is None:
            self._http.proxies.update(_proxies(self.base_url))
            self._http.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
            adapter: BaseAdapter = HTTPAdapter(max_retries=0)
        elif isinstance(transport, BaseAdapter):
            adapter = transport
        else:
            adapter = _FunctionAdapter(transport)
        self._http.mount("http://", adapter)
        self._http.mount("https://", adapter)

    def __repr__(self) -> str:
        return f"<Session {self.base_url}>"

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **options: Any) -> Any:
        """The JSON that a GET answers."""
        return self.json("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        """The JSON that a POST answers."""
        return self.json("POST", path, **options)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """The JSON that a call answers; ServiceError where the answer is something else."""
        return read_json(self.request(method, path, **options), self.base_url)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | bytes | None = None,
        files: Files | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        stream: bool = False,
        timeout: tuple[float, float] | None = None,
        on_progress: Progress | None = None,
        retry: bool | None = None,
    ) -> requests.Response:
        """Send one call, again where that is safe, and return a good answer (2xx or 304).

        Args:
            path: what comes after the base URL.
            data: form fields, or the body itself.
            files: ``{part: (filename, open file or bytes or path, content type)}``, or a list of
                such pairs; streamed from the start on every attempt, in constant memory.
            idempotency_key: sent as ``Idempotency-Key``; makes a POST safe to send again.
            stream: leave the body to the caller (``iter_content``); else it is read, up to 256 MB.
            on_progress: called with (bytes sent, bytes in all) during an upload.
            retry: False never sends twice, True always may; None goes by method and key.

        Raises:
            PlatformError: by the answer's status, or UnreachableError where there was none.
        """
        method = method.upper()
        sent = dict(headers or {})
        if idempotency_key:
            sent["Idempotency-Key"] = idempotency_key
        body = MultipartBody(data, files, on_progress) if files is not None else None
        if body is not None:
            sent["Content-Type"] = body.content_type
        safe = retry if retry is not None else (method in IDEMPOTENT or bool(idempotency_key))
        waited, attempt, renewed = 0.0, 0, False
        pause: float | None
        while True:
            attempt += 1
            if body is not None:
                body.rewind()
            try:
                response = self._http.request(
                    method,
                    self._url(path),
                    params=params,
                    json=json,
                    data=body if body is not None else data,
                    headers=sent,
                    auth=self.auth,
                    timeout=timeout or self.timeout,
                    allow_redirects=False,
                    stream=True,
                )
                if not stream or not response.ok:
                    _read_whole(response)
            except requests.RequestException as error:
                failure = self._unreachable(error)
                if not (safe and attempt < self.attempts and waited < self.patience):
                    raise failure from error
                pause = _backoff(attempt)
            else:
                if response.status_code < 300 or response.status_code == 304:
                    return response
                if response.status_code == 401 and not renewed and self._renew():
                    renewed = True
                    continue
                said = self._explain(response) if self._explain and not response.ok else None
                if said is not None:
                    raise said
                pause = self._pause(response, safe=safe, attempt=attempt, waited=waited)
                if pause is None:
                    raise error_for(response, self.base_url)
            pause = min(pause, max(0.0, self.patience - waited))
            self._sleep(pause)
            waited += pause

    def _renew(self) -> bool:
        renew = getattr(self.auth, "renew", None)
        return bool(renew and renew(self))

    def _pause(
        self, response: requests.Response, *, safe: bool, attempt: int, waited: float
    ) -> float | None:
        """Seconds to wait before this call is sent again, None when it is not."""
        if waited >= self.patience:
            return None
        if response.status_code == 429:
            asked = retry_after(response)
            pause = _backoff(attempt) if asked is None else asked
            if waited + pause > self.patience:
                raise RateLimitError(
                    f"{self.base_url} takes no more requests for {pause:.0f} s.",
                    "Try again after that.",
                    status=429,
                )
            return max(pause, 0.05)
        if response.status_code in BUSY and safe and attempt < self.attempts:
            asked = retry_after(response)
            return min(_backoff(attempt) if asked is None else asked, 15)
        return None

    def _url(self, path: str) -> str:
        return f"{self.base_url}/{path.lstrip('/')}"

    def _unreachable(self, error: requests.RequestException) -> UnreachableError | ServiceError:
        host = urlsplit(self.base_url).netloc
        if isinstance(error, _TooLarge):
            return ServiceError(f"{host} sent an answer larger than {MAX_ANSWER >> 20} MB.")
        if isinstance(error, requests.exceptions.SSLError):
            return UnreachableError(
                f"The certificate of {host} cannot be trusted.",
                "Check the address; REQUESTS_CA_BUNDLE names your own authority's file.",
            )
        if isinstance(error, requests.exceptions.ConnectTimeout):
            what = "does not answer"
        elif isinstance(error, requests.exceptions.Timeout):
            what = "took too long to answer"
        elif isinstance(error, requests.exceptions.ProxyError):
            what = "cannot be reached through the proxy"
        elif isinstance(error, (requests.exceptions.ChunkedEncodingError,)):
            what = "broke off in the middle of an answer"
        else:
            what = "cannot be reached"
        return UnreachableError(f"{host} {what}.", "Is the server running, is the address right?")


class _TooLarge(requests.RequestException):
    """The answer goes beyond what is kept in memory."""


class _FunctionAdapter(BaseAdapter):
    """Answers requests with a function."""

    def __init__(self, function: Transport) -> None:
        super().__init__()
        self._function = function

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        response = self._function(request)
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        pass


def answer(
    status: int = 200,
    json: Any = None,
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """A response made by hand, for a transport that is a function."""
    response = requests.Response()
    response.status_code = status
    if content is None:
        content = jsonlib.dumps(json).encode()
        response.headers["Content-Type"] = "application/json"
    response.headers.update(headers or {})
    response.raw = io.BytesIO(content)
    return response


def new_key() -> str:
    """An idempotency key; make it once, before the first attempt."""
    return uuid.uuid4().hex


def check_url(url: str) -> str:
    """A server's address without its last slash; UsageError where it is none."""
    text = url.strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is not a server's address.", "Give it as https://host[:port].")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "A server's address holds no user, password, query or fragment.",
            "Give it as https://host[:port].",
        )
    return text


def retry_after(response: requests.Response) -> float | None:
    """Seconds that the answer asks us to wait, None where it does not say."""
    for header in ("Retry-After", "x-ratelimit-reset"):
        try:
            seconds = float(response.headers[header])
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < 1e9:
            return seconds
    return None


def _backoff(attempt: int) -> float:
    """0.2, 0.4, 0.8, … seconds, at most 8, each made up to twice as long by chance."""
    return float(min(0.2 * 2 ** (attempt - 1), 8)) * (1 + random.random())


def _read_whole(response: requests.Response) -> None:
    """Read the body into memory, decoded, but never more than MAX_ANSWER of it.

    An answer that broke off within its head comes as one without a body: whoever means to send
    nothing says so, by the status or a length of 0.
    """
    body = bytearray()
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > MAX_ANSWER:
            response.close()
            raise _TooLarge()
    told = any(name in response.headers for name in ("Content-Length", "Transfer-Encoding"))
    silent = not body and not told and response.status_code not in (204, 304)
    if silent and isinstance(response.raw, BaseHTTPResponse):
        raise requests.exceptions.ChunkedEncodingError("The answer has no end.")
    response._content = bytes(body)
    response._content_consumed = True  # type: ignore[attr-defined]


def _proxies(url: str) -> dict[str, str]:
    """The environment's proxies, never for this machine itself."""
    host = urlsplit(url).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return {}
    return dict(requests.utils.get_environ_proxies(url))
