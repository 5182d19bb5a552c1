"""What people do with footage: look at it, link it, hold it, hand it out. Each act is in the custody log."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.keyring import Caller
from hub.custody import recording as custody
from hub.footage import bundle, repository
from hub.footage.model import Footage, FootageExport, FootageHold, FootageViewing
from hub.footage.pairing import PERSON, note_in_archive
from hub.footage.schemas import ExportIn, FootageEdit, HoldIn, ViewingIn
from hub.organisation import repository as organisation
from hub.subjects import repository as subjects
from hub.tasks import repository as tasks
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

CHANGED: Final = "preconditions.changed"


async def open_viewing(
    session: AsyncSession, clock: Clock, row: Footage, body: ViewingIn, *, caller: Caller, minutes: float
) -> FootageViewing:
    """Open a clip to a caller for a stated reason. Raises RefusedRequestError (409) when its bytes are not here."""
    require_kept(row)
    now = clock.now()
    viewing = FootageViewing(
        id=clock.new_id(),
        footage_id=row.id,
        key_id=caller.key_id,
        at=now,
        until=now + timedelta(minutes=minutes),
        **body.model_dump(),
    )
    await repository.add(session, viewing)
    await _log(
        session, clock, row, "footage.viewed", caller=caller, data=body.model_dump() | {"viewing": str(viewing.id)}
    )
    return viewing


async def edit(session: AsyncSession, clock: Clock, row: Footage, body: FootageEdit, caller: Caller) -> None:
    """Link a clip as a person says. Raises RefusedRequestError: 404 for what there is none of, 412 when it changed."""
    values = await _links(session, body)
    if not values:
        return
    if not await repository.change(session, row, values):
        raise RefusedRequestError(CHANGED, "it was changed meanwhile; read it again", status=412)
    if "subject_id" in values:
        await note_in_archive(session, clock, row)
    said = body.model_dump(mode="json", exclude_unset=True)
    await _log(session, clock, row, "footage.linked", caller=caller, data=said)


async def hold(session: AsyncSession, clock: Clock, row: Footage, body: HoldIn, caller: Caller) -> FootageHold:
    """Keep a clip from being deleted. Raises RefusedRequestError (409) when it was."""
    if row.state == "deleted":
        raise RefusedRequestError("footage.deleted", "it was deleted when its time was over")
    held = FootageHold(
        id=clock.new_id(),
        footage_id=row.id,
        reason=body.reason,
        name=body.name,
        set_at=clock.now(),
        lifted_reason="",
        lifted_name="",
    )
    await repository.add(session, held)
    await _log(session, clock, row, "footage.held", caller=caller, data=body.model_dump() | {"hold": str(held.id)})
    return held


async def lift(
    session: AsyncSession, clock: Clock, row: Footage, held: FootageHold, body: HoldIn, *, caller: Caller
) -> None:
    """End a hold. Raises RefusedRequestError (409) when somebody has already."""
    if held.lifted_at is not None:
        raise RefusedRequestError("footage.hold_lifted", "the hold was lifted already")
    held.lifted_at, held.lifted_reason, held.lifted_name = clock.now(), body.reason, body.name
    await session.flush()
    await _log(session, clock, row, "footage.released", caller=caller, data=body.model_dump() | {"hold": str(held.id)})


async def export(
    session: AsyncSession, clock: Clock, row: Footage, body: ExportIn, *, caller: Caller, description: str
) -> FootageExport:
    """Hand out a clip with this description. Raises RefusedRequestError (409) when its bytes are not here."""
    require_kept(row)
    made = FootageExport(
        id=clock.new_id(), footage_id=row.id, at=clock.now(), description=description, **body.model_dump()
    )
    await repository.add(session, made)
    data = body.model_dump() | {"export": str(made.id), "files": bundle.file_hashes(description)}
    await _log(session, clock, row, "footage.exported", caller=caller, data=data)
    return made


def require_kept(row: Footage) -> None:
    """Raise RefusedRequestError (409) unless the clip's bytes are here."""
    if row.state == "expected":
        raise RefusedRequestError("footage.expected", "its bytes are still on the way")
    if row.state == "deleted":
        raise RefusedRequestError("footage.deleted", "it was deleted when its time was over")


async def _links(session: AsyncSession, body: FootageEdit) -> dict[str, Any]:
    """Return the columns that an edit changes; everything that it names is there."""
    values: dict[str, Any] = {}
    if "officer" in body.model_fields_set:
        officer = await organisation.officer(session, body.officer) if body.officer is not None else None
        values |= {"officer_id": officer.id if officer else None, "officer_by": PERSON}
    if "subject" in body.model_fields_set:
        subject = await subjects.find(session, body.subject) if body.subject is not None else None
        values |= {"subject_id": subject.id if subject else None, "subject_by": PERSON}
    if "task" in body.model_fields_set:
        task = await tasks.find(session, body.task) if body.task is not None else None
        values |= {"task_id": task.id if task else None}
    if body.category is not None:
        values["category"] = body.category
    return values


async def _log(
    session: AsyncSession, clock: Clock, row: Footage, kind: str, *, caller: Caller, data: dict[str, Any]
) -> None:
    by = f"key:{caller.key_id}"
    await custody.append(session, clock, kind=kind, item=row.sha256, by=by, data=data | {"key": caller.name})
