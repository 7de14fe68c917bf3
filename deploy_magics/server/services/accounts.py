"""Accounts: who may sign in. Passwords are argon2 hashes, two computed at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import func, or_, select

from deploy_magics.errors import ConflictError, NotFoundError, NotSignedInError, RejectedError
from deploy_magics.server.services.principal import Principal
from deploy_magics.server.services.rules import clean_name
from deploy_magics.server.services.runs import end_runs
from deploy_magics.server.services.tokens import Tokens
from deploy_magics.server.store.database import Store
from deploy_magics.server.store.tables import Account, Project

# OWASP's choice of 19 MiB: 16 ms a hash, where the library's default takes 64 MiB and 135 ms
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_HASHING = threading.BoundedSemaphore(2)
# the hash of random bytes that nobody kept: verified for names that there are not
_NOBODYS = (
    "$argon2id$v=19$m=19456,t=2,p=1$ZOMx9UOzXFEwCQtfvZ8A3w"
    "$WiuLnuCNuC0sekI2WQP+3kyHlqWLJMNF69dX0syk8GM"
)
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024
PERSONAL = "Personal"
OWNER = "owner"


class Accounts:
    def __init__(self, store: Store) -> None:
        self._store = store

    def create(
        self,
        name: str,
        password: str | None = None,
        *,
        email: str | None = None,
        owner: bool = False,
    ) -> Account:
        """With its personal project. Without a password only tokens sign in.

        Raises:
            ConflictError: the name or the address is taken.
            RejectedError: a password that is too short.
        """
        name = clean_name(name, "account name")
        email = clean_name(email, "e-mail address", limit=254) if email else None
        hashed = None if password is None else _hash(checked_password(password))
        with self._store.write() as session:
            taken = or_(Account.name == name, Account.email == (email or name))
            if session.scalar(select(Account.id).where(taken)) is not None:
                raise ConflictError(f"There is an account {name!r} already.", status=409)
            row = Account(name=name, email=email, password_hash=hashed, owner=owner)
            session.add(row)
            session.flush()
            session.add(
                Project(id=row.id, account_id=row.id, name=PERSONAL, description="Your own project")
            )
        return row

    def list(self) -> Sequence[Account]:
        with self._store.read() as session:
            return session.scalars(select(Account).order_by(Account.created_at)).all()

    def count(self) -> int:
        with self._store.read() as session:
            return session.scalar(select(func.count()).select_from(Account)) or 0

    def owner(self) -> Account | None:
        query = select(Account).where(Account.owner).order_by(Account.created_at)
        with self._store.read() as session:
            return session.scalars(query).first()

    def by_id(self, account_id: str) -> Principal:
        """Raises NotSignedInError when the account is gone."""
        with self._store.read() as session:
            row = session.get(Account, account_id)
        if row is None:
            raise NotSignedInError("This account is gone.", status=401)
        return principal(row)

    def by_name(self, name: str) -> Account:
        """By name or e-mail address. Raises NotFoundError."""
        row = self._find(name)
        if row is None:
            raise NotFoundError(f"There is no account {name!r}.", "See: deploy-magics user list")
        return row

    def by_password(self, name: str, password: str) -> Account:
        """The account, by name or e-mail address.

        An unknown name takes as long as a wrong password and is answered the same.

        Raises:
            NotSignedInError: either is wrong.
        """
        row = self._find(name) if isinstance(name, str) and _is_text(name) else None
        known = _NOBODYS if row is None or row.password_hash is None else row.password_hash
        right = _verify(known, password) and row is not None and row.password_hash is not None
        if not right or row is None:
            raise NotSignedInError("The name or the password is wrong.", status=401)
        return row

    def set_password(self, name: str, password: str) -> None:
        hashed = _hash(checked_password(password))
        with self._store.write() as session:
            session.merge(self.by_name(name)).password_hash = hashed

    def ensure_owner(self) -> tuple[Account, bool]:
        """The owner's account, and whether it was made just now (without a password)."""
        with self._store.write():
            row = self.owner()
            return (row, False) if row else (self.create(OWNER, owner=True), True)

    def set_up(self, tokens: Tokens, code: str, name: str, password: str) -> None:
        """The owner's first visit: the one-time code gives the account a name and a password.

        Raises:
            NotSignedInError: the code was used before, or is too old; of two at once, one wins.
        """
        name, hashed = clean_name(name, "account name"), _hash(checked_password(password))
        with self._store.write() as session:
            used = tokens.use_code("setup", code)
            other = self._find(name)
            if other is not None and other.id != used.account_id:
                raise ConflictError(f"There is an account {name!r} already.", status=409)
            row = session.get_one(Account, used.account_id)
            row.name, row.password_hash = name, hashed

    def remove(self, name: str) -> None:
        """With everything that it has; its runs are stopped.

        Raises:
            ConflictError: it is the only owner.
        """
        with self._store.write() as session:
            row = session.merge(self.by_name(name))
            others = select(func.count()).where(Account.owner, Account.id != row.id)
            if row.owner and not session.scalar(others):
                raise ConflictError("The only owner cannot be removed.", status=409)
            end_runs(session, account_id=row.id)
            session.delete(row)

    def _find(self, name: str) -> Account | None:
        query = select(Account).where(or_(Account.name == name, Account.email == name))
        with self._store.read() as session:
            return session.scalars(query).first()


def principal(account: Account) -> Principal:
    """The account itself, with every right and no token: the command line and the sign-in page."""
    return Principal(account.id, account.name, account.email, owner=account.owner)


def checked_password(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise RejectedError(f"A password has at least {SHORTEST_PASSWORD} characters.", status=400)
    return password


def _is_text(name: str) -> bool:
    return len(name) <= 254 and "\x00" not in name and name.isprintable()


def _hash(password: str) -> str:
    with _HASHING:
        return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def _verify(known: str, password: str) -> bool:
    if len(password) > LONGEST_PASSWORD:
        return False
    with _HASHING:
        try:
            return _HASHER.verify(known, password.encode("utf-8", "surrogatepass"))
        except (VerifyMismatchError, InvalidHashError):
            return False
