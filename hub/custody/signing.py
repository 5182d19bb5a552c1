"""The log's own key: made at the first start, kept in the data folder for its user alone, never shown."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.custody.notes import Checkpoint, VerifierKey, signed
from protocol.errors import ConfigurationError

KEY_FILE: Final = "custody.key"


class Signer:
    """Signs checkpoints. The log is named after the key, so that no two logs have one name."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes_raw()
        self.verifier = VerifierKey(f"diwang/custody/{hashlib.sha256(public).hexdigest()[:16]}", public)

    def sign(self, size: int, root: bytes) -> str:
        """Return the signed note that says that the first `size` entries have this root."""
        return signed(Checkpoint(self.verifier.name, size, root), self._key, self.verifier)


def open_signer(folder: Path) -> Signer:
    """Return the signer of the key in this folder; make the key (mode 0600) if there is none.

    Several processes may start at once: one key comes of it. Raises ConfigurationError for a file that holds no Ed25519
    key, or that cannot be read or written: a log that changes its key would prove nothing.
    """
    file = folder / KEY_FILE
    try:
        if not file.exists():
            _make(file)
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"the custody log's key {file} cannot be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"the custody log's key {file} is not an Ed25519 key")
    return Signer(key)


def _make(file: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{uuid4().hex}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(pem)
            new.flush()
            os.fsync(new.fileno())
        with suppress(FileExistsError):  # another process was first: its key is the log's
            os.link(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
