"""The keys that sign what boxes run, below `signing` in the data folder: a file each, for its owner alone.

A file is named for its role and the key's id, so that a new key never takes the place of one that still counts: which
of them counts, the signed root says. Those of `root` and `targets` are wanted only to exchange keys and to release
agents: they may be taken away and kept offline. Whoever takes the hub then can change configurations, but the agents
of no box.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from protocol.errors import ConfigurationError

FOLDER: Final = "signing"


class SigningKeys:
    """The keys in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, role: str) -> CryptoSigner:
        """Make a key (Ed25519) for a role and keep it; raise ConfigurationError when it cannot be written."""
        signer = CryptoSigner.generate_ed25519()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._file(role, signer.public_key.keyid)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing:
                writing.write(signer.private_bytes)
                writing.flush()
                os.fsync(writing.fileno())
        except OSError as error:
            raise ConfigurationError(f"the key of {role} cannot be written: {error.strerror}") from error
        return signer

    def find(self, role: str, trusted: Collection[str]) -> CryptoSigner | None:
        """Return a key of a role whose id is trusted, None when it is not on this hub.

        Raises ConfigurationError when its file holds no key.
        """
        for keyid in trusted:
            file = self._file(role, keyid)
            try:
                return CryptoSigner(load_pem_private_key(file.read_bytes(), None))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError) as error:
                raise ConfigurationError(f"{file.name} cannot be used as a key") from error
        return None

    def missing(self, role: str, trusted: Collection[str]) -> ConfigurationError:
        """Return the error that says which file is wanted, and where."""
        wanted = " or ".join(self._file(role, keyid).name for keyid in trusted)
        return ConfigurationError(f"the key of {role} is not on this hub: put {wanted} into {self._folder}")

    def forget(self, role: str, keyids: Collection[str]) -> None:
        """Delete keys that count no longer."""
        for keyid in keyids:
            self._file(role, keyid).unlink(missing_ok=True)

    def _file(self, role: str, keyid: str) -> Path:
        return self._folder / f"{role}-{keyid[:16]}.pem"
