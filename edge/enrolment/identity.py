"""The box's identity on its disk: one file that holds key, certificate and the hub's root, and says how long it serves.

One file, so that a renewed identity takes the place of the old one in a single step. Before the PEM blocks stand lines
for those who cannot read certificates, which the agent cannot without a large library; PEM readers pass over them.
"""

from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = "identity"
IDENTITY: Final = "identity.pem"
NEXT: Final = "next.pem"
"""A renewed identity that was not tried yet, or was tried and has not taken over yet."""

PENDING_KEY: Final = "pending-key.pem"
"""The key of an enrolment that has begun: whoever asks the hub again with it is answered the same."""

ROOT: Final = "root.pem"

_LINES: Final = ("Issued-At", "Renew-At", "Not-After")
_HEAD_BYTES: Final = 512


class Validity(NamedTuple):
    """When an identity was issued, should be renewed, and ends: by the hub's clock."""

    issued_at: datetime
    renew_at: datetime
    not_after: datetime


def written(validity: Validity, key: bytes, *certificates: str) -> bytes:
    """Return the content of an identity file."""
    head = "".join(f"{name}: {at.isoformat()}\n" for name, at in zip(_LINES, validity, strict=True))
    return f"{head}\n".encode() + key + "".join(certificates).encode()


def validity_of(file: Path) -> Validity | None:
    """Return how long an identity serves; None for a file that did not come from an enrolment, or is not there."""
    try:
        with file.open("rb") as reading:
            head = reading.read(_HEAD_BYTES).decode("ascii", "replace")
        found = dict(line.split(": ", 1) for line in head.splitlines()[: len(_LINES)])
        times = [datetime.fromisoformat(found[name]) for name in _LINES]
    except (OSError, ValueError, KeyError):
        return None
    return Validity(*times) if all(each.tzinfo is not None for each in times) else None


def clock_is_behind(file: Path, now: datetime) -> bool:
    """Tell whether this clock is certainly wrong: it says that the box's own identity was not issued yet."""
    validity = validity_of(file)
    return validity is not None and now < validity.issued_at
