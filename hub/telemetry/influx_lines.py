"""Telemetry as InfluxDB line protocol, and its texts back again.

    reading,gateway=g1,device=fridge-1,name=temperature_c number=4.5,received=1790236800500000i 1790236800000000
    position,gateway=g1,device=van-7 latitude=24.57,longitude=118.1,present="",received=… …
    series,gateway=g1,device=fridge-1,name=temperature_c kind="number" 0
    batch,gateway=g1,epoch=… id="…" …

A reading has one of the fields `number`, `flag` and `text`, so a field never changes its type. A point with the same
tags and time is merged field by field: what a position lacked is therefore said in `present`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

import msgspec

from hub.telemetry.catalogue import Series, SeriesType
from hub.telemetry.columns import EPOCH, POSITION_FIELDS
from hub.telemetry.contract import Arrival, Scalar, SeriesKey
from protocol.messages import Position

OTHER_IDS_END_NS: Final = 86_400 * 10**9
"""Batches whose id carries no time are filed within the first day of 1970."""

INTEGERS: Final = frozenset({"satellites", "quality"})
"""The fields of a position that are whole numbers."""

OPENED: Final = "store layout=1i 0"
"""Written at each opening, always the same: a bucket that drops old points refuses it."""

_UNSPEAKABLE = re.compile(r"[%\\\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OPTIONAL: Final = tuple(name for name in POSITION_FIELDS if name not in {"latitude", "longitude", "flags"})
_MICROSECOND: Final = timedelta(microseconds=1)
_VERSION_7: Final = 7


def tag(text: str) -> str:
    """Write a tag value. What line protocol cannot say there (a line end, a last backslash) is percent-encoded."""
    return stored_tag(text).replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def stored_tag(text: str) -> str:
    """Return how a tag value is stored and compared with."""
    return _UNSPEAKABLE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def from_tag(stored: str) -> str:
    """Read a stored tag value."""
    return unquote(stored, errors="strict")


def string(text: str) -> str:
    """Write a string field."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def microseconds(at: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


def series_prefix(key: SeriesKey) -> str:
    """Return what every reading of a series begins with."""
    return f"reading,gateway={key.gateway},device={key.device},name={tag(key.name)} "


def value(fit: Scalar, kind: SeriesType) -> str:
    """Write the field of a value that fits its series."""
    if kind is SeriesType.NUMBER:
        return f"number={fit!r}"
    return f"text={string(str(fit))}" if kind is SeriesType.TEXT else f"flag={'t' if fit else 'f'}"


def series(key: SeriesKey, entry: Series) -> str:
    """Write the line that keeps the type of a series for ever."""
    return f'series,gateway={key.gateway},device={key.device},name={tag(key.name)} kind="{entry.kind}" 0'


def position(gateway: str, fix: Position, received_us: int, extra: str) -> str:
    """Write a position; `extra` is what `extra_field` gave."""
    present = [name for name in _OPTIONAL if getattr(fix, name) is not None]
    fields = [f"latitude={float(fix.latitude)!r}", f"longitude={float(fix.longitude)!r}"]
    for name in present:
        number = getattr(fix, name)
        fields.append(f"{name}={number}i" if name in INTEGERS else f"{name}={float(number)!r}")
    fields.append(f'present="{",".join(present)}",flags={string(msgspec.json.encode(fix.flags).decode())}')
    joined = ",".join(fields)
    return (
        f"position,gateway={gateway},device={fix.device} {joined},received={received_us}i{extra} {microseconds(fix.at)}"
    )


def extra_field(extra: Mapping[str, Any] | None) -> str:
    """Write the field that holds unknown fields as JSON, with its comma; nothing when there are none."""
    return f",extra={string(msgspec.json.encode(extra).decode())}" if extra else ""


def batch(arrival: Arrival) -> str:
    """Write the line, in nanoseconds, by which a batch is known again."""
    made = arrival.batch
    return f'batch,gateway={made.gateway},epoch={made.epoch} id="{made.id}" {batch_ns(made.id)}'


def batch_ns(batch_id: UUID) -> int:
    """Return the time under which a batch is filed: that of its id, with a fraction that tells ids of one moment apart.

    Two ids of one gateway share a time once in a million pairs of one millisecond; the earlier is then forgotten, and
    offering it again writes the same points again.
    """
    spread = int.from_bytes(blake2b(batch_id.bytes, digest_size=8).digest())
    milliseconds = batch_id.int >> 80
    at = EPOCH + timedelta(milliseconds=milliseconds) if milliseconds < _LATEST_MS else None
    if batch_id.version != _VERSION_7 or at is None or at.year == EPOCH.year:
        return spread % OTHER_IDS_END_NS
    return milliseconds * 1_000_000 + spread % 1_000_000


_LATEST_MS: Final = (datetime(2262, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
