"""Tasks over HTTP: open, list, accept, complete, cancel."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.accounts.scopes import Scope
from hub.api.access import caller_with
from hub.api.idempotency import Creation, creation_with
from hub.api.paging import Page, PagingHere
from hub.api.preconditions import IfMatch, tag
from hub.api.problems import problems
from hub.grids import repository as grids
from hub.grids.schemas import GridId
from hub.organisation import repository as organisation
from hub.parts import PartsHere
from hub.subjects import repository as subjects
from hub.tasks import moving, opening, repository
from hub.tasks.model import Task
from hub.tasks.schemas import AcceptIn, CancelIn, CompleteIn, State, TaskIn, TaskOut

router = APIRouter(tags=["tasks"])

Reader = Annotated[Caller, caller_with(Scope.DOMAIN_READ)]
Writer = Annotated[Caller, caller_with(Scope.DOMAIN_WRITE)]
TaskId = Annotated[UUID, Path()]

_ACT = problems(404, 409, 412, 428)


@router.get("/tasks")
async def list_tasks(
    *,
    parts: PartsHere,
    _: Reader,
    paging: PagingHere,
    officer: Annotated[UUID | None, Query()] = None,
    grid: Annotated[GridId | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    subject: Annotated[UUID | None, Query()] = None,
) -> Page[TaskOut]:
    """Tasks, newest first."""
    async with parts.database.read() as session:
        wanted = repository.listed(officer=officer, grid=grid, state=state, subject=subject)
        return await paging.page(session, wanted, (Task.created_at.desc(), Task.id.desc()), TaskOut.of)


@router.post("/tasks", status_code=201, response_model=TaskOut, responses=problems(404))
async def create_task(body: TaskIn, creation: Annotated[Creation, creation_with(Scope.DOMAIN_WRITE)]) -> Response:
    """Open a task. An assistant is never given an inspection (rule tasks.assistants_do_not_inspect)."""
    parts, by = creation.parts, creation.caller.name

    async def act(session: AsyncSession) -> TaskOut:
        officer = await organisation.officer(session, body.officer) if body.officer else None
        subject = await subjects.find(session, body.subject) if body.subject else None
        grid = (await grids.find(session, body.grid)).id if body.grid else subject.grid_id if subject else None
        task = await opening.open_task(
            session,
            parts.clock,
            parts.stream,
            officer,
            kind=body.kind,
            title=body.title,
            due=body.due_at,
            subject_id=body.subject,
            grid_id=grid,
            by=by,
        )
        return TaskOut.of(task)

    return await creation.once(act, location=lambda made: f"/api/v1/tasks/{made.id}")


@router.get("/tasks/{task_id}", responses=problems(404))
async def get_task(task_id: TaskId, parts: PartsHere, _: Reader, response: Response) -> TaskOut:
    """One task, with an ETag to act on it by."""
    async with parts.database.read() as session:
        task = await repository.find(session, task_id)
    tag(response, task.version)
    return TaskOut.of(task)


@router.post("/tasks/{task_id}/accept", responses=_ACT)
async def accept_task(
    *, task_id: TaskId, body: AcceptIn, parts: PartsHere, caller: Writer, if_match: IfMatch, response: Response
) -> TaskOut:
    """Take an open task."""
    async with parts.database.write() as session:
        task = await repository.find(session, task_id)
        if_match.require(task.version)
        accepting = body.officer or task.officer_id
        officer = await organisation.officer(session, accepting) if accepting else None
        await moving.accept(session, parts.clock, parts.stream, task, officer, by=caller.name)
    tag(response, task.version)
    return TaskOut.of(task)


@router.post("/tasks/{task_id}/complete", responses=_ACT)
async def complete_task(
    *, task_id: TaskId, body: CompleteIn, parts: PartsHere, caller: Writer, if_match: IfMatch, response: Response
) -> TaskOut:
    """Finish an accepted task."""
    async with parts.database.write() as session:
        task = await repository.find(session, task_id)
        if_match.require(task.version)
        await moving.complete(session, parts.clock, parts.stream, task, result=body.result, by=caller.name)
    tag(response, task.version)
    return TaskOut.of(task)


@router.post("/tasks/{task_id}/cancel", responses=_ACT)
async def cancel_task(
    *, task_id: TaskId, body: CancelIn, parts: PartsHere, caller: Writer, if_match: IfMatch, response: Response
) -> TaskOut:
    """Give up a task that is not done."""
    async with parts.database.write() as session:
        task = await repository.find(session, task_id)
        if_match.require(task.version)
        await moving.cancel(session, parts.clock, parts.stream, task, reason=body.reason, by=caller.name)
    tag(response, task.version)
    return TaskOut.of(task)
