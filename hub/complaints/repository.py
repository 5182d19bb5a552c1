"""All SQL of complaints."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.complaints.model import Complaint, ReporterViewing
from hub.storage.upsert import insert_new
from protocol.errors import RefusedRequestError


async def find(session: AsyncSession, complaint_id: UUID) -> Complaint:
    """Return a complaint. Raises RefusedRequestError (404)."""
    row = await session.get(Complaint, complaint_id)
    if row is None:
        raise RefusedRequestError("complaints.unknown", f"no complaint {complaint_id}", status=404)
    return row


async def add(session: AsyncSession, row: dict[str, Any]) -> bool:
    """Add a complaint, unless its receipt number is taken; tell whether it was added."""
    return await insert_new(session, Complaint, [row]) == 1


async def viewings(session: AsyncSession, complaint_id: UUID) -> list[ReporterViewing]:
    """Return who looked at the name behind a complaint, first to last."""
    wanted = select(ReporterViewing).where(ReporterViewing.complaint_id == complaint_id)
    return list(await session.scalars(wanted.order_by(ReporterViewing.at, ReporterViewing.id)))


def listed(*, state: str | None, kind: str | None, subject: UUID | None, receipt: str | None) -> Select[Complaint]:
    """Complaints that fit every filter given."""
    equal = {
        Complaint.state: state,
        Complaint.kind: kind,
        Complaint.subject_id: subject,
        Complaint.receipt: receipt,
    }
    return select(Complaint).where(*(column == value for column, value in equal.items() if value is not None))
