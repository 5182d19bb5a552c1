"""The tree of the custody log against the definitions of RFC 6962, written out as they stand there."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.custody import tree
from hub.custody.tree import Node, Stretch

LEAVES = [bytes([number]) * (number % 5) for number in range(70)]
SIZES = st.integers(1, len(LEAVES))


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """Section 2.1: MTH(D[n])."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + root_by_definition(leaves[:k]) + root_by_definition(leaves[k:])).digest()


def path_by_definition(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.1: PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*path_by_definition(m, leaves[:k]), root_by_definition(leaves[k:])]
    return [*path_by_definition(m - k, leaves[k:]), root_by_definition(leaves[:k])]


def proof_by_definition(m: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """Section 2.1.2: SUBPROOF(m, D[n], b)."""
    if m == len(leaves):
        return [] if whole else [root_by_definition(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*proof_by_definition(m, leaves[:k], whole=whole), root_by_definition(leaves[k:])]
    return [*proof_by_definition(m - k, leaves[k:], whole=False), root_by_definition(leaves[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@pytest.fixture(scope="module")
def nodes() -> dict[Node, bytes]:
    """Everything that is stored after the leaves were appended one by one."""
    stored: dict[Node, bytes] = {}
    for index, leaf in enumerate(LEAVES):
        siblings = [stored[each] for each in tree.completed_by(index)]
        new = tree.grown(index, tree.leaf_hash(leaf), siblings)
        assert not stored.keys() & new.keys()
        stored |= new
    return stored


@given(size=st.integers(0, len(LEAVES)))
def test_every_root_is_folded_from_what_is_stored(nodes: dict[Node, bytes], size: int) -> None:
    assert tree.folded(Stretch(0, size), nodes) == root_by_definition(LEAVES[:size])


@given(size=SIZES, data=st.data())
def test_inclusion_is_proved_and_nothing_else(nodes: dict[Node, bytes], size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = [tree.folded(each, nodes) for each in tree.inclusion_path(index, size)]
    assert path == path_by_definition(index, LEAVES[:size])
    root = root_by_definition(LEAVES[:size])
    leaf = tree.leaf_hash(LEAVES[index])
    assert tree.includes(leaf, index, size, path, root)
    assert not tree.includes(tree.leaf_hash(b"another"), index, size, path, root)
    assert not tree.includes(leaf, index, size, path, hashlib.sha256(root).digest())
    assert not tree.includes(leaf, index, size, [*path, root], root)
    other = data.draw(st.integers(-1, size + 1))
    assert tree.includes(leaf, other, size, path, root) == (other == index)
    if path:
        assert not tree.includes(leaf, index, size, path[1:], root)
        spot = data.draw(st.integers(0, len(path) - 1))
        assert not tree.includes(leaf, index, size, [*path[:spot], bytes(32), *path[spot + 1 :]], root)


@given(size=SIZES, data=st.data())
def test_consistency_is_proved_and_nothing_else(nodes: dict[Node, bytes], size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, size))
    path = [tree.folded(each, nodes) for each in tree.consistency_path(first, size)]
    assert path == proof_by_definition(first, LEAVES[:size])
    old, new = root_by_definition(LEAVES[:first]), root_by_definition(LEAVES[:size])
    assert tree.extends(first, old, size, new, path)
    assert not tree.extends(first, bytes(32), size, new, path)
    assert not tree.extends(first, old, size, bytes(32), path)
    assert not tree.extends(0, old, size, new, path)
    assert not tree.extends(size + 1, old, size, new, path)
    if first < size:
        assert not tree.extends(first, old, size, new, [*path, old])
        assert not tree.extends(first, old, size, new, path[:-1])


def test_known_hashes() -> None:
    """The empty tree and an empty leaf, as section 2.1 gives them."""
    assert tree.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
