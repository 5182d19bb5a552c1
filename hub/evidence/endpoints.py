"""Recordings as evidence, over HTTP."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.api.values import Level, Line
from hub.evidence import repository
from hub.evidence.deciding import Deciding
from hub.evidence.lifecycle import State
from hub.evidence.model import Evidence
from hub.evidence.schemas import ActIn, EvidenceOut, ReviewIn, UseIn
from hub.parts import Parts, PartsHere

router = APIRouter(tags=["evidence"])

Reader = Annotated[Caller, caller_with(Scope.EVENTS_READ)]
Actor = Annotated[Caller, caller_with(Scope.EVIDENCE_ACT)]
GatewayName = Annotated[Level, Path()]
EventId = Annotated[UUID, Path()]
_EVENT = "/gateways/{gateway}/events/{event}/evidence"
_ACT = problems(404, 409, 412, 428)


@router.get("/evidence")
async def list_evidence(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    state: Annotated[State | None, Query()] = None,
    file: Annotated[Line | None, Query(description="Only what this penalty file rests on")] = None,
    gateway: Annotated[Level | None, Query()] = None,
    device: Annotated[Level | None, Query()] = None,
) -> Page[EvidenceOut]:
    """Recordings that were reviewed, newest first. All others are raw."""
    wanted = repository.listed(state=state.value if state else None, file=file, gateway=gateway, device=device)
    async with parts.database.read() as session:
        page = await paging.page(session, wanted, (Evidence.at.desc(), Evidence.event.desc()), EvidenceOut.of)
        files = await repository.files(session, [(each.gateway, each.event) for each in page.items])
    for each in page.items:
        each.files = files[each.gateway, each.event]
    return page


@router.get(_EVENT, responses=problems(404))
async def get_evidence(
    gateway: GatewayName, event: EventId, parts: PartsHere, _: Reader, response: Response
) -> EvidenceOut:
    """How far a happening has come as evidence: raw, reviewed, admitted or rejected. Its ETag is needed to act."""
    async with parts.database.read() as session:
        row = await repository.find(session, gateway, event)
        if row is None:
            shown = EvidenceOut.raw(await repository.first_message(session, gateway, event))
        else:
            shown = EvidenceOut.of(row, (await repository.files(session, [(gateway, event)]))[gateway, event])
    tag(response, shown.version)
    return shown


@dataclass(frozen=True, slots=True)
class Decision:
    """What every act upon a recording begins with: which one it is, who acts, and what they have seen of it."""

    gateway: GatewayName
    event: EventId
    parts: PartsHere
    caller: Actor
    if_match: IfMatch
    response: Response

    async def made(self, act: Callable[[Deciding, Evidence], Awaitable[None]]) -> EvidenceOut:
        """Act in one write transaction; return what the recording is now, and tag the response with its version.

        Raises RefusedRequestError: 404 when there is no such happening, 412, and what `act` raises.
        """
        parts, key = self.parts, (self.gateway, self.event)
        async with parts.database.write() as session:
            row = await repository.find(session, *key) or await _new(session, parts, key)
            self.if_match.require(row.version)
            await act(Deciding(session, parts.clock, self.caller.name), row)
            await session.flush()
            files = (await repository.files(session, [key]))[key]
        tag(self.response, row.version)
        return EvidenceOut.of(row, files)


DecisionHere = Annotated[Decision, Depends()]


@router.post(_EVENT + "/review", responses=_ACT)
async def review_evidence(decision: DecisionHere, body: ReviewIn) -> EvidenceOut:
    """Note the legal and technical review of a recording; what does not pass both is rejected for good."""
    return await decision.made(lambda deciding, row: deciding.review(row, body))


@router.post(_EVENT + "/admit", responses=_ACT)
async def admit_evidence(decision: DecisionHere, body: ActIn) -> EvidenceOut:
    """Admit a reviewed recording as evidence: another officer than the reviewer, of a device that is registered."""
    return await decision.made(lambda deciding, row: deciding.admit(row, body))


@router.post(_EVENT + "/use", responses=_ACT)
async def use_evidence(decision: DecisionHere, body: UseIn) -> EvidenceOut:
    """Attach a recording to a penalty file. What is not admitted is refused with the article."""
    return await decision.made(lambda deciding, row: deciding.use(row, body))


async def _new(session: AsyncSession, parts: Parts, key: repository.Key) -> Evidence:
    message = await repository.first_message(session, *key)
    row = Evidence(
        gateway=message.gateway,
        event=message.event,
        device=message.device,
        type=message.type,
        at=message.at,
        state=State.RAW.value,
        acts=[],
        changed_at=parts.clock.now(),
        version=0,
    )
    session.add(row)
    await session.flush()
    return row
