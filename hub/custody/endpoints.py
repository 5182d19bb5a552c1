"""The custody log over HTTP: what it says, and the proofs that it says so to everybody."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.api.values import Line
from hub.custody import checkpointing, proving, repository
from hub.custody.model import CustodyCheckpoint, CustodyEntry
from hub.custody.schemas import CheckpointOut, ConsistencyOut, EntryOut, InclusionOut, LogOut, encoded
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["custody"])

Reader = Annotated[Caller, caller_with(Scope.CUSTODY_READ)]
Number = Annotated[int, Path(ge=0, le=2**63 - 1)]
Size = Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Size of the tree; that of now when left out")]
Item = Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="SHA-256 of the evidence")]


@router.get("/custody")
async def get_custody_log(parts: PartsHere, _: Reader) -> LogOut:
    """The log's public key, its size and its newest checkpoint."""
    async with parts.database.read() as session:
        size = await repository.size(session)
        seal = await repository.newest_checkpoint(session)
    verifier = parts.custody.verifier
    return LogOut(
        name=verifier.name,
        key=str(verifier),
        fingerprint=verifier.fingerprint,
        entries=size,
        checkpoint=seal.note if seal else None,
        stamped_at=seal.stamped_at if seal else None,
    )


@router.get("/custody/entries")
async def list_custody_entries(
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    item: Item = None,
    kind: Annotated[Line | None, Query(description="footage.received, footage.viewed …")] = None,
) -> Page[EntryOut]:
    """Entries in the order of the log."""
    async with parts.database.read() as session:
        wanted = repository.entries(item=item, kind=kind)
        return await paging.page(session, wanted, (CustodyEntry.number,), EntryOut.of)


@router.get("/custody/entries/{number}/inclusion", responses=problems(404))
async def prove_inclusion(number: Number, parts: PartsHere, _: Reader, size: Size = None) -> InclusionOut:
    """Proof that an entry is in the tree."""
    async with parts.database.read() as session:
        await repository.entry(session, number)
        size = await _size(session, size)
        if number >= size:
            raise RefusedRequestError("custody.not_yet", f"entry {number} is not in the first {size}", status=404)
        path = await proving.inclusion(session, number, size)
        root = await checkpointing.root(session, size)
    return InclusionOut(number=number, size=size, root=encoded(root), path=[encoded(each) for each in path])


@router.get("/custody/consistency", responses=problems(404))
async def prove_consistency(
    parts: PartsHere,
    _: Reader,
    first: Annotated[int, Query(ge=1, le=2**63 - 1, description="Size of the earlier tree")],
    size: Size = None,
) -> ConsistencyOut:
    """Proof that nothing was changed or taken out between two sizes of the log."""
    async with parts.database.read() as session:
        size = await _size(session, size)
        if first > size:
            raise RefusedRequestError("custody.not_yet", f"the log had {size} entries, not {first}", status=404)
        path = await proving.consistency(session, first, size)
        first_root, root = await checkpointing.root(session, first), await checkpointing.root(session, size)
    return ConsistencyOut(
        first=first,
        first_root=encoded(first_root),
        size=size,
        root=encoded(root),
        path=[encoded(each) for each in path],
    )


@router.get("/custody/checkpoints")
async def list_custody_checkpoints(parts: PartsHere, _: Reader, paging: PagingHere) -> Page[CheckpointOut]:
    """Seals of the log, newest first."""
    async with parts.database.read() as session:
        order = (CustodyCheckpoint.size.desc(),)
        return await paging.page(session, repository.checkpoints(), order, CheckpointOut.of)


async def _size(session: AsyncSession, wanted: int | None) -> int:
    there = await repository.size(session)
    if wanted is not None and wanted > there:
        raise RefusedRequestError("custody.not_yet", f"the log has {there} entries, not {wanted}", status=404)
    return wanted if wanted is not None else there
