"""Signed checkpoints of the log, in the formats that transparency logs share (c2sp.org/signed-note, /tlog-checkpoint).

A note is plain text that a person can read and archive on paper:

    diwang/custody/3f9c0a7be1d24c55
    42
    0vS4…=                                     <- root of the tree of the first 42 entries

    — diwang/custody/3f9c0a7be1d24c55 k2Y…=    <- four bytes of the key's id, then its Ed25519 signature
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LONGEST_NOTE: Final = 4_096
ROOT_BYTES: Final = 32

_ED25519: Final = b"\x01"
_ID_BYTES: Final = 4
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME: Final = re.compile(r"[!-*,-~]{1,100}")


class BadNoteError(ValueError):
    """A note, a key or a checkpoint that is not of this format, or whose signature is not that of the key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to: that its first `size` entries have this root."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a log's key, with the name it signs under."""

    name: str
    public: bytes

    @classmethod
    def parsed(cls, text: str) -> "VerifierKey":
        """Read `<name>+<key id in hexadecimal>+<base64>`. Raises BadNoteError."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        key = _decoded(encoded)
        if not _NAME.fullmatch(name) or key[:1] != _ED25519 or len(key) != ROOT_BYTES + 1:
            raise BadNoteError("not a verifier key of an Ed25519 signature")
        found = cls(name, key[1:])
        if found.id.hex() != key_id:
            raise BadNoteError("the verifier key has another id than it says")
        return found

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @property
    def id(self) -> bytes:
        """The four bytes that signatures name the key by."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, in groups that people can compare."""
        digest = hashlib.sha256(self.public).hexdigest()
        return " ".join(digest[start : start + 8] for start in range(0, len(digest), 8))


def signed(checkpoint: Checkpoint, key: Ed25519PrivateKey, verifier: VerifierKey) -> str:
    """Return the checkpoint as a note with one signature."""
    text = str(checkpoint)
    signature = base64.b64encode(verifier.id + key.sign(text.encode())).decode()
    return f"{text}\n— {verifier.name} {signature}\n"


def opened(note: str, verifier: VerifierKey) -> Checkpoint:
    """Return the checkpoint of a note. Raises BadNoteError unless the key signed it, byte for byte."""
    if len(note) > LONGEST_NOTE:
        raise BadNoteError("the note is too long")
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise BadNoteError("the text has no signatures")
    text += "\n"
    prefix = f"— {verifier.name} "
    lines = [line.removeprefix(prefix) for line in signatures.splitlines() if line.startswith(prefix)]
    tried = [blob for blob in map(_decoded, lines) if blob[:_ID_BYTES] == verifier.id]
    if not tried:
        raise BadNoteError("the key has not signed it")
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public).verify(tried[0][_ID_BYTES:], text.encode())
    except (InvalidSignature, ValueError) as error:
        raise BadNoteError("the signature is not that of the key over this text") from error
    return _checkpoint(text, verifier.name)


def _checkpoint(text: str, origin: str) -> Checkpoint:
    match text.split("\n"):
        case [said, size, root, ""] if said == origin and _SIZE.fullmatch(size):
            decoded = _decoded(root)
            if len(decoded) == ROOT_BYTES:
                return Checkpoint(origin, int(size), decoded)
    raise BadNoteError("the text is not a checkpoint of this log")


def _decoded(text: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNoteError("not base64") from error
    if base64.b64encode(decoded).decode() != text:
        raise BadNoteError("not base64 as it is written")
    return decoded
