"""How long to wait before a camera is tried again."""

import random
from collections.abc import Iterator

LONGEST_S = 60.0


def backoff() -> Iterator[float]:
    """Yield 1, 2, 4 … 60 seconds for ever, each shortened by chance: cameras that fail together come back singly."""
    delay = 1.0
    while True:
        yield delay * random.uniform(0.75, 1.0)  # noqa: S311 - jitter, not a secret
        delay = min(delay * 2, LONGEST_S)
