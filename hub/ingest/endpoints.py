"""Dead letters: list, look at, replay."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.problems import problems
from hub.api.values import Level
from hub.ingest import repository
from hub.ingest.deliveries import Part
from hub.ingest.model import DeadLetter
from hub.ingest.schemas import DeadLetterDetail, DeadLetterOut
from hub.parts import PartsHere
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["dead letters"])

Reader = Annotated[Caller, caller_with(Scope.DEAD_LETTERS_READ)]


@router.get("/dead-letters")
async def list_dead_letters(
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    gateway: Annotated[Level | None, Query(description="Only from this gateway")] = None,
    part: Annotated[Part | None, Query(description="Only of this kind")] = None,
) -> Page[DeadLetterOut]:
    """What could not be used, newest first."""
    wanted = select(DeadLetter).options(defer(DeadLetter.payload))
    if gateway is not None:
        wanted = wanted.where(DeadLetter.gateway == gateway)
    if part is not None:
        wanted = wanted.where(DeadLetter.part == part.value)
    async with parts.database.read() as session:
        return await paging.page(session, wanted, (DeadLetter.at.desc(), DeadLetter.id.desc()), DeadLetterOut.of)


@router.get("/dead-letters/{letter_id}", responses=problems(404))
async def get_dead_letter(letter_id: UUID, parts: PartsHere, _: Reader) -> DeadLetterDetail:
    """One dead letter with its bytes."""
    async with parts.database.read() as session:
        return DeadLetterDetail.whole(await _found(session, letter_id))


@router.post("/dead-letters/{letter_id}/replay", responses=problems(404))
async def replay_dead_letter(
    letter_id: UUID, parts: PartsHere, _: Annotated[Caller, caller_with(Scope.DEAD_LETTERS_REPLAY)]
) -> DeadLetterOut:
    """Take it once more, the whole way that it would have gone. Doing so twice changes nothing."""
    async with parts.database.read() as session:
        letter = await _found(session, letter_id)
    result = await parts.replayer.replay(letter)
    async with parts.database.write() as session:
        row = await _found(session, letter_id)
        row.replayed_at = parts.clock.now()
        row.replay_result = result
    return DeadLetterOut.of(row)


async def _found(session: AsyncSession, letter_id: UUID) -> DeadLetter:
    row = await repository.letter(session, letter_id)
    if row is None:
        raise RefusedRequestError("dead_letters.unknown", f"no dead letter {letter_id}", status=404)
    return row
