"""Refresh tokens and the id tokens made from them, the same whatever the dialect.

A refresh token is 256 random bits; the database keeps its SHA-256. An id token is a JWT that names
the refresh token (``sid``): when that is revoked, the id token is refused from the next request on.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Collection, Sequence
from typing import Any

import jwt
from sqlalchemy import select, update

from deploy_magics.errors import ForbiddenError, NotFoundError, NotSignedInError, RejectedError
from deploy_magics.server.services.principal import SCOPES, Principal
from deploy_magics.server.services.rules import clean_name
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account, Code, Token

PREFIX = "dm_"
ALGORITHM = "HS256"
LEEWAY = 30.0
CODE_SECONDS = 300.0
_LONGEST = 4096
_USED_EVERY = 60.0


class Tokens:
    def __init__(self, store: Store, signing_key: bytes, *, id_seconds: float) -> None:
        self._store = store
        self._key = signing_key
        self._id_seconds = id_seconds

    def create(
        self,
        who: Principal,
        name: str = "token",
        scopes: Collection[str] = SCOPES,
        *,
        project_id: str | None = None,
        seconds: float | None = None,
    ) -> tuple[str, Token]:
        """The token's text, which is shown this once, and its row.

        Raises:
            ForbiddenError: a scope that the caller does not have, or a wider token.
            RejectedError: no such scope.
        """
        chosen = self._scopes(who, scopes)
        if who.project_id is not None and project_id != who.project_id:
            raise ForbiddenError("This token is for one project only.", status=403)
        text = PREFIX + secrets.token_urlsafe(32)
        now = time.time()
        row = Token(
            account_id=who.account_id,
            project_id=project_id,
            name=clean_name(name, "token name"),
            scopes=" ".join(chosen),
            digest=digest(text),
            created_at=now,
            expires_at=now + seconds if seconds else None,
        )
        with self._store.write() as session:
            session.add(row)
        return text, row

    def list(self, who: Principal) -> Sequence[Token]:
        """Those that still open something, newest first; a project's token sees only itself."""
        query = select(Token).where(Token.account_id == who.account_id, Token.revoked_at.is_(None))
        if who.project_id is not None:
            query = query.where(Token.id == who.token_id)
        with self._store.read() as session:
            return session.scalars(query.order_by(Token.created_at.desc())).all()

    def revoke(self, who: Principal, token_id: str) -> None:
        """Raises NotFoundError, also for another account's token."""
        if who.project_id is not None and token_id != who.token_id:
            raise NotFoundError("There is no such token.", status=404)
        mine = (Token.id == token_id, Token.account_id == who.account_id)
        query = (
            update(Token).where(*mine, Token.revoked_at.is_(None)).values(revoked_at=time.time())
        )
        with self._store.write() as session:
            if session.scalar(query.returning(Token.id)) is None:
                raise NotFoundError("There is no such token.", status=404)

    def by_token(self, text: str) -> Principal:
        """Who a refresh token belongs to.

        Raises:
            NotSignedInError: unknown, revoked, expired or malformed.
        """
        if not isinstance(text, str) or not text.startswith(PREFIX) or len(text) > _LONGEST:
            raise _refused()
        return self._principal(Token.digest == digest(text))

    def by_id(self, token_id: str, text: str) -> Principal:
        """For dialects that send a name and a secret: both must belong together."""
        who = self.by_token(text)
        if who.token_id != token_id:
            raise _refused()
        return who

    def id_token(self, who: Principal, *, kind: str = "id", seconds: float | None = None) -> str:
        """A signed token that stands for the caller's refresh token until it expires."""
        if who.token_id is None:
            raise NotSignedInError("Only a refresh token makes id tokens.", status=401)
        now = time.time()
        claims = {
            "sub": who.account_id,
            "sid": who.token_id,
            "jti": secrets.token_urlsafe(9),
            "typ": kind,
            "iat": int(now),
            "exp": int(now + (seconds or self._id_seconds)),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def by_id_token(self, text: str, *, kind: str = "id") -> Principal:
        """Raises NotSignedInError: expired, forged, of another kind, or its token was revoked."""
        if not isinstance(text, str) or not text or len(text) > _LONGEST:
            raise _refused()
        try:
            claims: dict[str, Any] = jwt.decode(
                text,
                self._key,
                algorithms=[ALGORITHM],
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "sid", "jti", "typ"]},
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise _refused() from error
        if claims["typ"] != kind:
            raise _refused()
        return self._principal(Token.id == claims["sid"], Token.account_id == claims["sub"])

    def make_code(
        self,
        purpose: str,
        *,
        account_id: str | None = None,
        challenge: str | None = None,
        token_name: str | None = None,
        seconds: float = CODE_SECONDS,
    ) -> str:
        """A one-time code: "signin" with a verifier's challenge (RFC 7636, S256), or "setup"."""
        text = secrets.token_urlsafe(32)
        row = Code(
            digest=digest(text),
            purpose=purpose,
            account_id=account_id,
            challenge=challenge,
            token_name=token_name,
            expires_at=time.time() + seconds,
        )
        with self._store.write() as session:
            for old in session.scalars(select(Code).where(Code.expires_at < time.time())):
                session.delete(old)
            session.add(row)
        return text

    def known_code(self, purpose: str, text: str) -> bool:
        with self._store.read() as session:
            row = session.get(Code, digest(text))
        return row is not None and row.purpose == purpose and row.expires_at > time.time()

    def use_code(self, purpose: str, text: str, verifier: str | None = None) -> Code:
        """Take a code out; it works once, also when the verifier was wrong.

        Raises:
            NotSignedInError: unknown, used, expired, or not made for this verifier.
        """
        with self._store.write() as session:
            row = session.get(Code, digest(text), with_for_update=True)
            if row is not None:
                session.delete(row)
        good = row is not None and row.purpose == purpose and row.expires_at > time.time()
        if row is None or not good:
            raise NotSignedInError("This code was used, or it is too old.", status=401)
        if row.challenge is not None and challenge_of(verifier or "") != row.challenge:
            raise NotSignedInError("This code was made for another program.", status=401)
        return row

    def _scopes(self, who: Principal, scopes: Collection[str]) -> Sequence[str]:
        if unknown := set(scopes) - set(SCOPES):
            raise RejectedError(
                f"There is no scope {min(unknown)!r}.", f"Scopes: {', '.join(SCOPES)}.", status=400
            )
        for scope in scopes:
            who.require(scope)
        return [scope for scope in SCOPES if scope in scopes] or ["read"]

    def _principal(self, *where: Any) -> Principal:
        query = select(Token, Account).join(Account, Account.id == Token.account_id).where(*where)
        now = time.time()
        with self._store.read() as session:
            found = session.execute(query).first()
        if found is None:
            raise _refused()
        token, account = found
        if token.revoked_at is not None or (token.expires_at or now + 1) <= now:
            raise _refused()
        if token.used_at is None or token.used_at < now - _USED_EVERY:
            with self._store.write() as session:
                session.execute(update(Token).where(Token.id == token.id).values(used_at=now))
        return Principal(
            account.id,
            account.name,
            account.email,
            frozenset(token.scopes.split()),
            token.id,
            token.name,
            token.project_id,
            account.owner,
        )


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def challenge_of(verifier: str) -> str:
    """What RFC 7636 calls S256: base64url of the SHA-256, without padding."""
    hashed = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


def _refused() -> NotSignedInError:
    return NotSignedInError(
        "The token is missing, expired or revoked.", "Sign in again.", status=401
    )
