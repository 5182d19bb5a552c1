"""What a detector says, and the identity that makes finding it again change nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from msgspec import Struct, field

from protocol.messages import Severity

_NAMESPACE: Final = UUID("6f1f5f0e-6b0a-5d43-9c38-5a0e3b1d7c11")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Finding(Struct, frozen=True, kw_only=True):
    """One anomaly of one device, in device time (microseconds since 1970-01-01 UTC).

    The same finding comes again with `ended_us` set when its condition ends. `decided_us` is the time of the fix that
    settled that it is one. `summary` is its measure, which needs no language ("148 m"), empty where there is none.
    """

    type: str
    severity: Severity
    began_us: int
    decided_us: int
    ended_us: int | None = None
    summary: str
    data: dict[str, Any] = field(default_factory=dict)


def identity(kind: str, gateway: str, device: str, began: int | UUID) -> UUID:
    """Return the id of an anomaly: by its rule, its device and when it began, or by the event that told of it."""
    return uuid5(_NAMESPACE, f"{kind}\n{gateway}\n{device}\n{began}")


def microseconds(at: datetime) -> int:
    """Return an instant as whole microseconds since 1970-01-01 UTC."""
    return (at - _EPOCH) // _MICROSECOND


def instant(at_us: int) -> datetime:
    """Return the instant of whole microseconds since 1970-01-01 UTC."""
    return _EPOCH + timedelta(microseconds=at_us)
