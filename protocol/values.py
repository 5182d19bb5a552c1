"""Values of any shape, as JSON has them: what they are made of, and what in one cannot be handed on."""

import math
from collections.abc import Iterator
from typing import Any, Final

MAX_DEPTH: Final = 64
"""How deep values of any shape may nest: whoever writes or reads them later has limits of their own."""


def unfit(value: Any, path: str = "$", depth: int = 0) -> str | None:  # noqa: ANN401 - any JSON value
    """Return why a value cannot be handed on, None when it can.

    A NaN or an infinity hides in it (Python's and C's printers write them, JSON has none), or half of a character (an
    escaped surrogate), or it nests deeper than MAX_DEPTH.
    """
    if isinstance(value, float):
        return None if math.isfinite(value) else f"not a finite number at {path}"
    if isinstance(value, str):
        return None if is_text(value) else f"half of a character at {path}"
    if isinstance(value, dict) and not all(map(is_text, value)):
        return f"half of a character in a name at {path}"
    if isinstance(value, dict | list) and depth == MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH} levels"
    return next((flaw for place, part in members(value, path) if (flaw := unfit(part, place, depth + 1))), None)


def members(value: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON value
    """Return the parts of an object or an array with the place of each, in a value that is at `path`; else nothing."""
    if isinstance(value, dict):
        return ((f"{path}.{name}", part) for name, part in value.items())
    if isinstance(value, list):
        return ((f"{path}[{index}]", part) for index, part in enumerate(value))
    return iter(())


def is_text(value: str) -> bool:
    """Tell whether a string holds whole characters only: UTF-8 has no other."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
