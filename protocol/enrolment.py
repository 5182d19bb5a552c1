"""How a box is enrolled: the one-time code, the ticket that carries it, and the digits that two people compare.

The ticket is what the QR code of a work order says: `gw1:https://hub.example:8443/e/<code>#<fingerprint>`. The
fingerprint is the SHA-256 of the DER form of the hub's root certificate, so whoever holds the ticket can tell the hub
from anybody who pretends to be it.
"""

import hashlib
import re
import secrets
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from protocol.errors import UndecodableMessageError

CODE_BITS: Final = 80
CODE_CHARACTERS: Final = 16
GATEWAY_API: Final = "/gateway/v1"

_SCHEME: Final = "gw1:"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# What people read or type for another character (Crockford's base 32).
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})
_CODE: Final = re.compile(f"[{_ALPHABET}]{{{CODE_CHARACTERS}}}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST: Final = 500
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Ticket(NamedTuple):
    """Where the hub's door is, the one-time code, and the SHA-256 of the root certificate in lower-case hexadecimal."""

    door: str
    code: str
    fingerprint: str

    def __repr__(self) -> str:
        return f"Ticket(door={self.door!r}, code='***', fingerprint={self.fingerprint!r})"

    def __str__(self) -> str:
        return f"{_SCHEME}{self.door}/e/{self.code}#{self.fingerprint}"


def new_code() -> str:
    """Return a fresh code of 80 random bits: 16 characters of Crockford's base 32."""
    number = secrets.randbits(CODE_BITS)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(CODE_BITS - 5, -1, -5))


def grouped(code: str) -> str:
    """Return a code as people read it aloud: ABCD-EFGH-JKMN-PQRS."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def read_code(text: str) -> str:
    """Return the code that somebody typed: case, hyphens and look-alikes do not matter.

    Raises UndecodableMessageError, which does not repeat the text.
    """
    code = text.strip().upper().translate(_MISREAD)
    if not _CODE.fullmatch(code):
        raise UndecodableMessageError(f"a code has {CODE_CHARACTERS} letters and digits", b"")
    return code


def read_ticket(text: str) -> Ticket:
    """Return what a QR code or a pasted address says; the leading `gw1:` may be missing.

    The door is an https address; plain http is taken only on the machine itself. Raises UndecodableMessageError, which
    does not repeat the text.
    """
    written = text.strip().removeprefix(_SCHEME)
    try:
        url = urlsplit(written if len(written) <= _LONGEST else "")
        port = url.port
    except ValueError as error:
        raise _no_ticket() from error
    secure = url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)
    path = re.fullmatch(r"/e/([^/]+)", url.path)
    whole = secure and url.hostname and path and not url.username and not url.password and not url.query
    if not whole or path is None or not _FINGERPRINT.fullmatch(url.fragment.lower()):
        raise _no_ticket()
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    door = f"{url.scheme}://{host}" + (f":{port}" if port is not None else "")
    return Ticket(door, read_code(path[1]), url.fragment.lower())


def check_digits(code: str, public_key: bytes) -> str:
    """Return the six digits that box and hub show: whoever sees the same on both knows that nobody stands between.

    `public_key` is the box's, as DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). The code is part of what is
    hashed, so that nobody who does not know it can look for another key with the same digits.
    """
    digest = hashlib.sha256(b"diwang enrolment 1\0" + code.encode("ascii") + b"\0" + public_key).digest()
    return f"{int.from_bytes(digest[:8]) % 1_000_000:06d}"


def _no_ticket() -> UndecodableMessageError:
    return UndecodableMessageError("no ticket: gw1:https://hub:port/e/CODE#FINGERPRINT is expected", b"")
