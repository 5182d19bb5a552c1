"""Proofs out of the log: that an entry is in it, and that a later log is an earlier one continued."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from hub.custody import checkpointing, repository, tree
from hub.custody.documents import ProofDocument, ProvenEntry
from hub.custody.model import CustodyCheckpoint, CustodyEntry
from hub.custody.signing import Signer
from hub.custody.tree import Node, Stretch
from protocol.clock import Clock
from protocol.errors import PermanentError


async def document(session: AsyncSession, clock: Clock, signer: Signer, item: str) -> ProofDocument | None:
    """Return everything that the log says of a piece of evidence, with its proofs; None when it says nothing.

    Under the earliest checkpoint with a time stamp that holds all of it; else under a checkpoint that is signed now, so
    the caller's transaction must be one that writes. Raises PermanentError as `checkpointing.checkpoint` does.
    """
    entries = await repository.of_item(session, item)
    if not entries:
        return None
    seal = await repository.checkpoint_covering(session, entries[-1].number, stamped=True)
    seal = seal or await repository.checkpoint_covering(session, entries[-1].number, stamped=False)
    seal = seal or await checkpointing.checkpoint(session, clock, signer)
    if seal is None:
        raise PermanentError("the custody log has entries and no size")
    return await _under(session, signer, seal, entries)


async def inclusion(session: AsyncSession, number: int, size: int) -> list[bytes]:
    """Return the path of an entry in the tree of `size` leaves; number < size <= the log's."""
    return await _hashes(session, tree.inclusion_path(number, size))


async def consistency(session: AsyncSession, first: int, size: int) -> list[bytes]:
    """Return the path that proves the tree of `size` leaves to continue that of `first`; 0 < first <= size."""
    return await _hashes(session, tree.consistency_path(first, size))


async def _under(
    session: AsyncSession, signer: Signer, seal: CustodyCheckpoint, entries: Sequence[CustodyEntry]
) -> ProofDocument:
    paths = [tree.inclusion_path(entry.number, seal.size) for entry in entries]
    hashes = await repository.hashes(session, _nodes([stretch for path in paths for stretch in path]))
    return ProofDocument(
        key=str(signer.verifier),
        checkpoint=seal.note,
        stamp=seal.stamp,
        entries=tuple(
            ProvenEntry(number=entry.number, leaf=entry.leaf, path=tuple(tree.folded(each, hashes) for each in path))
            for entry, path in zip(entries, paths, strict=True)
        ),
    )


async def _hashes(session: AsyncSession, path: Sequence[Stretch]) -> list[bytes]:
    hashes = await repository.hashes(session, _nodes(path))
    return [tree.folded(stretch, hashes) for stretch in path]


def _nodes(path: Sequence[Stretch]) -> set[Node]:
    return {node for stretch in path for node in tree.covering(stretch)}
