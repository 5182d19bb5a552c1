"""In what two configurations differ, key by key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final


class _Absent:
    pass


_ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """A key whose values differ; None stands for a key that one side lacks."""

    path: str
    desired: Any
    reported: Any


def differences(desired: Mapping[str, Any], reported: Mapping[str, Any], path: str = "") -> Iterator[Difference]:
    """Yield where two trees differ, in the order of their keys. Tables are compared by key, lists as a whole."""
    for name in sorted(desired.keys() | reported.keys()):
        place = f"{path}.{name}" if path else name
        left, right = desired.get(name, _ABSENT), reported.get(name, _ABSENT)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from differences(left, right, place)
        elif left != right or isinstance(left, bool) != isinstance(right, bool):
            yield Difference(place, None if left is _ABSENT else left, None if right is _ABSENT else right)
