"""The tree of the organisation: a unit's id is its path, and its depth its level."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.organisation import repository
from hub.organisation.model import OrgUnit
from protocol.errors import RefusedRequestError

LEVELS: Final = ("bureau", "station", "squad", "segment", "grid")


async def add_unit(session: AsyncSession, unit_id: str, name: str) -> OrgUnit:
    """Add a unit below the one that its path names. The caller commits.

    Raises RefusedRequestError: org_units.unknown (404) for a missing parent, org_units.taken.
    """
    above, _, _ = unit_id.rpartition("/")
    if above:
        await repository.unit(session, above)
    unit = OrgUnit(id=unit_id, name=name, level=LEVELS[unit_id.count("/")], parent_id=above or None)
    if not await repository.add_unit(session, unit):
        raise RefusedRequestError("org_units.taken", f"there is a unit {unit_id!r} already")
    return unit
