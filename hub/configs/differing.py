"""In what two configurations differ, key by key."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final


class _Absent:
    pass


_ABSENT: Final = _Absent()


Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A key whose values differ; None stands for a key that one side lacks."""

    path: str
    desired: Any
    reported: Any


def differences(desired: Tree, reported: Tree, path: str = "") -> Iterator[Difference]:
    """Yield where two trees differ, in the order of their keys. Tables are compared by key, lists as a whole."""
    for name in sorted(desired.keys() | reported.keys()):
        place = f"{path}.{name}" if path else name
        left, right = desired.get(name, _ABSENT), reported.get(name, _ABSENT)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from differences(left, right, place)
        elif left != right or isinstance(left, bool) != isinstance(right, bool):
            yield Difference(place, None if left is _ABSENT else left, None if right is _ABSENT else right)


def asked_since(
    found: Sequence[Difference], reported: Tree, history: Iterable[tuple[datetime, Tree]]
) -> dict[str, datetime]:
    """Return since when each difference has been asked for, by path.

    `history` holds what was desired and from when on, newest first and beginning with what is desired now; a difference
    counts from the oldest version of an unbroken run that asks for the same. No more of it is read than is needed.
    """
    since: dict[str, datetime] = {}
    open_ones = {each.path: each for each in found}
    for at, desired in history:
        before = {each.path: each for each in differences(desired, reported)}
        open_ones = {path: each for path, each in open_ones.items() if before.get(path) == each}
        if not open_ones:
            break
        since |= dict.fromkeys(open_ones, at)
    return since
