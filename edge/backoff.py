"""How long to wait before the next attempt."""

from collections.abc import Iterator
from random import Random


def delays(chance: Random, *, first_s: float = 1.0, most_s: float = 60.0) -> Iterator[float]:
    """Yield seconds without end: doubling from `first_s` to `most_s`, each shortened by chance by up to a half.

    Chance keeps a thousand boxes from coming back in the same second after an outage.
    """
    bound = first_s
    while True:
        yield bound * chance.uniform(0.5, 1.0)
        bound = min(2 * bound, most_s)
