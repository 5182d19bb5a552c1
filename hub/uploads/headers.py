"""The headers of tus 1.0 (tus.io/protocols/resumable-upload), read strictly. All of them come from strangers."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from hub.api.times import Instant
from hub.api.values import Level
from protocol.errors import RefusedRequestError

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,expiration,checksum"
ALGORITHMS: Final = ("sha256", "sha1")
OFFSET_TYPE: Final = "application/offset+octet-stream"
CHECKSUM_MISMATCH: Final = 460
LONGEST_METADATA: Final = 8_192
MOST_KEYS: Final = 32

_KEY: Final = re.compile(r"[!-+\--~]{1,64}")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]


class Declared(BaseModel):
    """What an upload says of itself. Other keys are kept beside it as they came."""

    model_config = ConfigDict(extra="forbid")

    sha256: Sha256
    sm3: Sha256 | None = None
    device: Level | None = None
    began_at: Instant | None = None
    ended_at: Instant | None = None
    filename: Name | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Declared":
        if self.began_at is not None and self.ended_at is not None and self.began_at > self.ended_at:
            raise ValueError("it ends before it begins")
        return self


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request hash to."""

    algorithm: str
    digest: bytes = field(repr=False)

    def fits(self, payload: bytes) -> bool:
        """Tell whether these are the bytes."""
        return hashlib.new(self.algorithm, payload, usedforsecurity=False).digest() == self.digest


def require_version(said: str | None) -> None:
    """Raise RefusedRequestError (412) for another version of the protocol."""
    if said != VERSION:
        raise RefusedRequestError("uploads.version", f"send Tus-Resumable: {VERSION}", status=412)


def number(name: str, text: str | None) -> int:
    """Read a header that counts bytes. Raises RefusedRequestError (400)."""
    if text is None or not _NUMBER.fullmatch(text):
        raise RefusedRequestError("uploads.bad_header", f"{name} must be a number of bytes", status=400)
    return int(text)


def metadata(text: str | None) -> Declared:
    """Read Upload-Metadata. Raises RefusedRequestError: 400 for what is not of the protocol, 422 for a wrong value."""
    pairs = _pairs(text or "")
    known = {name: value for name, value in pairs.items() if name in Declared.model_fields}
    try:
        return Declared.model_validate(known)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        raise RefusedRequestError("uploads.bad_metadata", f"Upload-Metadata: {found}", status=422) from error


def checksum(text: str | None) -> Checksum | None:
    """Read Upload-Checksum, if there is one. Raises RefusedRequestError (400)."""
    if text is None:
        return None
    algorithm, _, encoded = text.partition(" ")
    if algorithm not in ALGORITHMS:
        detail = f"Upload-Checksum: of {', '.join(ALGORITHMS)}"
        raise RefusedRequestError("uploads.bad_checksum", detail, status=400)
    digest = _decoded("Upload-Checksum", encoded)
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise RefusedRequestError("uploads.bad_checksum", "Upload-Checksum: of another length", status=400)
    return Checksum(algorithm, digest)


def http_date(at: datetime) -> str:
    """Write an instant as HTTP does (RFC 9110 section 5.6.7), whatever the locale."""
    return format_datetime(at.astimezone(UTC), usegmt=True)


def _pairs(text: str) -> dict[str, str]:
    if len(text) > LONGEST_METADATA:
        raise RefusedRequestError("uploads.bad_header", f"Upload-Metadata: more than {LONGEST_METADATA}", status=400)
    pairs: dict[str, str] = {}
    for part in text.split(",") if text.strip() else ():
        key, _, encoded = part.strip().partition(" ")
        if not _KEY.fullmatch(key) or key in pairs or len(pairs) == MOST_KEYS:
            raise RefusedRequestError("uploads.bad_header", "Upload-Metadata: a key is not one, or twice", status=400)
        try:
            pairs[key] = _decoded("Upload-Metadata", encoded.strip()).decode()
        except UnicodeDecodeError as error:
            raise RefusedRequestError("uploads.bad_header", "Upload-Metadata: not UTF-8", status=400) from error
    return pairs


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedRequestError("uploads.bad_header", f"{name}: not base64", status=400) from error
