"""Text that not every database can keep: PostgreSQL has no U+0000, neither in text nor in JSON."""

from typing import Any, Final

import msgspec

from protocol.messages import Record
from protocol.values import members

_ESCAPED: Final = b"\\u0000"


def suspected(payload: bytes) -> bool:
    """Tell whether a JSON message may hold U+0000: cheap, and sure when it says no. JSON has it only escaped."""
    return _ESCAPED in payload


def unstorable(value: Any, path: str = "$") -> str | None:  # noqa: ANN401 - any JSON value
    """Return why a value cannot be stored, None when it can."""
    if isinstance(value, str) and "\0" in value:
        return f"the character U+0000 at {path}: it cannot be stored"
    if isinstance(value, dict) and any("\0" in name for name in value):
        return f"the character U+0000 in a name at {path}: it cannot be stored"
    return next((reason for place, part in members(value, path) if (reason := unstorable(part, place))), None)


def whole(record: Record, extra: dict[str, Any] | None) -> dict[str, Any]:
    """Return a record as JSON values, with what came beside it."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return {**(extra or {}), **fields}
