"""Text that not every database can keep: PostgreSQL has no U+0000, neither in text nor in JSON."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from protocol.messages import Record

_ESCAPED: Final = b"\\u0000"


def suspected(payload: bytes) -> bool:
    """Tell whether a JSON message may hold U+0000: cheap, and sure when it says no. JSON has it only escaped."""
    return _ESCAPED in payload


def unstorable(value: Any, path: str = "$") -> str | None:  # noqa: ANN401 - any JSON value
    """Return why a value cannot be stored, None when it can."""
    if isinstance(value, str):
        return f"the character U+0000 at {path}: it cannot be stored" if "\0" in value else None
    parts: Iterable[tuple[str, Any]]
    if isinstance(value, dict):
        if any("\0" in name for name in value):
            return f"the character U+0000 in a name at {path}: it cannot be stored"
        parts = ((f"{path}.{name}", part) for name, part in value.items())
    elif isinstance(value, list):
        parts = ((f"{path}[{index}]", part) for index, part in enumerate(value))
    else:
        return None
    return next((reason for place, part in parts if (reason := unstorable(part, place))), None)


def whole(record: Record, extra: dict[str, Any] | None) -> dict[str, Any]:
    """Return a record as JSON values, with what came beside it."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return {**(extra or {}), **fields}
