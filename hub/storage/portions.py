"""Long lists in portions: both databases bound the parameters of one statement to about 32,000."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

Item = TypeVar("Item")

ROWS: Final = 500


def portions(items: Sequence[Item], size: int = ROWS) -> Iterator[Sequence[Item]]:
    """Yield the items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
