"""The Merkle tree of RFC 6962 (section 2; checks as RFC 9162 sections 2.1.3.2 and 2.1.4.2 write them out). Pure.

A tree of any size is made of perfect subtrees. Only those are stored, each once and for ever: `Node(level, place)`
covers the leaves from `place << level` up to `(place + 1) << level`. Every root and every proof is folded from a few.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

EMPTY_ROOT: Final = hashlib.sha256().digest()


class Node(NamedTuple):
    """A perfect subtree of 2^level leaves."""

    level: int
    place: int


class Stretch(NamedTuple):
    """The leaves with start <= index < end."""

    start: int
    end: int


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf; its prefix keeps it from being taken for an inner node."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed_by(index: int) -> list[Node]:
    """Return the left siblings that the leaf at `index` completes subtrees with, from the bottom up."""
    siblings = []
    level = 0
    while index & 1:
        siblings.append(Node(level, index - 1))
        index >>= 1
        level += 1
    return siblings


def grown(index: int, leaf: bytes, siblings: Sequence[bytes]) -> dict[Node, bytes]:
    """Return every node that appending a leaf hash at `index` completes, given the hashes of `completed_by(index)`."""
    nodes = {Node(0, index): leaf}
    value = leaf
    for level, sibling in enumerate(siblings, 1):
        value = node_hash(sibling, value)
        nodes[Node(level, index >> level)] = value
    return nodes


def covering(stretch: Stretch) -> list[Node]:
    """Return the perfect subtrees that a stretch of RFC 6962's recursion is made of, from left to right."""
    nodes = []
    start = stretch.start
    while start < stretch.end:
        level = (stretch.end - start).bit_length() - 1
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def folded(stretch: Stretch, hashes: Mapping[Node, bytes]) -> bytes:
    """Return the hash of a stretch from those of its subtrees. Raises KeyError for one that is missing."""
    nodes = covering(stretch)
    if not nodes:
        return EMPTY_ROOT
    value = hashes[nodes[-1]]
    for node in reversed(nodes[:-1]):
        value = node_hash(hashes[node], value)
    return value


def inclusion_path(index: int, size: int) -> list[Stretch]:
    """Return whose hashes prove that the leaf at `index` is in the tree of `size` leaves, from the bottom up."""
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(Stretch(middle, end))
            end = middle
        else:
            path.append(Stretch(start, middle))
            start = middle
    return path[::-1]


def consistency_path(first: int, size: int) -> list[Stretch]:
    """Return whose hashes prove that the tree of `first` leaves is the beginning of the one of `size`; 0 < first."""
    path = []
    start, end = 0, size
    while start < first < end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(Stretch(middle, end))
            end = middle
        else:
            path.append(Stretch(start, middle))
            start = middle
    if start > 0:
        path.append(Stretch(start, end))
    return path[::-1] if first < size else []


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a path proves that a leaf hash stands at `index` in the tree of this size and root."""
    if not 0 <= index < size:
        return False
    place, last, value = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            value = node_hash(step, value)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            value = node_hash(value, step)
        place >>= 1
        last >>= 1
    return last == 0 and value == root


def extends(first: int, first_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether a path proves that the second tree is the first one with leaves appended."""
    if not 0 < first <= size:
        return False
    if first == size:
        return not path and first_root == root
    steps = list(path)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        return False
    place, last = first - 1, size - 1
    while place & 1:
        place >>= 1
        last >>= 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            new = node_hash(new, step)
        place >>= 1
        last >>= 1
    return last == 0 and old == first_root and new == root


def _split(size: int) -> int:
    """Return the largest power of two below `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1
