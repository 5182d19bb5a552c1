"""Taking subjects into the register, one or thousands, and changing them. Each act leaves its line in the archive."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.grids.index import GridIndex
from hub.subjects import archive, repository
from hub.subjects.model import Subject
from hub.subjects.schemas import SubjectEdit, SubjectIn
from protocol.clock import Clock
from protocol.errors import RefusedRequestError

USCC_TAKEN: Final = "subjects.uscc_taken"

_IN_CHINESE: Final = {
    "candidate": "待认领",
    "claimed": "已认领",
    "verified": "已核实",
    "operating": "在营",
    "suspended": "停业",
    "closed": "注销",
    "moved": "迁出",
    "not_found": "查无",
}


async def register(session: AsyncSession, clock: Clock, index: GridIndex, wanted: SubjectIn, *, by: str) -> Subject:
    """Add one subject, in the grid that its coordinates are in. The caller commits.

    Raises RefusedRequestError: subjects.uscc_taken.
    """
    if wanted.uscc is not None and await repository.with_uscc(session, [wanted.uscc]):
        raise RefusedRequestError(USCC_TAKEN, f"there is a subject with the USCC {wanted.uscc}")
    (row,) = await register_all(session, clock, index, [wanted], by=by)
    return await repository.find(session, row["id"])


async def register_all(
    session: AsyncSession, clock: Clock, index: GridIndex, wanted: Sequence[SubjectIn], *, by: str
) -> list[dict[str, Any]]:
    """Add subjects whose codes are free; return their columns. The caller commits.

    Raises RefusedRequestError (subjects.uscc_taken) when somebody else takes a code at the same moment.
    """
    now = clock.now()
    placed = [each for each in wanted if each.latitude is not None]
    located = index.locate_many([each.latitude or 0.0 for each in placed], [each.longitude or 0.0 for each in placed])
    grids = iter(located)
    rows = [
        each.model_dump()
        | {
            "id": clock.new_id(),
            "status_at": now,
            "created_at": now,
            "grid_id": next(grids) if each.latitude is not None else None,
            "version": 1,
        }
        for each in wanted
    ]
    await repository.add_all(session, rows, [_registered(row, now, by) for row in rows])
    return rows


async def edit(
    session: AsyncSession, clock: Clock, index: GridIndex, subject: Subject, wanted: SubjectEdit, *, by: str
) -> bool:
    """Write what changed of a subject; False when somebody else changed it meanwhile. The caller commits.

    Raises RefusedRequestError: subjects.uscc_taken.
    """
    asked = wanted.model_dump(exclude_unset=True)
    values = {name: value for name, value in asked.items() if getattr(subject, name) != value}
    if not values:
        return True
    if values.get("uscc") and await repository.with_uscc(session, [values["uscc"]]):
        raise RefusedRequestError(USCC_TAKEN, f"there is a subject with the USCC {values['uscc']}")
    if wanted.latitude is not None and wanted.longitude is not None:
        values["grid_id"] = index.locate(wanted.latitude, wanted.longitude)
    elif "latitude" in values:
        values["grid_id"] = None
    if "status" in values:
        values["status_at"] = clock.now()
    before = {name: getattr(subject, name) for name in values if name != "status_at"}
    if not await repository.change(session, subject, values):
        return False
    changes = {name: [old, getattr(subject, name)] for name, old in before.items()}
    await archive.append(
        session,
        clock,
        subject.id,
        at=clock.now(),
        kind="subject.edited",
        summary=_changed(changes),
        ref=str(subject.version),
        data={"changes": changes, "by": by},
    )
    return True


def _registered(row: dict[str, Any], now: datetime, by: str) -> dict[str, Any]:
    return {
        "subject_id": row["id"],
        "at": now,
        "kind": "subject.registered",
        "summary": f"建档: {row['name']}",
        "ref": "1",
        "data": {"by": by, "grid": row["grid_id"], "status": row["status"]},
        "written_at": now,
    }


def _changed(changes: dict[str, list[Any]]) -> str:
    if "status" in changes:
        old, new = changes["status"]
        return f"经营状态变更: {_IN_CHINESE[old]} → {_IN_CHINESE[new]}"
    return f"档案更新: {', '.join(sorted(changes))}"
