"""Subjects and their archives over HTTP."""

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.api.values import Line
from hub.grids.schemas import GridId
from hub.parts import PartsHere
from hub.subjects import importing, registering, repository
from hub.subjects.model import ArchiveEntry, Subject
from hub.subjects.schemas import (
    ArchiveOut,
    Category,
    Status,
    SubjectEdit,
    SubjectIn,
    SubjectOut,
    SubjectsImported,
    Uscc,
)
from protocol.errors import RefusedRequestError

router = APIRouter(tags=["subjects"])

LARGEST_IMPORT: Final = 32 * 1024 * 1024

Reader = Annotated[Caller, caller_with(Scope.DOMAIN_READ)]
Creating = Annotated[Creation, creation_with(Scope.DOMAIN_WRITE)]
SubjectId = Annotated[UUID, Path()]

_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            importing.JSON_LINES: {"schema": {"type": "string", "description": "One per line, as POST /subjects"}},
            importing.CSV: {"schema": {"type": "string", "description": "UTF-8; the heading names the same fields"}},
        },
    }
}


@router.get("/subjects")
async def list_subjects(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    grid: Annotated[GridId | None, Query()] = None,
    category: Annotated[Category | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    uscc: Annotated[Uscc | None, Query()] = None,
    q: Annotated[Line | None, Query(description="Part of the name or the address")] = None,
) -> Page[SubjectOut]:
    """Subjects, newest first."""
    async with parts.database.read() as session:
        wanted = repository.listed(grid=grid, category=category, status=status, uscc=uscc, text=q)
        return await paging.page(session, wanted, (Subject.created_at.desc(), Subject.id.desc()), SubjectOut.of)


@router.post("/subjects", status_code=201, response_model=SubjectOut, responses=problems(409))
async def create_subject(body: SubjectIn, creation: Creating) -> Response:
    """Take a subject into the register. Its grid follows from its coordinates."""
    parts, by = creation.parts, creation.caller.name
    index = await parts.grids.current()

    async def act(session: AsyncSession) -> SubjectOut:
        return SubjectOut.of(await registering.register(session, parts.clock, index, body, by=by))

    return await creation.once(act, location=lambda made: f"/api/v1/subjects/{made.id}")


@router.post(
    "/subjects/import",
    response_model=SubjectsImported,
    responses=problems(409, 415),
    openapi_extra=_FILE,
)
async def import_subjects(request: Request, creation: Creating) -> Response:
    """Take a file of subjects into the register, in one transaction. Known codes are left as they are."""
    content, media_type = await request.body(), request.headers.get("content-type", "")
    file = await asyncio.to_thread(importing.parse, content, media_type)
    parts, by = creation.parts, creation.caller.name
    index = await parts.grids.current()

    async def act(session: AsyncSession) -> SubjectsImported:
        return await importing.take(session, parts.clock, index, file, by=by)

    return await creation.once(act, status=200)


@router.get("/subjects/{subject_id:uuid}", responses=problems(404))
async def get_subject(subject_id: SubjectId, parts: PartsHere, _: Reader, response: Response) -> SubjectOut:
    """One subject, with an ETag to edit it by."""
    async with parts.database.read() as session:
        subject = await repository.find(session, subject_id)
    tag(response, subject.version)
    return SubjectOut.of(subject)


@router.patch("/subjects/{subject_id:uuid}", responses=problems(404, 409, 412, 428))
async def edit_subject(
    *,
    subject_id: SubjectId,
    body: SubjectEdit,
    parts: PartsHere,
    caller: Annotated[Caller, caller_with(Scope.DOMAIN_WRITE)],
    if_match: IfMatch,
    response: Response,
) -> SubjectOut:
    """Change a subject. New coordinates put it into their grid. The change is a line in its archive."""
    index = await parts.grids.current()
    async with parts.database.write() as session:
        subject = await repository.find(session, subject_id)
        if_match.require(subject.version)
        if not await registering.edit(session, parts.clock, index, subject, body, by=caller.name):
            raise RefusedRequestError("preconditions.changed", "the subject was changed meanwhile", status=412)
    tag(response, subject.version)
    return SubjectOut.of(subject)


@router.get("/subjects/{subject_id:uuid}/archive", responses=problems(404))
async def get_archive(subject_id: SubjectId, parts: PartsHere, _: Reader, paging: PagingHere) -> Page[ArchiveOut]:
    """What happened to a subject, newest first."""
    async with parts.database.read() as session:
        await repository.find(session, subject_id)
        order = (ArchiveEntry.at.desc(), ArchiveEntry.number.desc())
        return await paging.page(session, repository.archive_of(subject_id), order, ArchiveOut.of)
