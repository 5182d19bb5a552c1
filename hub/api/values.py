"""Values that many requests hold: numbers, text and JSON, bounded to what both databases and every box can read."""

import math
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints

from protocol.topics import LEVEL_PATTERN
from protocol.values import is_text

_DEEPEST: Final = 32
_INTEGERS: Final = 2**63


def _plain(value: Any, depth: int = 1) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value; raise ValueError for what only some readers of JSON can read."""
    if depth > _DEEPEST:
        raise ValueError(f"nested deeper than {_DEEPEST} levels")
    match value:
        case dict():
            for name, part in value.items():
                _plain(name, depth)
                _plain(part, depth + 1)
        case list():
            for part in value:
                _plain(part, depth + 1)
        case str() if "\0" in value or not is_text(value):
            raise ValueError("text holds a NUL or half of a character")
        case float() if not math.isfinite(value):
            raise ValueError("not a finite number")
        case int() if not -_INTEGERS <= value < _INTEGERS:
            raise ValueError("an integer beyond 64 bits")
    return value


RowNumber = Annotated[int, Field(ge=1, le=2**63 - 1)]
Level = Annotated[str, StringConstraints(pattern=LEVEL_PATTERN)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
JsonObject = Annotated[dict[str, Any], AfterValidator(_plain)]
