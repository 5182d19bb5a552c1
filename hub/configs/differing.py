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
    found: Sequence[Difference], desired_at: datetime, reported: Tree, before: Iterable[tuple[datetime, Tree]]
) -> dict[str, datetime]:
    """Return since when each difference from what has been desired since `desired_at` was asked for, by path.

    `before` holds what was desired earlier and from when on, newest first; a difference counts from the oldest version
    of an unbroken run that asks for the same. No more of it is read than is needed.
    """
    since = {each.path: desired_at for each in found}
    unbroken = list(found)
    for at, desired in before:
        earlier = {each.path: each for each in differences(desired, reported)}
        unbroken = [each for each in unbroken if earlier.get(each.path) == each]
        if not unbroken:
            break
        since |= {each.path: at for each in unbroken}
    return since
