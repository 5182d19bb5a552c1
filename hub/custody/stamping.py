"""Time stamps of checkpoints by an authority that is not ours (RFC 3161), over HTTP (section 3.4)."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
from cryptography import x509
from rfc3161_client import TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
from rfc3161_client.base import HashAlgorithm
from rfc3161_client.errors import VerificationError
from rfc3161_client.tsp import PKIStatus, TimeStampResponse
from rfc3161_client.verify import SHA256_OID

from hub.custody.der import in_order
from protocol.errors import ConfigurationError, TransientError

ANSWER_WITHIN_S: Final = 10.0
LONGEST_STAMP: Final = 64 * 1024


class BadStampError(ValueError):
    """A time stamp that does not say what it should, or is not signed by whom it should."""


def roots_in(file: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file. Raises ConfigurationError."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} holds no PEM certificates: {error}") from error


async def ask(url: str, note: str, roots: Sequence[x509.Certificate]) -> tuple[bytes, datetime]:
    """Return the authority's stamp over a note, and the time that it says.

    Raises TransientError when the authority does not answer, refuses, or answers with what is no stamp of this note.
    """
    request = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    try:
        async with (
            httpx.AsyncClient(timeout=ANSWER_WITHIN_S, trust_env=False) as client,
            client.stream("POST", url, content=request.as_bytes(), headers=headers) as answer,
        ):
            answer.raise_for_status()
            stamp = await _bounded(answer)
    except httpx.HTTPError as error:
        raise TransientError(f"the time-stamping authority does not answer: {error!r}") from error
    try:
        return stamp, checked(stamp, note, roots, nonce=request.nonce)
    except BadStampError as error:
        raise TransientError(f"the time-stamping authority gave no good stamp: {error}") from error


def checked(stamp: bytes, note: str, roots: Sequence[x509.Certificate] = (), *, nonce: int | None = None) -> datetime:
    """Return the time of a stamp over a note. Raises BadStampError.

    Without `roots` only what the stamp says is checked, not who signed it.
    """
    try:
        response = decode_timestamp_response(in_order(stamp))
        _says(response, note, nonce)
        if roots:
            VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(response, note.encode())
        return response.tst_info.gen_time.astimezone(UTC)
    except (VerificationError, ValueError, TypeError) as error:
        raise BadStampError(str(error)) from error


def _says(response: TimeStampResponse, note: str, nonce: int | None) -> None:
    if PKIStatus(response.status) is not PKIStatus.GRANTED:
        raise BadStampError("it was not granted")
    imprint = response.tst_info.message_imprint
    if imprint.hash_algorithm.dotted_string != SHA256_OID or imprint.message != hashlib.sha256(note.encode()).digest():
        raise BadStampError("it is a stamp of something else")
    if nonce is not None and response.tst_info.nonce != nonce:
        raise BadStampError("it answers another request")


async def _bounded(answer: httpx.Response) -> bytes:
    stamp = bytearray()
    async for piece in answer.aiter_bytes():
        stamp += piece
        if len(stamp) > LONGEST_STAMP:
            raise TransientError("the time-stamping authority's answer is too long")
    return bytes(stamp)
