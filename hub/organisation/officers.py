"""Who is an officer, and what may be said of one."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.organisation import repository
from hub.organisation.model import Officer
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

CERTIFIED_STAFF_ONLY: Final = "officers.certified_staff_only"
ON_DUTY: Final = "officers.on_duty"


def require_staff(kind: str, *, certified: bool) -> None:
    """Raise RefusedRequestError when an assistant is said to hold an enforcement certificate."""
    if certified and kind != "staff":
        detail = "only staff hold an enforcement certificate (行政执法证); an assistant never does (国办发〔2024〕54号)"
        raise RefusedRequestError(CERTIFIED_STAFF_ONLY, detail)


async def edit(session: AsyncSession, clock: Clock, officer: Officer, values: dict[str, Any]) -> bool:
    """Write what changed of an officer; False when somebody else did meanwhile. The caller commits.

    Raises RefusedRequestError: officers.certified_staff_only; officers.on_duty for one who leaves with duties.
    """
    require_staff(values.get("kind", officer.kind), certified=values.get("certified", officer.certified))
    leaves = officer.active and not values.get("active", True)
    if leaves and await repository.has_duty_after(session, officer.id, clock.now()):
        raise RefusedRequestError(ON_DUTY, f"{officer.name} is on the roster; hand the duties over first")
    return await repository.change(session, officer, values)
