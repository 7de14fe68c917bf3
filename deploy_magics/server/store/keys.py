"""The server's own secrets: one 0600 file that signs id tokens and encrypts variables."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deploy_magics.errors import ServiceError
from deploy_magics.server.store.blobs import write_atomic

_NONCE = 12
_SHORTEST = 32


@dataclass(frozen=True, repr=False)
class Keys:
    """``signing`` signs id tokens; the key named ``current`` encrypts, the others still decrypt."""

    signing: bytes
    current: str
    sealing: dict[str, bytes]

    @classmethod
    def open(cls, path: Path, *, expected: str | None = None) -> Keys:
        """Read the file, or make it when this server has never had one.

        Args:
            expected: the key id that the database remembers, None for a new database.

        Raises:
            ServiceError: the file is lost, is another server's, is weak, or others may read it.
        """
        if not path.exists():
            if expected is not None:
                raise ServiceError(
                    f"The key file {path} is missing and this server's secrets need it.",
                    "Put it back from your backup, or name its place with --key-file.",
                )
            return cls._make(path)
        if path.stat().st_mode & 0o077:
            raise ServiceError(f"Others may read {path}.", f"Run: chmod 600 {path}")
        keys = cls._parse(path)
        if expected is not None and expected not in keys.sealing:
            raise ServiceError(
                f"{path} is not the key file of this database.", "Name the right one: --key-file."
            )
        return keys

    @classmethod
    def _parse(cls, path: Path) -> Keys:
        try:
            stored = json.loads(path.read_text())
            keys = cls(
                base64.b64decode(stored["signing"]),
                stored["current"],
                {name: base64.b64decode(key) for name, key in stored["sealing"].items()},
            )
            weak = len(keys.signing) < _SHORTEST or any(len(k) < 32 for k in keys.sealing.values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServiceError(f"{path} is not a key file of this service.") from error
        if weak or keys.current not in keys.sealing:
            raise ServiceError(f"The secrets in {path} are too short.", "Use at least 32 bytes.")
        return keys

    @classmethod
    def _make(cls, path: Path) -> Keys:
        name = secrets.token_hex(4)
        keys = cls(secrets.token_bytes(48), name, {name: AESGCM.generate_key(256)})
        stored = {
            "signing": _text(keys.signing),
            "current": name,
            "sealing": {name: _text(keys.sealing[name])},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(stored, indent=1).encode(), mode=0o600)
        return keys

    def seal(self, text: str, *, place: str) -> tuple[bytes, str]:
        """Cipher text and key id. ``place`` names the row: elsewhere it does not decrypt."""
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(self.sealing[self.current]).encrypt(nonce, text.encode(), place.encode())
        return nonce + sealed, self.current

    def unseal(self, cipher: bytes, key_id: str | None, *, place: str) -> str:
        key = self.sealing.get(key_id or self.current)
        if key is None:
            raise ServiceError("A secret was encrypted with a key that is not here.", status=500)
        try:
            plain = AESGCM(key).decrypt(cipher[:_NONCE], cipher[_NONCE:], place.encode())
        except InvalidTag as error:
            raise ServiceError("A secret does not belong to its row.", status=500) from error
        return plain.decode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
